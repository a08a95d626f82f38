"""ELEC: what one broker shows of leader epochs and elections."""

from typing import Any

from conformance import appends, requests, topics
from conformance.check import check
from conformance.judge import at_least
from conformance.requests import LATEST, Fields, Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

PREFERRED, UNCLEAN = 0, 1
NO_EPOCH = -1
UNDEFINED = (-1, -1)
EPOCH_APIS = ("Metadata 7+", "Fetch 9+", "ListOffsets 4+", "OffsetForLeaderEpoch 2+")


def leader_epoch(session: Session, topic: Topic) -> int:
    """The epoch of partition 0 as Metadata tells it."""
    return int(topics.look(session, {"name": topic.name})[0].partitions[0].leader_epoch)


def next_epoch(session: Session, topic: Topic) -> int:
    """The leader epoch of partition 0 after a restart."""
    topics.restart(session, topic)
    return leader_epoch(session, topic)


# ELEC-03: epochs grow


@check("ELEC-03", apis=("Metadata 7+",), needs=("restart",))
def the_leader_epoch_does_not_decrease(session: Session) -> None:
    """After a restart of the leader its epoch is what it was, or larger."""
    topic = session.create_topic()
    before = leader_epoch(session, topic)
    session.permit(
        "the leader epoch after the restart",
        next_epoch(session, topic),
        at_least(before),
        "For one topic id the leader epoch does not decrease.",
    )


# ELEC-09: requests from another epoch


def ask_within(session: Session, topic: Topic, epoch: int) -> dict[str, int]:
    """The error code that each API gives for a request with this current leader epoch."""
    client = session.leader(topic)
    fields: dict[str, Fields] = {
        "Fetch": requests.fetch(topic, {0: 0}, max_wait_ms=20),
        "ListOffsets": requests.list_offsets(topic, {0: LATEST}),
        "OffsetForLeaderEpoch": epoch_query(topic, 0),
    }
    codes = {}
    for api, request in fields.items():
        request["topics"][0]["partitions"][0]["current_leader_epoch"] = epoch
        answer = client.call(api, **request)
        of_topic = answer.responses if api == "Fetch" else answer.topics
        codes[api] = int(of_topic[0].partitions[0].error_code)
    return codes


def permit_codes(session: Session, codes: dict[str, int], error: ErrorCode, because: str) -> None:
    for api, code in codes.items():
        session.permit(f"the error code of {api}", code, {error}, because)


@check("ELEC-09", apis=EPOCH_APIS)
def requests_from_a_later_epoch_are_refused(session: Session) -> None:
    """A current leader epoch that is larger than the broker's gives UNKNOWN_LEADER_EPOCH."""
    topic = session.create_topic()
    codes = ask_within(session, topic, leader_epoch(session, topic) + 1)
    permit_codes(
        session, codes, ErrorCode.UNKNOWN_LEADER_EPOCH, "The broker knows no such epoch yet."
    )


@check("ELEC-09", apis=EPOCH_APIS)
def requests_from_this_epoch_are_served(session: Session) -> None:
    """A current leader epoch that is the broker's, or -1, is no reason to refuse a request."""
    topic = session.create_topic()
    for epoch in (leader_epoch(session, topic), NO_EPOCH):
        permit_codes(
            session, ask_within(session, topic, epoch), ErrorCode.NONE, "The epoch is right."
        )


@check("ELEC-09", apis=EPOCH_APIS, needs=("restart",))
def requests_from_an_earlier_epoch_are_fenced(session: Session) -> None:
    """A current leader epoch that is smaller than the broker's gives FENCED_LEADER_EPOCH."""
    topic = session.create_topic()
    before = leader_epoch(session, topic)
    if next_epoch(session, topic) <= before:
        session.inconclusive("a restart did not raise the leader epoch")
    permit_codes(
        session,
        ask_within(session, topic, before),
        ErrorCode.FENCED_LEADER_EPOCH,
        "The client has to learn of the new epoch first.",
    )


# ELEC-10: where epochs end


def epoch_query(topic: Topic, epoch: int) -> Fields:
    partition = {"partition": 0, "leader_epoch": epoch, "current_leader_epoch": NO_EPOCH}
    return {"replica_id": -1, "topics": [{"topic": topic.name, "partitions": [partition]}]}


def permit_end(session: Session, topic: Topic, epoch: int, end: tuple[int, int]) -> None:
    fields = epoch_query(topic, epoch)
    answer = session.leader(topic).call("OffsetForLeaderEpoch", **fields).topics[0].partitions[0]
    session.permit(
        f"the error code, the epoch and the end offset for epoch {epoch}",
        (answer.error_code, answer.leader_epoch, answer.end_offset),
        [(ErrorCode.NONE, *end)],
        "The answer is the largest epoch that is not above the one asked for, and where it ends.",
    )


@check("ELEC-10", apis=("OffsetForLeaderEpoch 2+", "Metadata 7+", "Produce"))
def the_latest_epoch_ends_where_the_log_ends(session: Session) -> None:
    """OffsetForLeaderEpoch for the leader's own epoch gives the log end offset."""
    topic = session.create_topic()
    epoch = leader_epoch(session, topic)
    permit_end(session, topic, epoch, (epoch, 0))
    appends.store(session, topic, [b"a", b"b"], [b"c"])
    permit_end(session, topic, epoch, (epoch, 3))


@check("ELEC-10", apis=("OffsetForLeaderEpoch 2+", "Metadata 7+", "Produce"))
def an_unknown_epoch_has_no_end(session: Session) -> None:
    """OffsetForLeaderEpoch for an epoch that is still to come, or -1, gives -1 and -1."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"])
    for epoch in (leader_epoch(session, topic) + 1, NO_EPOCH):
        permit_end(session, topic, epoch, UNDEFINED)


@check("ELEC-10", apis=("OffsetForLeaderEpoch 2+", "Metadata 7+", "Produce"), needs=("restart",))
def an_earlier_epoch_ends_where_the_next_begins(session: Session) -> None:
    """OffsetForLeaderEpoch for an epoch that is over gives the first offset of the next."""
    topic = session.create_topic()
    before = leader_epoch(session, topic)
    appends.store(session, topic, [b"a", b"b"])
    if next_epoch(session, topic) <= before:
        session.inconclusive("a restart did not raise the leader epoch")
    appends.store(session, topic, [b"c"])
    permit_end(session, topic, before, (before, 2))


# ELEC-12 and ELEC-13: ElectLeaders


def elect(session: Session, topic: Topic | None, partition: int, kind: int) -> Struct:
    """ElectLeaders for one partition, or for all."""
    asked: list[dict[str, Any]] | None = None
    if topic is not None:
        asked = [{"topic": topic.name, "partitions": [partition]}]
    answer: Struct = session.broker.call(
        "ElectLeaders", election_type=kind, topic_partitions=asked, timeout_ms=5000
    )
    return answer


def permit_election(
    session: Session, topic: Topic, partition: int, kind: int, error: ErrorCode, because: str
) -> None:
    answer = elect(session, topic, partition, kind)
    codes = [
        each.error_code
        for result in answer.replica_election_results
        for each in result.partition_result
    ]
    session.permit("the error codes of the partition", codes, [[error]], because)


@check("ELEC-12", apis=("ElectLeaders",))
def a_preferred_leader_is_not_elected_again(session: Session) -> None:
    """A preferred election where the preferred replica leads gives ELECTION_NOT_NEEDED."""
    topic = session.create_topic()
    because = "The preferred replica leads already."
    permit_election(session, topic, 0, PREFERRED, ErrorCode.ELECTION_NOT_NEEDED, because)


@check("ELEC-12", apis=("ElectLeaders",))
def nobody_is_elected_for_an_unknown_partition(session: Session) -> None:
    """An election for a partition that does not exist gives UNKNOWN_TOPIC_OR_PARTITION."""
    topic = session.create_topic()
    because = "There is no such partition."
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    permit_election(session, topic, 7, PREFERRED, unknown, because)


@check("ELEC-12", apis=("ElectLeaders",))
def an_election_for_all_leaves_out_those_that_need_none(session: Session) -> None:
    """An election for all partitions does not answer for those that need none."""
    topic = session.create_topic()
    answer = elect(session, None, 0, PREFERRED)
    answered = [
        partition.partition_id
        for result in answer.replica_election_results
        if result.topic == topic.name
        for partition in result.partition_result
    ]
    session.permit(
        "the partitions of the topic in the answer",
        answered,
        [[]],
        "Partitions that need no election are left out of the answer.",
    )


@check("ELEC-13", apis=("ElectLeaders 1+",))
def an_unclean_election_is_not_needed_where_somebody_leads(session: Session) -> None:
    """An unclean election for a partition that has a leader gives ELECTION_NOT_NEEDED."""
    topic = session.create_topic()
    because = "The partition has a leader."
    permit_election(session, topic, 0, UNCLEAN, ErrorCode.ELECTION_NOT_NEEDED, because)


@check("ELEC-13", apis=("ElectLeaders 1+",))
def an_unknown_type_of_election_is_refused(session: Session) -> None:
    """A type of election that does not exist is answered with INVALID_REQUEST."""
    topic = session.create_topic()
    answer = elect(session, topic, 0, 9)
    session.permit(
        "the error code",
        answer.error_code,
        {ErrorCode.INVALID_REQUEST},
        "There are preferred and unclean elections.",
    )


# ELEC-14: who is asked in vain


@check("ELEC-14", apis=("Produce", "Fetch", "ListOffsets"))
def a_partition_that_nobody_knows_is_not_led_elsewhere(session: Session) -> None:
    """Produce, Fetch and ListOffsets say that a partition is unknown if no broker has it."""
    topic = session.create_topic()
    client, nowhere = session.leader(topic), topic.partitions + 7
    answers = {
        "Produce": client.call("Produce", **requests.produce(topic, {nowhere: [b"lost"]})),
        "Fetch": client.call("Fetch", **requests.fetch(topic, {nowhere: 0}, max_wait_ms=20)),
        "ListOffsets": client.call("ListOffsets", **requests.list_offsets(topic, {nowhere: -1})),
    }
    codes = {
        "Produce": answers["Produce"].responses[0].partition_responses[0].error_code,
        "Fetch": answers["Fetch"].responses[0].partitions[0].error_code,
        "ListOffsets": answers["ListOffsets"].topics[0].partitions[0].error_code,
    }
    because = "No other broker leads the partition; there is none."
    permit_codes(session, codes, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, because)
