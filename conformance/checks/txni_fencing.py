"""TXNI: who may act for a transactional id: newcomers, predecessors and strangers."""

from collections.abc import Iterator

from conformance.check import check
from conformance.client import Client
from conformance.judge import other_than
from conformance.requests import LATEST, Fields, Topic
from conformance.session import Session
from conformance.settings import broker_number
from conformance.transactions import (
    COMMITTED,
    TV1_APIS,
    TV2,
    TV2_APIS,
    Transactional,
    last_stable_offset,
    later_than,
    markers,
    producer,
)
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

GREATEST_TIMEOUT_MS = 900_000
CODE_SINCE = 2
"""The version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn from which on an old epoch is
PRODUCER_FENCED."""
INIT_CODE_SINCE = 4
FENCED = {ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH}


def newcomer(of: Transactional) -> Transactional:
    """Another producer with the same transactional id, which fences the first."""
    return producer(of.session, of.protocol, of.name)


# TXNI-01 and TXNI-02: newcomers


@check("TXNI-01", apis=("InitProducerId",))
def a_newcomer_gets_a_higher_epoch(session: Session) -> None:
    """InitProducerId for a known transactional id brings a higher epoch, or a new producer id."""
    former = producer(session)
    for _ in range(3):
        answer = Transactional(session, former.name).init()
        session.permit("the error code", answer.error_code, {ErrorCode.NONE}, "None was open.")
        session.permit(
            "the producer id and the epoch",
            (answer.producer_id, answer.producer_epoch),
            later_than((former.producer_id, former.epoch)),
            "The former process with this transactional id has to be told apart.",
        )
        former.producer_id, former.epoch = answer.producer_id, answer.producer_epoch


@check("TXNI-01", apis=TV1_APIS)
def a_predecessor_is_refused(session: Session) -> None:
    """After a newcomer neither requests nor batches with the earlier epoch are taken."""
    topic = session.create_topic()
    former = producer(session)
    former.prepare_write(topic, [b"former"])
    former.prepare_end(True)
    newcomer(former)
    end = session.list_offset(topic, LATEST).offset
    because = "A newcomer has locked it out."
    codes = {
        "AddPartitionsToTxn": former.add(topic)[0],
        "Produce": former.write(topic, [b"zombie"]).error_code,
        "EndTxn": former.end(True).error_code,
    }
    for api, code in codes.items():
        session.permit(f"the error code of {api}", code, other_than(ErrorCode.NONE), because)
    session.permit("the end of the log", session.list_offset(topic, LATEST).offset, [end], because)


@check("TXNI-01", apis=("InitProducerId 3+",))
def a_producer_that_names_its_epoch_gets_a_higher_one(session: Session) -> None:
    """InitProducerId with the current producer id and epoch brings a higher epoch of that id."""
    current = producer(session)
    answer = current.coordinator.call(
        "InitProducerId", transaction_timeout_ms=current.timeout_ms, **current.identity
    )
    session.permit("the error code", answer.error_code, {ErrorCode.NONE}, "They are current.")
    session.permit(
        "whether the epoch is higher, or the producer id new",
        answer.producer_id != current.producer_id or answer.producer_epoch > current.epoch,
        [True],
        "A producer that names its epoch gets a higher one.",
    )


@check("TXNI-01", apis=("InitProducerId 3+",))
def a_producer_that_names_an_old_epoch_is_fenced(session: Session) -> None:
    """InitProducerId with a producer id and epoch of before two newcomers is refused."""
    former = producer(session)
    newcomer(former)
    newcomer(former)
    for version in session.broker.versions["InitProducerId"]:
        if version >= 3:
            answer = former.coordinator.call(
                "InitProducerId",
                version,
                transaction_timeout_ms=former.timeout_ms,
                **former.identity,
            )
            code = (
                ErrorCode.PRODUCER_FENCED
                if version >= INIT_CODE_SINCE
                else ErrorCode.INVALID_PRODUCER_EPOCH
            )
            session.permit(
                f"the error code of version {version}",
                answer.error_code,
                {code},
                "It is a zombie.",
            )


@check("TXNI-02", apis=TV1_APIS)
def leftovers_are_aborted_before_a_newcomer_begins(session: Session) -> None:
    """A newcomer is put off until what its predecessor left open has been aborted."""
    topic = session.create_topic()
    former = producer(session)
    former.prepare_write(topic, [b"left", b"open"])
    other = Transactional(session, former.name)
    because = "The abort of what was open comes first."

    def answered() -> bool:
        code = other.init().error_code
        permitted = {ErrorCode.NONE, ErrorCode.CONCURRENT_TRANSACTIONS}
        session.permit("the error code", code, permitted, because)
        return bool(code == ErrorCode.NONE)

    session.poll_until(answered, "the newcomer gets an epoch")
    session.permit("the last stable offset", last_stable_offset(session, topic), [3], because)
    session.permit("the markers", markers(session, topic), [[(former.producer_id, 0)]], because)


# TXNI-03 and TXNI-04: what InitProducerId does not take


@check("TXNI-03", apis=("InitProducerId",))
def an_empty_transactional_id_is_refused(session: Session) -> None:
    """InitProducerId with an empty transactional id is refused with INVALID_REQUEST."""
    for version in session.broker.versions["InitProducerId"]:
        answer = session.broker.call(
            "InitProducerId", version, transactional_id="", transaction_timeout_ms=1000
        )
        session.permit(
            f"the error code of version {version}",
            answer.error_code,
            {ErrorCode.INVALID_REQUEST},
            "A transactional id is not empty.",
        )


@check("TXNI-04", apis=("InitProducerId",))
def timeouts_out_of_bounds_are_refused(session: Session) -> None:
    """A transaction timeout of 0, below 0 or above the maximum is refused."""
    client = producer(session).coordinator
    greatest = broker_number(session, "transaction.max.timeout.ms") or GREATEST_TIMEOUT_MS
    for timeout_ms in (0, -1, greatest + 1):
        answer = client.call(
            "InitProducerId",
            transactional_id=session.name("transaction"),
            transaction_timeout_ms=timeout_ms,
        )
        session.permit(
            f"the error code for a timeout of {timeout_ms} ms",
            answer.error_code,
            {ErrorCode.INVALID_TRANSACTION_TIMEOUT},
            f"Timeouts lie between 1 and {greatest} ms.",
        )


@check("TXNI-04", apis=("InitProducerId",))
def the_greatest_timeout_is_taken(session: Session) -> None:
    """A transaction timeout of exactly the maximum is no error."""
    greatest = broker_number(session, "transaction.max.timeout.ms") or GREATEST_TIMEOUT_MS
    found = Transactional(session, session.name("transaction"), timeout_ms=greatest)
    code = found.init().error_code
    session.permit("the error code", code, {ErrorCode.NONE}, "It is not above the maximum.")


# TXNI-05: requests of others


def requests_of(who: Transactional, topic: Topic) -> dict[str, tuple[Fields, int]]:
    """The requests that belong to a transaction, each with the greatest version to be sent."""
    group = who.session.group_name()
    add = {f"v3_and_below_{name}": value for name, value in who.identity.items()}
    partitions = {"v3_and_below_topics": [{"name": topic.name, "partitions": [0]}]}
    return {
        "AddPartitionsToTxn": ({**add, **partitions}, 3),
        "AddOffsetsToTxn": ({**who.identity, "group_id": group}, 4),
        "EndTxn": ({**who.identity, "committed": True}, 4),
    }


def answers(
    client: Client, asked: dict[str, tuple[Fields, int]]
) -> Iterator[tuple[str, int, int]]:
    """Each API with each version, and the error code that it gets."""
    for api, (fields, greatest) in asked.items():
        for version in client.versions[api]:
            if version <= greatest:
                yield api, version, code_of(client.call(api, version, **fields))


def code_of(answer: Struct) -> int:
    """The one error code of an answer to a request of a transaction."""
    if hasattr(answer, "results_by_topic_v3_and_below"):
        (topic,) = answer.results_by_topic_v3_and_below
        return int(topic.results_by_partition[0].partition_error_code)
    return int(answer.error_code)


@check("TXNI-05", apis=(*TV1_APIS, "AddOffsetsToTxn"))
def requests_with_another_epoch_are_refused(session: Session) -> None:
    """An epoch that is not the current one is refused, with the code of the version."""
    topic = session.create_topic()
    former = producer(session)
    current = newcomer(former)
    later = Transactional(session, former.name, producer_id=current.producer_id, epoch=32000)
    for who in (former, later):
        for api, version, code in answers(who.coordinator, requests_of(who, topic)):
            expected = (
                ErrorCode.PRODUCER_FENCED
                if version >= CODE_SINCE
                else ErrorCode.INVALID_PRODUCER_EPOCH
            )
            session.permit(
                f"the error code of {api} {version} with epoch {who.epoch}",
                code,
                {expected},
                f"The current epoch is {current.epoch}.",
            )


@check("TXNI-05", apis=(*TV1_APIS, "AddOffsetsToTxn"))
def requests_with_another_producer_id_are_refused(session: Session) -> None:
    """A producer id that is not that of the transactional id is INVALID_PRODUCER_ID_MAPPING."""
    topic = session.create_topic()
    stranger = producer(session)
    stranger.producer_id += 10_000_000
    for api, version, code in answers(stranger.coordinator, requests_of(stranger, topic)):
        session.permit(
            f"the error code of {api} {version}",
            code,
            {ErrorCode.INVALID_PRODUCER_ID_MAPPING},
            "The transactional id has another producer id.",
        )


@check("TXNI-05", apis=(*TV1_APIS, "AddOffsetsToTxn"))
def requests_for_an_unknown_transactional_id_are_refused(session: Session) -> None:
    """For a transactional id that nobody has initialised it is INVALID_PRODUCER_ID_MAPPING."""
    topic = session.create_topic()
    unknown = Transactional(session, session.name("transaction"), producer_id=1, epoch=0)
    for api, version, code in answers(unknown.coordinator, requests_of(unknown, topic)):
        session.permit(
            f"the error code of {api} {version}",
            code,
            {ErrorCode.INVALID_PRODUCER_ID_MAPPING},
            "Nobody knows this transactional id.",
        )


# TXNI-15: transactions that nobody ends


@check("TXNI-15", apis=TV1_APIS)
def a_forgotten_transaction_is_aborted(session: Session) -> None:
    """A transaction that outlives its timeout is aborted, and its producer refused afterwards."""
    topic = session.create_topic()
    sleeper = Transactional(session, session.name("transaction"), timeout_ms=500)
    sleeper.prepare().prepare_write(topic, [b"forgotten"])
    because = "A transaction that stays open longer than its timeout is aborted."
    session.poll_until(
        lambda: last_stable_offset(session, topic) == 2,
        "the transaction is decided",
        timeout=30,
        demanded=because,
    )
    session.permit("the markers", markers(session, topic), [[(sleeper.producer_id, 0)]], because)
    code = sleeper.end(True).error_code
    session.permit("the error code of EndTxn", code, FENCED, "The producer has slept too long.")
    code = sleeper.add(topic)[0]
    session.permit("the error code of AddPartitionsToTxn", code, FENCED, "It has slept too long.")


@check("TXNI-15", apis=TV2_APIS)
def a_producer_that_slept_is_refused_its_records(session: Session) -> None:
    """Under TV2, too, a batch that comes after the timeout of its transaction is not stored."""
    topic = session.create_topic()
    sleeper = Transactional(session, session.name("transaction"), TV2, timeout_ms=500)
    sleeper.prepare().prepare_write(topic, [b"forgotten"])
    session.poll_until(
        lambda: last_stable_offset(session, topic) == 2,
        "the transaction is decided",
        timeout=30,
        demanded="A transaction that stays open longer than its timeout is aborted.",
    )
    code = sleeper.write(topic, [b"late"]).error_code
    because = "The timeout has raised the epoch."
    session.permit("the error code of Produce", code, FENCED, because)
    read = session.read(topic, isolation_level=COMMITTED)
    session.permit("the values in the log", read.values, [[b"forgotten"]], because)


# TXNI-21: coordinators


@check("TXNI-21", apis=("WriteTxnMarkers", "Produce"))
def a_marker_of_an_earlier_coordinator_is_refused(session: Session) -> None:
    """A marker with a lower coordinator epoch than one seen for the producer id is refused."""
    topic = session.create_topic()
    producer_id, epoch = session.new_producer()
    codes = {}
    for coordinator_epoch in (7, 6):
        marker = {
            "producer_id": producer_id,
            "producer_epoch": epoch,
            "transaction_result": False,
            "topics": [{"name": topic.name, "partition_indexes": [0]}],
            "coordinator_epoch": coordinator_epoch,
        }
        answer = session.leader(topic).call("WriteTxnMarkers", markers=[marker])
        codes[coordinator_epoch] = answer.markers[0].topics[0].partitions[0].error_code
    if codes[7] != ErrorCode.NONE:
        session.inconclusive("the first marker was refused")
    session.permit(
        "the error code of the second marker",
        codes[6],
        other_than(ErrorCode.NONE),
        "A coordinator that was replaced must not decide a transaction of its successor.",
    )
    found = len(markers(session, topic))
    session.permit("the number of markers in the log", found, [1], "The second was refused.")


@check("TXNI-22", apis=("WriteTxnMarkers 2+", *TV2_APIS))
def a_marker_that_comes_again_ends_nothing(session: Session) -> None:
    """The marker of a TV2 transaction, sent once more, leaves the producer's next one open."""
    topic = session.create_topic()
    writer = producer(session, TV2)
    writer.prepare_write(topic, [b"former"])
    writer.prepare_end(True)
    writer.prepare_write(topic, [b"open"])
    stable = last_stable_offset(session, topic)
    marker = {
        "producer_id": writer.producer_id,
        "producer_epoch": writer.epoch,
        "transaction_result": True,
        "topics": [{"name": topic.name, "partition_indexes": [0]}],
        "coordinator_epoch": 1_000,
        "transaction_version": 2,
    }
    answer = session.leader(topic).call("WriteTxnMarkers", markers=[marker])
    because = "Its epoch is the one that the former transaction ended with."
    code = answer.markers[0].topics[0].partitions[0].error_code
    session.permit("the error code", code, other_than(ErrorCode.NONE), because)
    found = last_stable_offset(session, topic)
    session.permit("the last stable offset", found, [stable], because)
