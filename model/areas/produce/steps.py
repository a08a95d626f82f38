"""One producer and the leader of its partition: acknowledgements, resends, idempotence.

Modelled: a producer with acks 0, 1 or all, and idempotent or not; several records in flight;
requests and answers that are lost, delayed, and overtaken by others; resends; the check of epoch
and sequence; the last batches that the leader remembers; the high watermark; a leader that fails
and is followed by a replica with everything committed and some of the rest; a producer that gives
up and goes on in a new epoch.
Simplified: a batch is one record with one number. Followers are a high watermark that moves. Two
requests that wait for the same record get one answer. A leader that cannot answer any more
(NOT_LEADER_OR_FOLLOWER) is silent: a resend follows in either case. The order of one connection is
not used, since a resend may come over another one. A producer that gave up a record takes a new
epoch, even where a later record of the old one succeeded.
Not modelled: the floor min.insync.replicas (ACKS-06, ACKS-07), transactions, other producers, the
wrap of sequences, expiry of producer ids, and the renumbering of records in flight: the Java
client may, after OUT_OF_ORDER_SEQUENCE_NUMBER, give them new numbers in a new epoch, and
`producer_renumbers_what_is_in_flight` in model/areas/produce_mistakes.py shows what comes of it.
Source: `ProducerAppendInfo.checkSequence`, `checkProducerEpoch`; `ProducerStateEntry`;
`UnifiedLog.analyzeAndValidateProducerState`; `DelayedProduce.tryComplete`; the client's
`TransactionManager.maybeResolveSequences`, `canRetry`, `RecordAccumulator`; KIP-98, KIP-360.
Clauses: ACKS-02, ACKS-04, ACKS-05, ACKS-08, ACKS-10, PROD-02 to PROD-10, PROD-14.
"""

from model.areas.produce.state import (
    Answer,
    Error,
    NextSequence,
    Request,
    Sequence,
    Stamp,
    State,
    append,
    begins_at_0_if_new,
    follows_last_sequence,
    has_open_outcomes,
    is_of_an_older_epoch,
    is_remembered,
    is_waiting,
    memory_of_log,
    refuse,
)
from model.contracts.producer import Acks, Offset, Outcome, RecordId
from model.lang import (
    Bool,
    Bound,
    Machine,
    exists,
    if_else,
    implies,
    needs,
    no_element,
    set_of,
    some,
    those,
)

machine = Machine("produce", State, "acknowledgements and the idempotent producer", "kafka-4")


# The producer.


@machine.action("PROD-10")
def producer_is_set_up(s: State, acks: Acks, idempotent: Bool) -> None:
    """The settings are made before the first record, once; idempotence needs acks=all."""
    needs(
        has_no_settings=s.producer.acks == Acks.NOT_SET,
        is_a_setting=acks != Acks.NOT_SET,
        idempotence_has_all=implies(idempotent, acks == Acks.ALL),
    )
    s.producer.acks = acks
    s.producer.idempotent = idempotent


@machine.action("PROD-10", "PROD-14", "ACKS-02")
def producer_sends(s: State) -> None:
    """The next record is sent for the first time, with the next number; with acks=0 that is all
    that the producer does.
    """
    me = s.producer
    record = RecordId.of(me.next_record)
    needs(
        has_settings=me.acks != Acks.NOT_SET,
        records_are_left=me.next_record < Bound("records"),
        network_has_room=s.requests.size < Bound("requests"),
        in_flight_has_room=those(RecordId, lambda r: is_waiting(s, r)).size < Bound("in_flight"),
        numbers_are_resolved=~(me.idempotent & has_open_outcomes(s)),
    )
    s.requests.add(Request(record_id=record))
    s.stamp[record] = Stamp(epoch=me.epoch, sequence=Sequence.of(me.next_sequence))
    me.outcome[record] = if_else(me.acks == Acks.ZERO, Outcome.SUCCEEDED, Outcome.WAITING)
    me.next_sequence = if_else(me.idempotent, me.next_sequence + 1, me.next_sequence)
    me.next_record += 1


@machine.action("PROD-03")
def producer_resends(s: State, record: RecordId) -> None:
    """A record without an answer is sent once more, as it was; the first request may still be on
    its way.
    """
    needs(
        is_waiting=is_waiting(s, record),
        network_has_room=s.requests.size < Bound("requests"),
    )
    s.requests.add(Request(record_id=record))


@machine.action("ACKS-05", "ACKS-08", answer=lambda s: s.answers)
def producer_is_answered(s: State, answer: Answer) -> None:
    """Success ends the waiting; an error changes nothing: the producer may send again."""
    me, record = s.producer, answer.record_id
    is_success = is_waiting(s, record) & (answer.error == Error.NONE)
    me.outcome[record] = if_else(is_success, Outcome.SUCCEEDED, me.outcome[record])
    me.told[record] = if_else(is_success, some(answer.offset), me.told[record])
    s.answers.remove(answer)


@machine.action("ACKS-08")
def producer_gives_up(s: State, record: RecordId) -> None:
    """After delivery.timeout.ms a record is not sent again; it may be stored, or be so later."""
    needs(is_waiting=is_waiting(s, record))
    s.producer.outcome[record] = Outcome.OPEN


@machine.action("PROD-06")
def producer_takes_next_epoch(s: State) -> None:
    """An idempotent producer that gave up a record begins again with number 0 in a new epoch, once
    nothing is in flight.
    """
    needs(
        is_idempotent=s.producer.idempotent,
        epochs_are_left=s.producer.epoch < Bound("max_producer_epoch"),
        gave_up_a_record=has_open_outcomes(s),
        nothing_is_in_flight=~exists(RecordId, lambda r: is_waiting(s, r)),
    )
    s.producer.epoch += 1
    s.producer.next_sequence = NextSequence(0)


# The network.


@machine.action(request=lambda s: s.requests)
def network_loses_request(s: State, request: Request) -> None:
    """A request does not arrive."""
    s.requests.remove(request)


@machine.action(answer=lambda s: s.answers)
def network_loses_answer(s: State, answer: Answer) -> None:
    """An answer does not arrive."""
    s.answers.remove(answer)


# The leader.


@machine.action(
    "STOR-01", "PROD-02", "PROD-05", "PROD-06", "PROD-07", request=lambda s: s.requests
)
def leader_appends(s: State, request: Request) -> None:
    """The record goes to the end of the log; with acks=all the request then waits. That of an
    idempotent producer has to be the next by epoch and number, unless the leader knows nothing of
    the producer.
    """
    stamp, idempotent = s.stamp[request.record_id], s.producer.idempotent
    needs(
        log_has_room=s.leader.log.length < Bound("log_size"),
        is_not_answered_at_once=s.producer.acks != Acks.ONE,
        epoch_is_not_older=implies(idempotent, ~is_of_an_older_epoch(s, stamp)),
        follows_last_sequence=implies(idempotent, follows_last_sequence(s, stamp)),
        new_epoch_begins_at_0=implies(idempotent, begins_at_0_if_new(s, stamp)),
    )
    append(s, request)


@machine.action("ACKS-04", request=lambda s: s.requests)
def leader_appends_and_answers(s: State, request: Request) -> None:
    """With acks=1 the record is appended and answered, whoever else may have it."""
    end = Offset.of(s.leader.log.length)
    needs(
        log_has_room=s.leader.log.length < Bound("log_size"),
        network_has_room=s.answers.size < Bound("answers"),
        asks_for_the_leader_alone=s.producer.acks == Acks.ONE,
    )
    s.leader.log.append(request.record_id)
    s.requests.remove(request)
    s.answers.add(Answer(record_id=request.record_id, error=Error.NONE, offset=end))


@machine.action("PROD-03", request=lambda s: s.requests)
def leader_recognises_duplicate(s: State, request: Request) -> None:
    """One of the last batches comes again: nothing is stored, and the answer has the offset of
    then.
    """
    stamp = s.stamp[request.record_id]
    needs(is_remembered=s.producer.idempotent & is_remembered(s, stamp))
    s.requests.remove(request)
    s.leader.unanswered |= set_of(s.leader.memory.offset[stamp.sequence].value)


@machine.action("PROD-05", request=lambda s: s.requests)
def leader_fences_older_epoch(s: State, request: Request) -> None:
    """A batch of an epoch that has passed is refused."""
    needs(
        network_has_room=s.answers.size < Bound("answers"),
        is_older=s.producer.idempotent & is_of_an_older_epoch(s, s.stamp[request.record_id]),
    )
    refuse(s, request, Error.INVALID_PRODUCER_EPOCH)


@machine.action("PROD-02", "PROD-04", "PROD-06", request=lambda s: s.requests)
def leader_refuses_sequence(s: State, request: Request) -> None:
    """A batch that is neither the next one nor remembered is refused, an old duplicate too."""
    stamp = s.stamp[request.record_id]
    needs(
        network_has_room=s.answers.size < Bound("answers"),
        is_not_remembered=~is_remembered(s, stamp),
        is_not_next=~(follows_last_sequence(s, stamp) & begins_at_0_if_new(s, stamp)),
    )
    refuse(s, request, Error.OUT_OF_ORDER_SEQUENCE_NUMBER)


@machine.action("ACKS-05")
def leader_answers(s: State, offset: Offset) -> None:
    """With acks=all a request is answered when its record is committed."""
    needs(
        network_has_room=s.answers.size < Bound("answers"),
        is_unanswered=s.leader.unanswered.has(offset),
        all_have_the_record=offset < s.leader.high_watermark,
    )
    s.leader.unanswered -= set_of(offset)
    s.answers.add(Answer(record_id=s.leader.log[offset], error=Error.NONE, offset=offset))


@machine.action("REPL-01")
def leader_advances_high_watermark(s: State) -> None:
    """All in-sync replicas have the next record."""
    needs(there_is_one=s.leader.high_watermark < s.leader.log.length)
    s.leader.high_watermark += 1


@machine.action("REPL-13", "PROD-08", "PROD-09")
def leader_fails(s: State, log_end_offset: Offset) -> None:
    """A replica takes over that has everything committed, and remembers what its log says of the
    producer; nobody waits there for an answer.
    """
    needs(
        failures_are_left=s.failovers < Bound("failovers"),
        has_what_is_committed=s.leader.high_watermark <= log_end_offset,
        is_in_the_log=log_end_offset <= s.leader.log.length,
    )
    s.failovers += 1
    s.leader.memory = memory_of_log(s, log_end_offset)
    s.leader.log.truncate(log_end_offset)
    s.leader.unanswered = no_element(Offset)
