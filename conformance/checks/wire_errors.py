"""WIRE: what versions of ListOffsets mean, and where errors stand."""

from conformance import requests
from conformance.appends import now_ms
from conformance.check import check
from conformance.judge import Condition
from conformance.offsets import fetch_offset
from conformance.outcomes import error_codes
from conformance.session import Session
from conformance.well_formed import ADMINISTRATION, CLUSTER, DATA, GROUPS, World
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode

NOWHERE = 99
IN_PLACE = "An error of one partition stands in the answer for it, the others being served."


# WIRE-15


@check("WIRE-15", apis=("ListOffsets 1+",))
def every_version_finds_the_first_record_of_a_time(session: Session) -> None:
    """ListOffsets 1 and above finds the first record with a timestamp or a later one."""
    # Not long ago: what is older than the retention time of a topic may be gone at once.
    topic, begin = session.create_topic(), now_ms() - 1000
    records = [Record(value=b"x", timestamp=begin + 10 * n) for n in range(5)]
    if session.produce(topic, build_batch(records)).error_code != ErrorCode.NONE:
        session.inconclusive("the batch was refused")
    for version in session.broker.versions["ListOffsets"]:
        for timestamp, wanted in (
            (begin + 20, (2, begin + 20)),
            (begin + 21, (3, begin + 30)),
            (begin + 41, (-1, -1)),
        ):
            got = session.list_offset(topic, timestamp, version=version)
            session.permit(
                f"offset and timestamp by version {version} for {timestamp}",
                (got.offset, got.timestamp),
                [wanted],
                "It is the first record with this timestamp or a later one; -1 if there is none.",
            )


@check("WIRE-15", apis=("ListOffsets 1+",))
def every_version_finds_both_ends(session: Session) -> None:
    """ListOffsets 1 and above tells the beginning and the end of the log, with timestamp -1."""
    topic = session.create_topic()
    session.produce(topic, [b"a", b"b", b"c"])
    session.read(topic, count=3)
    for version in session.broker.versions["ListOffsets"]:
        for timestamp, offset in ((requests.EARLIEST, 0), (requests.LATEST, 3)):
            got = session.list_offset(topic, timestamp, version=version)
            session.permit(
                f"offset and timestamp by version {version} for {timestamp}",
                (got.offset, got.timestamp),
                [(offset, -1)],
                "-2 asks for the beginning and -1 for the end; neither is about a time.",
            )


@check("WIRE-15", apis=("ListOffsets 1+",))
def newer_special_times_need_newer_versions(session: Session) -> None:
    """A special timestamp in a version that does not know it gets UNSUPPORTED_VERSION."""
    topic = session.create_topic()
    session.produce(topic, [b"a"])
    for version in session.broker.versions["ListOffsets"]:
        for timestamp, since in ((-3, 7), (-4, 8), (-5, 9)):
            if version < since:
                session.permit(
                    f"the error code by version {version} for {timestamp}",
                    session.list_offset(topic, timestamp, version=version).error_code,
                    {ErrorCode.UNSUPPORTED_VERSION},
                    f"Version {since} is the first that knows it.",
                )


# WIRE-13


@check("WIRE-13", apis=("Fetch",))
def a_bad_partition_does_not_fail_a_fetch(session: Session) -> None:
    """Fetch reports the error of one partition there, and serves the others."""
    topic = session.create_topic(partitions=2)
    session.produce(topic, [b"a"])
    session.read(topic, count=1)
    offsets = {0: 0, 1: 1000}
    answer = session.leader(topic).call("Fetch", **requests.fetch(topic, offsets))
    if session.leader(topic, 1) is not session.leader(topic):
        session.inconclusive("the partitions have different leaders")
    session.permit(
        "the error code of the whole request", answer.error_code, {ErrorCode.NONE}, IN_PLACE
    )
    got = {p.partition_index: p for t in answer.responses for p in t.partitions}
    session.permit(
        "the error codes of the partitions",
        [got[index].error_code for index in sorted(got)],
        [[ErrorCode.NONE, ErrorCode.OFFSET_OUT_OF_RANGE]],
        IN_PLACE,
    )
    session.permit(
        "whether the good partition has records", bool(got[0].records), [True], IN_PLACE
    )


@check("WIRE-13", apis=("ListOffsets",))
def a_bad_partition_does_not_fail_list_offsets(session: Session) -> None:
    """ListOffsets reports a partition that does not exist there, and serves the others."""
    topic = session.create_topic()
    fields = requests.list_offsets(topic, {0: requests.LATEST, NOWHERE: requests.LATEST})
    answer = session.leader(topic).call("ListOffsets", **fields)
    got = {(p.partition_index, p.error_code) for t in answer.topics for p in t.partitions}
    wanted = [(0, ErrorCode.NONE), (NOWHERE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
    session.permit("the error codes by partition", sorted(got), [wanted], IN_PLACE)


@check("WIRE-13")
def a_missing_topic_does_not_fail_metadata(session: Session) -> None:
    """Metadata reports a topic that does not exist there, and tells of the others."""
    topic, missing = session.create_topic(), session.name("missing")
    answer = session.broker.call(
        "Metadata",
        topics=[{"name": topic.name}, {"name": missing}],
        allow_auto_topic_creation=False,
    )
    session.permit(
        "the error codes by topic",
        {found.name: found.error_code for found in answer.topics},
        [{topic.name: ErrorCode.NONE, missing: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}],
        IN_PLACE,
    )


@check("WIRE-13", apis=("OffsetCommit 2-9", "OffsetFetch"))
def a_bad_partition_does_not_fail_a_commit(session: Session) -> None:
    """OffsetCommit reports a topic that does not exist there, and stores the others' offsets."""
    topic, missing, group = session.create_topic(), session.name("missing"), session.group_name()
    client = session.coordinator(group)
    partitions = [{"partition_index": 0, "committed_offset": 1}]
    answer = client.call(
        "OffsetCommit",
        client.version("OffsetCommit", at_most=9),
        group_id=group,
        topics=[{"name": name, "partitions": partitions} for name in (topic.name, missing)],
    )
    session.permit(
        "the error codes by topic",
        {found.name: found.partitions[0].error_code for found in answer.topics},
        [{topic.name: ErrorCode.NONE, missing: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}],
        IN_PLACE,
    )
    stored = fetch_offset(session, group, topic).committed_offset
    session.permit("the offset of the topic that exists", stored, [1], IN_PLACE)


@check("WIRE-13")
def error_codes_are_those_of_the_protocol(session: Session) -> None:
    """Every error code in the answers to all kinds of requests is one of the protocol."""
    world = World(session)
    for api, fields in {**DATA, **GROUPS, **ADMINISTRATION, **CLUSTER}.items():
        if api in session.broker.versions:
            client = session.connect()
            client.send(api, **fields(world))
            answer = client.receive_or_close()  # whether it answers at all is WIRE-08's
            session.permit(
                f"the error codes in the answer to {api}",
                sorted(set(error_codes(answer))),
                Condition("codes of the table", lambda codes: set(codes) <= set(ErrorCode)),
                "A client can act upon no other.",
            )
