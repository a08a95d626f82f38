"""Brokers that lose count of their producers, or the order of batches."""

from tests.conformance.mutants import Mutant

PRODUCERS = "impl.core.log.producer_state"
PARTITION = "impl.core.data.partition"
BATCH_RULES = "impl.core.log.batch_rules"
PRODUCER_IDS = "impl.core.transactions.producer_ids"

EXPECTED = "expected = (producer.last_sequence + 1) % SEQUENCES"
OUT_OF_PLACE = "if header.base_sequence != expected:"
WRITE = "        return self._write(header, payload, now_ms)\n\n    def append_own"
HOLD_BACK = """\
        if acks == {acks} and not hasattr(self, "held"):
            self.held = (header, payload)
            return Appended(self.log.log_end_offset, NO_TIMESTAMP, self.log.log_end_offset)
        written = self._write(header, payload, now_ms)
        if self.__dict__.get("held"):
            held, self.held = self.held, None
            self._write(*held, now_ms)
        return written

    def append_own"""

MUTANTS = (
    Mutant(
        "PROD-01/producer_ids_are_given_out_once",
        PRODUCER_IDS,
        old="self._ids.popleft()",
        new="self._ids[0]",
    ),
    Mutant(
        "PROD-01/producer_ids_are_fresh_after_a_restart",
        "impl.core.cluster.catalogue",
        old="self.next_producer_id = record.next_producer_id",
        new="self.next_producer_id = 0",
    ),
    Mutant(
        "PROD-02/the_next_sequence_is_stored",
        PRODUCERS,
        old=EXPECTED,
        new="expected = (producer.batches[-1].first_sequence + 1) % SEQUENCES",
    ),
    Mutant(
        "PROD-02/a_gap_in_the_sequence_is_refused",
        PRODUCERS,
        old=OUT_OF_PLACE,
        new="if header.base_sequence < expected:",
    ),
    Mutant(
        "PROD-02/a_refused_gap_does_not_move_the_sequence",
        PRODUCERS,
        old=OUT_OF_PLACE,
        new=OUT_OF_PLACE
        + """
            producer.batches.append(
                RememberedBatch(header.base_sequence, header.last_sequence, -1, -1, -1)
            )""",
    ),
    Mutant(
        "PROD-02/an_overlapping_batch_is_refused",
        PRODUCERS,
        old=OUT_OF_PLACE,
        new="if header.base_sequence > expected:",
    ),
    Mutant(
        "PROD-02/the_sequence_goes_on_at_zero_after_its_end",
        PRODUCERS,
        old=EXPECTED,
        new="expected = producer.last_sequence + 1",
    ),
    Mutant(
        "PROD-02/a_batch_may_reach_across_the_end_of_the_sequence",
        "impl.core.log.batch",
        old="return (self.base_sequence + self.last_offset_delta) % SEQUENCES",
        new="return min(self.base_sequence + self.last_offset_delta, SEQUENCES - 1)",
    ),
    Mutant(
        "PROD-02/every_partition_has_its_own_sequence",
        PRODUCERS,
        old="    def __init__(self) -> None:\n        self._producers: dict[int, Producer] = {}",
        new="    def __init__(self, producers={}) -> None:\n        self._producers = producers",
    ),
    Mutant(
        "PROD-03/a_resent_batch_gets_the_offset_of_then",
        PARTITION,
        old="return Appended(repeated.base_offset, ",
        new="return Appended(0, ",
    ),
    Mutant(
        "PROD-03/each_of_the_last_five_batches_is_remembered",
        PRODUCERS,
        old="REMEMBERED_BATCHES = 5",
        new="REMEMBERED_BATCHES = 4",
    ),
    Mutant(
        "PROD-03/a_resend_is_known_by_its_numbers_alone",
        PRODUCERS,
        old="return repeated  # PROD-03",
        new="return None",
    ),
    Mutant(
        "PROD-04/a_resend_from_long_ago_is_not_stored",
        PRODUCERS,
        old=OUT_OF_PLACE,
        new="if header.base_sequence > expected:",
    ),
    Mutant(
        "PROD-05/an_older_epoch_is_fenced",
        PRODUCERS,
        old="if producer is not None and epoch < producer.epoch:",
        new="if producer is not None and epoch < 0:",
    ),
    Mutant(
        "PROD-05/a_duplicate_from_an_older_epoch_is_fenced",
        PRODUCERS,
        old="if header.producer_epoch != self.epoch:",
        new="if header.producer_epoch > self.epoch:",
    ),
    Mutant(
        "PROD-06/a_new_epoch_cannot_begin_later_than_zero",
        PRODUCERS,
        old="if header.base_sequence != 0:",
        new="if header.base_sequence < 0:",
    ),
    Mutant(
        "PROD-06/sequence_zero_of_a_new_epoch_is_no_duplicate",
        PRODUCERS,
        old="if header.producer_epoch > producer.epoch:",
        new="if header.producer_epoch > producer.epoch + 1:",
    ),
    Mutant(
        "PROD-07/an_unknown_producer_may_begin_anywhere",
        PRODUCERS,
        old="return None  # PROD-07",
        new="""\
if header.base_sequence:
                raise KafkaError(ErrorCode.UNKNOWN_PRODUCER_ID)
            return None""",
    ),
    Mutant(
        "PROD-07/an_unknown_producer_is_followed_from_where_it_began",
        PRODUCERS,
        old=OUT_OF_PLACE,
        new=f"if len(producer.batches) > 1 and {OUT_OF_PLACE[3:]}",
    ),
    Mutant(
        "PROD-07/a_negative_sequence_is_invalid",
        BATCH_RULES,
        old="if header.has_producer_id and header.base_sequence < 0:",
        new="if header.has_producer_id and header.base_sequence < -1:",
    ),
    Mutant(
        "PROD-08/a_producer_outlives_its_deleted_records",
        PARTITION,
        old="        self.log.advance_log_start(offset)\n",
        new="        self._producers.states.expire(1 << 62)\n"
        "        self.log.advance_log_start(offset)\n",
    ),
    Mutant(
        "PROD-08/a_producer_is_remembered_over_a_restart",
        "impl.core.log.producers",
        old="        self._forget_strays()\n        self.reload()\n",
        new="        self._forget_strays()\n",
    ),
    Mutant(
        "PROD-08/a_producer_is_remembered_over_a_crash",
        "impl.core.log.producers",
        old="        self._forget_strays()\n        self.reload()\n",
        new="        self._forget_strays()\n",
    ),
    Mutant(
        "PROD-14/batches_sent_ahead_are_appended_in_order",
        PARTITION,
        old=WRITE,
        new=HOLD_BACK.format(acks="ALL_REPLICAS"),
    ),
    Mutant(
        "PROD-14/acknowledged_batches_keep_their_order",
        PARTITION,
        old=WRITE,
        new=HOLD_BACK.format(acks="1"),
    ),
    Mutant(
        "PROD-14/idempotent_batches_in_flight_are_all_stored",
        PRODUCERS,
        old=OUT_OF_PLACE,
        new=f"{OUT_OF_PLACE[:-1]} or len(producer.batches) > 3:",
    ),
)
