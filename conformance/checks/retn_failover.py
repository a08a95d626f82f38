"""RETN: what retention and DeleteRecords did, as the next leader of a partition has it."""

from conformance import appends, cluster, failover
from conformance.check import check
from conformance.checks.retn_limits import FOR_AN_HOUR, IN_SEGMENTS, segment, start
from conformance.judge import at_least
from conformance.session import Session
from spec.wire.errors import ErrorCode

FAULTS = ("faults",)


@check("RETN-04", apis=("DeleteRecords", "ListOffsets", "Produce"), needs=FAULTS)
def deleted_records_stay_deleted_with_the_next_leader(session: Session) -> None:
    """What DeleteRecords has answered holds when another replica leads."""
    topic = cluster.placed(session, cluster.three(session))
    appends.store(session, topic, *[[b"a"]] * 5)
    appends.cut(session, topic, 3)
    failover.without_leader(session, topic)
    session.permit(
        "the log start offset",
        start(session, topic),
        at_least(3),
        "What DeleteRecords has answered stays deleted.",
    )


@check("RETN-10", apis=("ListOffsets", "Produce", "Fetch"), needs=FAULTS)
def the_next_leader_has_what_retention_left(session: Session) -> None:
    """After retention the next leader has what remained, with the same offsets and values."""
    brokers = cluster.three(session)
    topic = cluster.placed(session, brokers, configs={**FOR_AN_HOUR, **IN_SEGMENTS})
    appends.store(session, topic, segment(2, b"0"), segment(0, b"1"), segment(0, b"2"))
    session.poll_until(lambda: start(session, topic) == 1, "the oldest segment is deleted")
    failover.without_leader(session, topic)
    code = session.fetch(topic, 1, max_wait_ms=20).error_code
    because = "Retention does not change what remains."
    session.permit("the error code at offset 1", code, {ErrorCode.NONE}, because)
    records = session.read(topic, 1, count=2).records
    session.permit(
        "the offsets and how the values begin",
        [(record.offset, (record.value or b"")[:1]) for record in records],
        [[(1, b"1"), (2, b"2")]],
        because,
    )
