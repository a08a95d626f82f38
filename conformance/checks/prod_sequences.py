"""PROD: sequence numbers, and batches that are sent again."""

from conformance import requests
from conformance.check import check
from conformance.judge import Condition
from conformance.producers import LAST_SEQUENCE, batch, permit_stored, permit_values, store
from conformance.session import Session
from spec.wire.errors import ErrorCode

REMEMBERED_BATCHES = 5


# PROD-02


@check("PROD-02", apis=("Produce", "InitProducerId"))
def the_next_sequence_is_stored(session: Session) -> None:
    """A batch that begins where the last one of its producer ended is stored behind it."""
    topic, producer = session.create_topic(), session.new_producer()
    store(session, topic, producer, 0, [b"a", b"b", b"c"])
    answer = session.produce(topic, batch(producer, 3, [b"d", b"e"]))
    permit_stored(session, answer, 3, "Sequence 3 follows the records 0 to 2.")
    permit_values(
        session, topic, [b"a", b"b", b"c", b"d", b"e"], "Both batches were acknowledged."
    )


@check("PROD-02", apis=("Produce", "InitProducerId"))
def a_gap_in_the_sequence_is_refused(session: Session) -> None:
    """A batch that begins after the next sequence number is refused and not stored."""
    topic, producer = session.create_topic(), session.new_producer()
    store(session, topic, producer, 0, [b"a", b"b"])
    for sequence in (3, 100, LAST_SEQUENCE):
        answer = session.produce(topic, batch(producer, sequence, [b"early"]))
        session.permit(
            f"the error code for sequence {sequence}",
            answer.error_code,
            {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER},
            "Sequence 2 comes next; what is between is missing.",
        )
    permit_values(session, topic, [b"a", b"b"], "A refused batch is not appended.")


@check("PROD-02", apis=("Produce", "InitProducerId"))
def a_refused_gap_does_not_move_the_sequence(session: Session) -> None:
    """After a gap was refused the batch that was missing is still the next one."""
    topic, producer = session.create_topic(), session.new_producer()
    store(session, topic, producer, 0)
    session.produce(topic, batch(producer, 2, [b"early"]))
    missing = session.produce(topic, batch(producer, 1, [b"missing"]))
    permit_stored(session, missing, 1, "The sequence after the last stored one is 1.")
    again = session.produce(topic, batch(producer, 2, [b"in order"]))
    permit_stored(session, again, 2, "The producer sends again what came too early.")


@check("PROD-02", apis=("Produce", "InitProducerId"))
def an_overlapping_batch_is_refused(session: Session) -> None:
    """A batch that contains stored records and is no resend of one batch is refused."""
    topic, producer = session.create_topic(), session.new_producer()
    store(session, topic, producer, 0, [b"a", b"b", b"c"])
    for sequence, values in ((2, [b"c", b"d"]), (1, [b"b", b"c"]), (0, [b"a", b"b", b"c", b"d"])):
        answer = session.produce(topic, batch(producer, sequence, values))
        session.permit(
            f"the error code for sequences {sequence} to {sequence + len(values) - 1}",
            answer.error_code,
            {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.DUPLICATE_SEQUENCE_NUMBER},
            "The sequences 0 to 2 are stored, as one batch; 3 comes next.",
        )
    permit_values(session, topic, [b"a", b"b", b"c"], "No record is stored twice.")


@check("PROD-02", apis=("Produce", "InitProducerId"))
def the_sequence_goes_on_at_zero_after_its_end(session: Session) -> None:
    """After sequence 2147483647 comes 0, which is no duplicate."""
    topic, producer = session.create_topic(), session.new_producer()
    store(session, topic, producer, LAST_SEQUENCE - 1, [b"a", b"b"])
    answer = session.produce(topic, batch(producer, 0, [b"c"]))
    permit_stored(session, answer, 2, "0 follows 2147483647.")


@check("PROD-02", apis=("Produce", "InitProducerId"))
def a_batch_may_reach_across_the_end_of_the_sequence(session: Session) -> None:
    """A batch whose sequence numbers wrap around ends at s + n - 1 modulo 2147483648."""
    topic, producer = session.create_topic(), session.new_producer()
    store(session, topic, producer, LAST_SEQUENCE, [b"a", b"b", b"c"])
    wrong = session.produce(topic, batch(producer, 3, [b"early"]))
    session.permit(
        "the error code for sequence 3",
        wrong.error_code,
        {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER},
        "The batch had the sequences 2147483647, 0 and 1, so 2 comes next.",
    )
    answer = session.produce(topic, batch(producer, 2, [b"d"]))
    permit_stored(session, answer, 3, "The batch had the sequences 2147483647, 0 and 1.")


@check("PROD-02", apis=("Produce", "InitProducerId"))
def every_partition_has_its_own_sequence(session: Session) -> None:
    """A producer's batches are numbered for each partition by itself."""
    topic, producer = session.create_topic(partitions=2), session.new_producer()
    store(session, topic, producer, 0, [b"a", b"b"])
    other = session.produce(topic, batch(producer, 0, [b"c"]), 1)
    permit_stored(session, other, 0, "Nothing of this producer is in partition 1.")
    permit_values(session, topic, [b"c"], "Sequence 0 is no duplicate there.", partition=1)
    next_ = session.produce(topic, batch(producer, 2, [b"e"]))
    permit_stored(session, next_, 2, "Sequence 2 comes next in partition 0.")


# PROD-03 and PROD-04


@check("PROD-03", apis=("Produce", "InitProducerId"))
def a_resent_batch_gets_the_offset_of_then(session: Session) -> None:
    """A batch that is sent again is acknowledged with its first offset and not stored again."""
    topic, producer = session.create_topic(), session.new_producer()
    session.produce(topic, [b"of somebody else"])
    first = store(session, topic, producer, 0, [b"a", b"b"])
    again = session.produce(topic, batch(producer, 0, [b"a", b"b"]))
    permit_stored(session, again, first.base_offset, "It is stored already, at this offset.")
    permit_values(session, topic, [b"of somebody else", b"a", b"b"], "A resend appends nothing.")


@check("PROD-03", apis=("Produce", "InitProducerId"))
def each_of_the_last_five_batches_is_remembered(session: Session) -> None:
    """Any of the last five batches of a producer may be sent again without being stored again."""
    topic, producer = session.create_topic(), session.new_producer()
    sent = [[b"%d" % number, b"%d again" % number] for number in range(REMEMBERED_BATCHES)]
    offsets = [
        store(session, topic, producer, 2 * number, values).base_offset
        for number, values in enumerate(sent)
    ]
    for number in range(REMEMBERED_BATCHES):
        again = session.produce(topic, batch(producer, 2 * number, sent[number]))
        permit_stored(
            session,
            again,
            offsets[number],
            f"It is one of the last {REMEMBERED_BATCHES} batches.",
        )
    permit_values(
        session, topic, [v for values in sent for v in values], "Nothing is stored twice."
    )


@check("PROD-03", apis=("Produce", "InitProducerId"))
def a_resend_is_known_by_its_numbers_alone(session: Session) -> None:
    """A resend is recognised on another connection and with other content."""
    topic, producer = session.create_topic(), session.new_producer()
    first = store(session, topic, producer, 0, [b"a", b"b"])
    client = session.connect(near=session.leader(topic))
    data = batch(producer, 0, [b"other", b"words"])
    answer = client.call("Produce", **requests.produce(topic, {0: data}))
    permit_stored(
        session,
        answer.responses[0].partition_responses[0],
        first.base_offset,
        "Producer id, epoch, first and last sequence decide; the content is not compared.",
    )
    permit_values(session, topic, [b"a", b"b"], "A resend appends nothing.")


@check("PROD-04", apis=("Produce", "InitProducerId"))
def a_resend_from_long_ago_is_not_stored(session: Session) -> None:
    """A resend of a batch from before the last five is not stored again."""
    topic, producer = session.create_topic(), session.new_producer()
    values = [b"%d" % number for number in range(REMEMBERED_BATCHES + 3)]
    for number, value in enumerate(values):
        store(session, topic, producer, number, [value])
    answer = session.produce(topic, batch(producer, 1, [values[1]]))
    session.permit(
        "the error code and the base offset",
        (answer.error_code, answer.base_offset),
        Condition(
            "OUT_OF_ORDER_SEQUENCE_NUMBER, DUPLICATE_SEQUENCE_NUMBER, or success at offset 1",
            lambda got: (
                got == (ErrorCode.NONE, 1)
                or got[0]
                in (
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    ErrorCode.DUPLICATE_SEQUENCE_NUMBER,
                )
            ),
        ),
        "The batch was stored once, at offset 1, and 8 comes next.",
    )
    permit_values(session, topic, values, "An old duplicate is not appended.")
