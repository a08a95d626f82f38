"""GRPS: coordinators that are not the only broker, and that go away."""

from conformance import cluster, failover, lookup
from conformance.check import check
from conformance.consumers import APIS as CONSUMER_APIS
from conformance.consumers import consumer
from conformance.groups import assignment_of, stable_group
from conformance.offsets import fetch_offset, prepare_offset
from conformance.requests import Fields
from conformance.session import Session
from spec.wire.errors import ErrorCode

APIS = ("FindCoordinator", "OffsetCommit", "OffsetFetch")
GROUPS = 6
"""So many that their coordinators are different brokers, most probably."""
JOINED = ("JoinGroup", "SyncGroup", "Heartbeat", "FindCoordinator")


@check("GRPS-27", apis=("FindCoordinator",), needs=("cluster",))
def every_broker_names_the_same_coordinator(session: Session) -> None:
    """In a cluster at rest all brokers name the same coordinator of a group."""
    brokers = cluster.three(session)
    for _ in range(GROUPS):
        group = session.group_name()
        expected = failover.coordinator_of(session, group)
        for broker in brokers:
            answer = failover.find(session, group, asked=session.node(broker))
            session.permit(
                f"the error code and the coordinator that broker {broker} names",
                (answer.error_code, answer.node_id),
                [(ErrorCode.NONE, expected)],
                "They all know who leads the partition of the group.",
            )


@check("GRPS-27", apis=("FindCoordinator",), needs=("faults",))
def another_broker_is_named_when_the_coordinator_has_gone(session: Session) -> None:
    """When the coordinator has stopped, the others soon agree on one that accepts requests."""
    group = session.group_name()
    prepare_offset(session, group, session.create_topic(), 3)
    former = failover.coordinator_of(session, group)
    session.stop_node(former)
    failover.await_another(session, former, group)
    named = {
        int(failover.find(session, group, asked=session.node(broker)).node_id)
        for broker in cluster.alive(session)
        if broker != former
    }
    session.permit("how many brokers are named", len(named), [1], "The others agree.")
    client = session.node(*named)
    session.poll_until(
        lambda: lookup.coordinator_has_loaded(client, group, lookup.GROUP),
        "the broker accepts requests for the group",
        timeout=session.patience,
        demanded="The broker that is named accepts the group's requests.",
    )


@check("GRPS-19", apis=(*APIS, "Heartbeat", "LeaveGroup", "SyncGroup"), needs=("cluster",))
def other_brokers_do_not_act_for_a_group(session: Session) -> None:
    """Requests for a group at a broker that does not coordinate it get NOT_COORDINATOR."""
    topic, group = session.create_topic(), session.group_name()
    coordinator = failover.coordinator_of(session, group)
    partition = {"partition_index": 0, "committed_offset": 1}
    commit: Fields = {
        "generation_id_or_member_epoch": -1,
        "topics": [{"name": topic.name, "topic_id": topic.id, "partitions": [partition]}],
    }
    member: Fields = {"group_id": group, "member_id": "nobody", "generation_id": 1}
    protocol: Fields = {"protocol_type": "consumer", "protocol_name": "range"}
    for broker in cluster.alive(session):
        if broker == coordinator:
            continue
        client = session.node(broker)
        answer = client.call("OffsetCommit", group_id=group, **commit)
        codes = {
            "OffsetCommit": answer.topics[0].partitions[0].error_code,
            "Heartbeat": client.call("Heartbeat", **member).error_code,
            "SyncGroup": client.call("SyncGroup", **member, **protocol).error_code,
        }
        for api, code in codes.items():
            session.permit(
                f"the error code of {api}",
                code,
                {ErrorCode.NOT_COORDINATOR},
                f"Broker {coordinator} coordinates the group.",
            )


@check("GRPS-19", apis=(*APIS, "OffsetFetch 7+"), needs=("faults",))
def offsets_survive_their_coordinator(session: Session) -> None:
    """After the coordinator was killed the next one returns every offset that was committed."""
    topic = session.create_topic()
    groups = [session.group_name() for _ in range(3)]
    for number, group in enumerate(groups):
        prepare_offset(session, group, topic, 3)
        prepare_offset(session, group, topic, 10 + number)
    failover.take_away(session, groups[0], how=session.kill)
    for number, group in enumerate(groups):
        got = fetch_offset(session, group, topic, require_stable=True).committed_offset
        because = "That was the last commit, and it was acknowledged."
        session.permit(f"the offset of group {number}", got, [10 + number], because)


@check("GRPS-19", apis=JOINED, needs=("faults",))
def members_survive_their_coordinator(session: Session) -> None:
    """Members are in the group of the next coordinator, with generation and assignment."""
    members = stable_group(session, 2)
    failover.take_away(session, members[0].group)
    because = "Members that were in the group find themselves in it."
    for member in members:
        member.client = session.connect(near=session.coordinator(member.group))
        session.permit(
            "the error code of Heartbeat", member.heartbeat(), {ErrorCode.NONE}, because
        )
        member.send_sync()
        answer = member.receive_sync()
        session.permit(
            "the error code of SyncGroup and the assignment",
            (answer.error_code, bytes(answer.assignment)),
            [(ErrorCode.NONE, assignment_of(member))],
            because,
        )


@check("GRPS-19", apis=(*CONSUMER_APIS, "FindCoordinator"), needs=("faults",))
def consumers_survive_their_coordinator(session: Session) -> None:
    """Members of the consumer protocol keep epoch and partitions with the next coordinator."""
    found = consumer(session, session.group_name(), session.create_topic(partitions=2), owns=2)
    before = found.epoch, found.assigned
    failover.take_away(session, found.group)
    because = "Members that were in the group find themselves in it."
    for _ in range(3):
        code = found.heartbeat(found.assigned).error_code
        session.permit("the error code", code, {ErrorCode.NONE}, because)
        got = found.epoch, found.assigned
        session.permit("the member epoch and its partitions", got, [before], because)
