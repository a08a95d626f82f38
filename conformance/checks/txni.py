"""TXNI: how transactions begin and end, and what a transactional batch needs."""

from conformance.check import check
from conformance.judge import other_than
from conformance.requests import LATEST
from conformance.session import Session
from conformance.transactions import (
    ABORT_MARKER,
    COMMIT_MARKER,
    TV1_APIS,
    TV2,
    TV2_APIS,
    Transactional,
    committed_values,
    last_stable_offset,
    later_than,
    markers,
    producer,
)
from spec.wire.errors import ErrorCode, name_of

MARKER = {True: COMMIT_MARKER, False: ABORT_MARKER}


def permit_code(session: Session, what: str, code: int, error: ErrorCode, because: str) -> None:
    session.permit(f"the error code of {what}", code, {error}, because)


# TXNI-06: adding partitions


@check("TXNI-06", apis=TV1_APIS)
def adding_a_partition_again_changes_nothing(session: Session) -> None:
    """AddPartitionsToTxn with partitions that are in it already succeeds; one marker comes."""
    topic = session.create_topic()
    found = producer(session)
    found.prepare_write(topic, [b"a"])
    permit_code(session, "adding again", found.add(topic)[0], ErrorCode.NONE, "It is there.")
    found.prepare_write(topic, [b"b"])
    found.prepare_end(True)
    session.permit(
        "the markers",
        markers(session, topic),
        [[(found.producer_id, COMMIT_MARKER)]],
        "It was one transaction.",
    )


@check("TXNI-06", apis=TV1_APIS)
def with_a_missing_partition_none_is_added(session: Session) -> None:
    """One partition that does not exist is named, and the others are not attempted."""
    topic = session.create_topic(partitions=2)
    found = producer(session)
    session.permit(
        "the error codes by partition",
        {index: name_of(code) for index, code in found.add(topic, 0, 99, 1).items()},
        [
            {
                0: "OPERATION_NOT_ATTEMPTED",
                99: "UNKNOWN_TOPIC_OR_PARTITION",
                1: "OPERATION_NOT_ATTEMPTED",
            }
        ],
        "If one partition of the request does not exist, none is added.",
    )
    code = found.end(True).error_code
    because = "No transaction has begun."
    permit_code(session, "EndTxn", code, ErrorCode.INVALID_TXN_STATE, because)


# TXNI-07 and TXNI-08: ends


@check("TXNI-07", apis=TV1_APIS)
def without_a_transaction_there_is_no_end(session: Session) -> None:
    """EndTxn below version 5 for a new transactional id is refused with INVALID_TXN_STATE."""
    found = producer(session)
    for version in found.coordinator.versions["EndTxn"]:
        if version <= 4:
            for committed in (True, False):
                code = found.end(committed, version).error_code
                what = f"EndTxn {version}, commit {committed}"
                because = "There is nothing to end."
                permit_code(session, what, code, ErrorCode.INVALID_TXN_STATE, because)


@check("TXNI-07", apis=TV2_APIS)
def a_commit_of_nothing_is_refused_under_tv2(session: Session) -> None:
    """EndTxn 5 that asks for a commit without a transaction is refused with INVALID_TXN_STATE."""
    code = producer(session, TV2).end(True).error_code
    because = "There is nothing to commit."
    permit_code(session, "EndTxn", code, ErrorCode.INVALID_TXN_STATE, because)


@check("TXNI-07", apis=TV2_APIS)
def an_abort_of_nothing_raises_the_epoch_under_tv2(session: Session) -> None:
    """EndTxn 5 that asks for an abort without a transaction succeeds and raises the epoch."""
    found = producer(session, TV2)
    before = found.producer_id, found.epoch
    code = found.end(False).error_code
    permit_code(session, "EndTxn", code, ErrorCode.NONE, "Nothing is left afterwards.")
    permit_raised(session, before, found)


def permit_raised(session: Session, before: tuple[int, int], found: Transactional) -> None:
    because = "In TV2 every end raises the epoch."
    got = found.producer_id, found.epoch
    session.permit("the producer id and the epoch in the answer", got, later_than(before), because)


@check("TXNI-08", apis=TV1_APIS)
def ending_twice_is_ending_once(session: Session) -> None:
    """EndTxn again with the same result succeeds, and with the other one is refused."""
    topic = session.create_topic()
    for committed in (True, False):
        found = producer(session)
        found.prepare_write(topic, [b"a"])
        found.prepare_end(committed)
        end = session.list_offset(topic, LATEST).offset
        what = f"the same end again, commit {committed}"
        code = found.end(committed).error_code
        permit_code(session, what, code, ErrorCode.NONE, "The first answer may have been lost.")
        code = found.end(not committed).error_code
        because = "The transaction has ended the other way."
        permit_code(session, "the other end", code, ErrorCode.INVALID_TXN_STATE, because)
        session.permit(
            "the end of the log", session.list_offset(topic, LATEST).offset, [end], because
        )


@check("TXNI-08", apis=TV2_APIS)
def a_repeated_end_brings_the_same_answer_under_tv2(session: Session) -> None:
    """EndTxn 5 again with the former epoch brings the producer id and epoch of the first."""
    topic = session.create_topic()
    for committed in (True, False):
        found = producer(session, TV2)
        found.prepare_write(topic, [b"a"])
        former = found.producer_id, found.epoch
        found.prepare_end(committed)
        current = found.producer_id, found.epoch
        found.producer_id, found.epoch = former
        answer = found.end(committed)
        session.permit(
            "the error code, the producer id and the epoch",
            (answer.error_code, answer.producer_id, answer.producer_epoch),
            [(ErrorCode.NONE, *current)],
            "The first answer may have been lost.",
        )
        found.producer_id, found.epoch = former
        code = found.end(not committed).error_code
        because = "The transaction has ended the other way."
        permit_code(session, "the other end", code, ErrorCode.INVALID_TXN_STATE, because)


@check("TXNI-08", apis=TV2_APIS)
def every_end_raises_the_epoch_under_tv2(session: Session) -> None:
    """EndTxn 5 answers with a higher epoch, and batches with the former one are refused."""
    topic = session.create_topic()
    found = producer(session, TV2)
    for committed in (True, False):
        found.prepare_write(topic, [b"a"])
        before = found.producer_id, found.epoch
        found.prepare_end(committed)
        permit_raised(session, before, found)
        late = Transactional(session, found.name, TV2, *before)
        code = late.write(topic, [b"late"]).error_code
        because = "A batch that comes late must not hit the next transaction."
        session.permit("the error code of Produce", code, other_than(ErrorCode.NONE), because)


# TXNI-09: states


@check("TXNI-09", apis=(*TV1_APIS, "DescribeTransactions"))
def the_states_follow_the_table(session: Session) -> None:
    """The state that is told goes from Empty over Ongoing to a complete end, and on."""
    topic = session.create_topic()
    found = producer(session)
    because = "The state changes as the table says."
    session.permit("the state at first", found.state(), ["Empty"], because)
    for committed, decided in ((True, "Commit"), (False, "Abort")):
        found.prepare_write(topic, [b"a"])
        session.permit("the state after a write", found.state(), ["Ongoing"], because)
        if found.end(committed).error_code != ErrorCode.NONE:
            session.inconclusive("the transaction could not be ended")
        preparing, complete = f"Prepare{decided}", f"Complete{decided}"
        state = found.state()
        session.permit("the state after the end", state, [preparing, complete], because)
        session.poll_until(
            lambda: found.state() != preparing,  # noqa: B023 - called here and now
            "the transaction is complete",
            demanded="All partitions are told of the end.",
        )
        session.permit("the state in the end", found.state(), [complete], because)
    found.prepare()
    session.permit("the state after InitProducerId", found.state(), ["Empty"], because)


# TXNI-10: decisions


@check("TXNI-10", apis=TV1_APIS, needs=("kill",))
def a_decision_survives_a_crash(session: Session) -> None:
    """What EndTxn has answered holds in every partition after the broker was killed at once."""
    topic = session.create_topic(partitions=8)
    ended = {}
    for committed in (True, False):
        found = producer(session)
        for partition in range(topic.partitions):
            found.prepare_write(topic, [str(committed).encode()], partition)
        ended[committed] = found.end(committed).error_code
    if set(ended.values()) != {ErrorCode.NONE}:
        session.inconclusive("the transactions could not be ended")
    session.crash()
    for partition in range(topic.partitions):

        def decided(partition: int = partition) -> bool:
            session.forget_leaders()
            return last_stable_offset(session, topic, partition) == 4

        session.poll_until(
            decided, "the transactions are decided", demanded="A decision is carried out."
        )
        session.permit(
            f"what a consumer gets of partition {partition}",
            committed_values(session, topic, partition),
            [[b"True"]],
            "One transaction was committed and one was aborted.",
        )


# TXNI-11: stray records


@check("TXNI-11", apis=TV1_APIS)
def records_outside_a_transaction_are_refused(session: Session) -> None:
    """A transactional batch for a partition that was not added is refused, and not stored."""
    topic, other = session.create_topic(), session.create_topic()
    found = producer(session)
    found.prepare_write(other, [b"a"])
    for version in session.leader(topic).versions["Produce"]:
        if version <= 11:
            expected = (
                ErrorCode.TRANSACTION_ABORTABLE if version == 11 else ErrorCode.INVALID_TXN_STATE
            )
            code = found.write(topic, [b"stray"], version=version).error_code
            because = "The partition is not part of the transaction."
            permit_code(session, f"Produce {version}", code, expected, because)
    end = session.list_offset(topic, LATEST).offset
    session.permit("the end of the log", end, [0], "Nothing was appended.")


@check("TXNI-11", apis=TV1_APIS)
def records_after_the_end_are_refused(session: Session) -> None:
    """A batch of a transaction that has ended is refused, and the last stable offset moves on."""
    topic = session.create_topic()
    found = producer(session)
    found.prepare_write(topic, [b"a"])
    found.prepare_end(True)
    code = found.write(topic, [b"late"]).error_code
    because = "It would open a transaction that nobody ends."
    session.permit("the error code", code, other_than(ErrorCode.NONE), because)
    session.permit("the last stable offset", last_stable_offset(session, topic), [2], because)


@check("TXNI-11", apis=TV2_APIS)
def the_broker_adds_the_partition_under_tv2(session: Session) -> None:
    """Produce 12 to a partition that nobody added begins a transaction, which has a marker."""
    topic = session.create_topic()
    found = producer(session, TV2)
    code = found.write(topic, [b"a"]).error_code
    permit_code(session, "Produce", code, ErrorCode.NONE, "The broker adds the partition.")
    session.permit(
        "the last stable offset", last_stable_offset(session, topic), [0], "It is open."
    )
    before = found.producer_id
    found.prepare_end(True)
    session.permit(
        "the markers", markers(session, topic), [[(before, COMMIT_MARKER)]], "It took part."
    )


@check("TXNI-11", apis=TV1_APIS)
def plain_batches_within_a_transaction_are_refused(session: Session) -> None:
    """A batch without the transactional bit is refused while its producer has a transaction."""
    topic = session.create_topic()
    found = producer(session)
    found.prepare_write(topic, [b"a"])
    code = found.write(topic, [b"plain"], flags=0).error_code
    because = "The producer id has an open transaction in the partition."
    permit_code(session, "Produce", code, ErrorCode.INVALID_TXN_STATE, because)
    end = session.list_offset(topic, LATEST).offset
    session.permit("the end of the log", end, [1], "Nothing was appended.")
