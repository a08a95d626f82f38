"""PROD: who producers are, for how long a partition remembers them, and the order of requests."""

from conformance import requests
from conformance.check import check
from conformance.judge import Condition
from conformance.producers import (
    LAST_SEQUENCE,
    Producer,
    batch,
    permit_stored,
    permit_values,
    store,
)
from conformance.requests import Topic
from conformance.session import Session, preparing
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

IN_FLIGHT = 5
INIT_PRODUCER_ID_TIMEOUT_MS = 60000

# PROD-01


def init_producer_id(session: Session) -> Struct:
    """An answer of InitProducerId that is no longer one of a broker without ids."""
    passing = {ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_NOT_AVAILABLE}
    answers: list[Struct] = []

    def answered() -> bool:
        client = session.connect()
        answers.append(
            client.call(
                "InitProducerId",
                transactional_id=None,
                transaction_timeout_ms=INIT_PRODUCER_ID_TIMEOUT_MS,
            )
        )
        client.close()
        return answers[-1].error_code not in passing

    session.poll_until(answered, "the broker has producer ids to give")
    return answers[-1]


@check("PROD-01", apis=("InitProducerId",))
def producer_ids_are_given_out_once(session: Session) -> None:
    """Every InitProducerId without a transactional id gets another producer id, and epoch 0."""
    answers = [init_producer_id(session) for _ in range(5)]
    for answer in answers:
        session.permit(
            "the error code",
            answer.error_code,
            {ErrorCode.NONE},
            "Every producer may ask for an id.",
        )
        session.permit("the epoch", answer.producer_epoch, [0], "A fresh id begins at epoch 0.")
        session.permit(
            "the producer id",
            answer.producer_id,
            Condition("0 or more", lambda id_: id_ >= 0),
            "-1 means that there is none.",
        )
    ids = [answer.producer_id for answer in answers]
    session.permit(
        "the producer ids",
        ids,
        Condition("all different", lambda ids: len(set(ids)) == len(ids)),
        "Two producers with one id would take each other's batches for duplicates.",
    )


@check("PROD-01", apis=("InitProducerId",), needs=("restart",))
def producer_ids_are_fresh_after_a_restart(session: Session) -> None:
    """A producer id that was given out before a restart is not given out after it."""
    before = {init_producer_id(session).producer_id for _ in range(3)}
    session.restart()
    session.permit(
        "a producer id after the restart",
        init_producer_id(session).producer_id,
        Condition(f"none of {sorted(before)}", lambda id_: id_ not in before),
        "An id was never given out before in this cluster.",
    )


# PROD-05 and PROD-06


@check("PROD-05", apis=("Produce", "InitProducerId"))
def an_older_epoch_is_fenced(session: Session) -> None:
    """A batch with a lower producer epoch than the partition has seen is refused."""
    topic, (producer_id, epoch) = session.create_topic(), session.new_producer()
    store(session, topic, (producer_id, epoch), 0, [b"old"])
    store(session, topic, (producer_id, epoch + 1), 0, [b"new"])
    answer = session.produce(topic, batch((producer_id, epoch), 1, [b"zombie"]))
    session.permit(
        "the error code",
        answer.error_code,
        {ErrorCode.INVALID_PRODUCER_EPOCH},
        "The partition has seen a higher epoch of this producer id.",
    )
    permit_values(session, topic, [b"old", b"new"], "A fenced producer appends nothing.")


@check("PROD-05", apis=("Produce", "InitProducerId"))
def a_duplicate_from_an_older_epoch_is_fenced(session: Session) -> None:
    """A resend is refused too when its producer epoch is no longer the highest."""
    topic, (producer_id, epoch) = session.create_topic(), session.new_producer()
    store(session, topic, (producer_id, epoch), 0, [b"old"])
    store(session, topic, (producer_id, epoch + 1), 0, [b"new"])
    answer = session.produce(topic, batch((producer_id, epoch), 0, [b"old"]))
    session.permit(
        "the error code",
        answer.error_code,
        {ErrorCode.INVALID_PRODUCER_EPOCH},
        "An older epoch is fenced before duplicates are looked for.",
    )


@check("PROD-06", apis=("Produce", "InitProducerId"))
def a_new_epoch_cannot_begin_later_than_zero(session: Session) -> None:
    """The first batch of a higher epoch is refused if its sequence is not 0."""
    topic, (producer_id, epoch) = session.create_topic(), session.new_producer()
    store(session, topic, (producer_id, epoch), 0, [b"old"])
    for sequence in (1, 7):
        answer = session.produce(topic, batch((producer_id, epoch + 1), sequence, [b"late"]))
        session.permit(
            f"the error code for sequence {sequence}",
            answer.error_code,
            {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER},
            "A new epoch begins at sequence 0.",
        )
    permit_values(session, topic, [b"old"], "A refused batch is not appended.")


@check("PROD-06", apis=("Produce", "InitProducerId"))
def sequence_zero_of_a_new_epoch_is_no_duplicate(session: Session) -> None:
    """Sequence 0 of a higher epoch is stored although the former epoch had a sequence 0."""
    topic, (producer_id, epoch) = session.create_topic(), session.new_producer()
    store(session, topic, (producer_id, epoch), 0, [b"old"])
    answer = session.produce(topic, batch((producer_id, epoch + 1), 0, [b"new"]))
    permit_stored(session, answer, 1, "It is the first batch of its epoch.")
    permit_values(session, topic, [b"old", b"new"], "Duplicates have equal epochs.")


# PROD-07


@check("PROD-07", apis=("Produce", "InitProducerId"))
def an_unknown_producer_may_begin_anywhere(session: Session) -> None:
    """The first batch of a producer id in a partition may have any epoch and sequence."""
    topic = session.create_topic()
    for offset, (epoch, sequence) in enumerate(((0, 42), (3, 0), (7, LAST_SEQUENCE))):
        producer_id, _ = session.new_producer()
        answer = session.produce(topic, batch((producer_id, epoch), sequence))
        permit_stored(
            session, answer, offset, "The partition may have forgotten what came before."
        )


@check("PROD-07", apis=("Produce", "InitProducerId"))
def an_unknown_producer_is_followed_from_where_it_began(session: Session) -> None:
    """The batch after the first one of an unknown producer has to follow it."""
    topic, producer = session.create_topic(), session.new_producer()
    store(session, topic, producer, 42, [b"a", b"b"])
    gap = session.produce(topic, batch(producer, 45, [b"early"]))
    session.permit(
        "the error code for sequence 45",
        gap.error_code,
        {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER},
        "Sequence 44 comes next.",
    )
    follower = session.produce(topic, batch(producer, 44, [b"c"]))
    permit_stored(session, follower, 2, "Sequence 44 comes next.")


@check("PROD-07", apis=("Produce", "InitProducerId"))
def a_negative_sequence_is_invalid(session: Session) -> None:
    """A batch with a producer id and a negative sequence is refused with INVALID_RECORD."""
    topic, producer = session.create_topic(), session.new_producer()
    for sequence in (-1, -5):
        answer = session.produce(topic, batch(producer, sequence))
        session.permit(
            f"the error code for sequence {sequence}",
            answer.error_code,
            {ErrorCode.INVALID_RECORD},
            "Sequence numbers count from 0.",
        )
    permit_values(session, topic, [], "A refused batch is not appended.")


# PROD-08


def permit_remembered(session: Session, topic: Topic, producer: Producer, then: Struct) -> None:
    """Judge that the batch with sequences 0 and 1, and nothing later, is remembered."""
    again = session.produce(topic, batch(producer, 0, [b"a", b"b"]))
    permit_stored(session, again, then.base_offset, "The producer is still remembered.")
    gap = session.produce(topic, batch(producer, 5, [b"early"]))
    session.permit(
        "the error code for sequence 5",
        gap.error_code,
        {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER},
        "The producer is still remembered, and its sequence 2 comes next.",
    )
    follower = session.produce(topic, batch(producer, 2, [b"c"]))
    permit_stored(session, follower, then.base_offset + 2, "Sequence 2 comes next.")


@check("PROD-08", apis=("Produce", "InitProducerId", "DeleteRecords"))
def a_producer_outlives_its_deleted_records(session: Session) -> None:
    """A producer is remembered when DeleteRecords has removed all that it wrote."""
    topic, producer = session.create_topic(), session.new_producer()
    first = store(session, topic, producer, 0, [b"a", b"b"])
    session.produce(topic, [b"of somebody else"])
    partitions = [{"partition_index": 0, "offset": 2}]
    topics = [{"name": topic.name, "partitions": partitions}]
    with preparing("deleting the records"):
        deleted = session.leader(topic).call("DeleteRecords", topics=topics, timeout_ms=5000)
    if deleted.topics[0].partitions[0].error_code != ErrorCode.NONE:
        session.inconclusive("the records could not be deleted")
    again = session.produce(topic, batch(producer, 0, [b"a", b"b"]))
    permit_stored(session, again, first.base_offset, "Its last batch is remembered without data.")
    permit_values(session, topic, [b"of somebody else"], "A resend appends nothing.", offset=2)


@check("PROD-08", apis=("Produce", "InitProducerId"), needs=("restart",))
def a_producer_is_remembered_over_a_restart(session: Session) -> None:
    """After a restart resends are recognised, gaps refused, and the next batch is stored."""
    topic, producer = session.create_topic(), session.new_producer()
    first = store(session, topic, producer, 0, [b"a", b"b"])
    session.restart()
    permit_remembered(session, topic, producer, first)


@check("PROD-08", apis=("Produce", "InitProducerId"), needs=("kill",))
def a_producer_is_remembered_over_a_crash(session: Session) -> None:
    """What the log shows of a producer after a crash is remembered of it."""
    topic, producer = session.create_topic(), session.new_producer()
    first = store(session, topic, producer, 0, [b"a", b"b"])
    session.crash()
    if session.read(topic).values != [b"a", b"b"]:
        session.inconclusive("the records were lost in the crash, so nothing need be remembered")
    permit_remembered(session, topic, producer, first)


# PROD-14


@check("PROD-14", apis=("Produce",))
def batches_sent_ahead_are_appended_in_order(session: Session) -> None:
    """Batches sent one after the other on one connection stand in the log in that order."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    values = [b"%d" % number for number in range(20)]
    for value in values:
        client.send("Produce", **requests.produce(topic, {0: [value]}))
    offsets = []
    for _ in values:
        answer = client.receive(demanded="Each Produce with acks=-1 is answered.")
        offsets.append(answer.responses[0].partition_responses[0].base_offset)
    session.permit(
        "the base offsets in the order of sending",
        offsets,
        [list(range(len(values)))],
        "Batches of one connection are appended in the order in which they were sent.",
    )
    permit_values(session, topic, values, "The log has the order of sending.")


@check("PROD-14", apis=("Produce",))
def acknowledged_batches_keep_their_order(session: Session) -> None:
    """A batch sent after the former one was acknowledged stands behind it, on any connection."""
    topic = session.create_topic()
    clients = [session.connect(near=session.leader(topic)) for _ in range(3)]
    values = [b"%d" % number for number in range(9)]
    for number, value in enumerate(values):
        fields = requests.produce(topic, {0: [value]}, acks=1 if number % 2 else -1)
        answer = clients[number % len(clients)].call("Produce", **fields)
        if answer.responses[0].partition_responses[0].error_code != ErrorCode.NONE:
            session.inconclusive(f"batch {number} was refused")
    permit_values(session, topic, values, "Each was sent when the one before was acknowledged.")


@check("PROD-14", apis=("Produce", "InitProducerId"))
def idempotent_batches_in_flight_are_all_stored(session: Session) -> None:
    """Five idempotent batches in flight on one connection are stored, each once and in order."""
    topic, producer = session.create_topic(), session.new_producer()
    client = session.connect(near=session.leader(topic))
    values = [b"%d" % number for number in range(IN_FLIGHT)]
    for number, value in enumerate(values):
        data = batch(producer, number, [value])
        client.send("Produce", **requests.produce(topic, {0: data}))
    for number in range(IN_FLIGHT):
        answer = client.receive(demanded="Each Produce with acks=-1 is answered.")
        permit_stored(
            session,
            answer.responses[0].partition_responses[0],
            number,
            "The batches came in order, so no sequence is missing.",
        )
    permit_values(session, topic, values, "The log has the order of sending.")
