"""CLUS: the life of a broker that the check plays, and what the others then say of it."""

import uuid

from conformance import cluster, requests
from conformance.check import check
from conformance.client import Client
from conformance.judge import at_least
from conformance.session import Session
from conformance.stand_in import NEEDS, NODE_ID, SECOND_ID, StandIn, playing
from spec.wire.errors import ErrorCode

APIS = ("Metadata",)
NOBODY = -1


def permit_brokers(session: Session, node_id: int, present: bool, because: str) -> None:
    """Judge whether a broker is in the list, when what was decided until now can be seen."""
    cluster.settle(session)
    there = node_id in cluster.alive(session)
    session.permit(f"whether broker {node_id} is listed", there, [present], because)


# CLUS-01 to CLUS-04: registration


@check("CLUS-01", apis=APIS, needs=NEEDS)
def a_broker_of_another_cluster_is_turned_away(session: Session) -> None:
    """A registration that names another cluster id gets INCONSISTENT_CLUSTER_ID, and no epoch."""
    stranger = StandIn(session)
    for foreign in ("", "another-cluster-0000000"):
        answer = stranger.register(cluster_id=foreign)
        because = f"This is no cluster of the id {foreign!r}."
        session.permit(
            "the error code", answer.error_code, {ErrorCode.INCONSISTENT_CLUSTER_ID}, because
        )


@check("CLUS-02", apis=APIS, needs=NEEDS)
def a_second_process_of_one_id_is_refused(session: Session) -> None:
    """While a broker is heard of, another incarnation of its id is a duplicate."""
    with playing(session) as first:
        first.heartbeat()
        answer = first.register(incarnation_id=uuid.uuid4())
        because = "The broker of that id has just been heard of."
        session.permit(
            "the error code", answer.error_code, {ErrorCode.DUPLICATE_BROKER_REGISTRATION}, because
        )
        code = first.heartbeat().error_code
        session.permit("the error code for the first", code, {ErrorCode.NONE}, because)


@check("CLUS-02", apis=APIS, needs=NEEDS)
def a_second_process_is_refused_while_the_first_is_fenced(session: Session) -> None:
    """Also while the first is fenced, as it is until it has caught up, the second is refused."""
    with playing(session) as first:
        first.fence()
        first.heartbeat()
        answer = first.register(incarnation_id=uuid.uuid4())
        because = "The broker of that id is fenced, and has just been heard of."
        session.permit(
            "the error code", answer.error_code, {ErrorCode.DUPLICATE_BROKER_REGISTRATION}, because
        )


@check("CLUS-03", apis=APIS, needs=NEEDS)
def a_new_life_has_a_greater_epoch(session: Session) -> None:
    """The next incarnation of a broker gets a broker epoch above that of the one before."""
    with playing(session) as broker:
        before = broker.epoch
        broker.fence()
        broker.come_back(previous_broker_epoch=before)
        because = f"The epoch of its former life was {before}."
        session.permit("the broker epoch", broker.epoch, at_least(before + 1), because)


@check("CLUS-03", apis=APIS, needs=NEEDS)
def the_same_life_keeps_its_epoch(session: Session) -> None:
    """An incarnation that registers again has the broker epoch that it had."""
    with playing(session) as broker:
        before = broker.epoch
        answer = broker.register()
        session.permit(
            "the error code and the broker epoch",
            (answer.error_code, answer.broker_epoch),
            [(ErrorCode.NONE, before)],
            "It is the same incarnation.",
        )


@check("CLUS-04", apis=APIS, needs=NEEDS)
def heartbeats_of_another_life_are_refused(session: Session) -> None:
    """A heartbeat with another broker epoch gets STALE_BROKER_EPOCH, and fences nobody."""
    with playing(session) as broker:
        for epoch in (broker.epoch - 1, broker.epoch + 1, -1):
            answer = broker.heartbeat(broker_epoch=epoch, want_fence=True)
            because = f"The broker is registered with epoch {broker.epoch}, not {epoch}."
            session.permit(
                "the error code", answer.error_code, {ErrorCode.STALE_BROKER_EPOCH}, because
            )
        permit_brokers(session, NODE_ID, True, "Whoever is refused changes nothing.")


@check("CLUS-04", apis=APIS, needs=NEEDS)
def who_is_not_registered_is_refused(session: Session) -> None:
    """A heartbeat of a broker that never registered gets STALE_BROKER_EPOCH."""
    code = StandIn(session).heartbeat(broker_epoch=1).error_code
    because = f"No broker {NODE_ID} is registered."
    session.permit("the error code", code, {ErrorCode.STALE_BROKER_EPOCH}, because)


@check("CLUS-04", apis=APIS, needs=NEEDS)
def proposals_of_another_life_are_refused(session: Session) -> None:
    """A proposal of in-sync replicas with another broker epoch is refused, and changes nothing."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        topic = leading.led(other, isr=[other])
        for epoch in (leading.epoch - 1, leading.epoch + 1):
            code = leading.propose(topic, NODE_ID, broker_epoch=epoch).error_code
            because = f"The broker is registered with epoch {leading.epoch}, not {epoch}."
            session.permit("the error code", code, {ErrorCode.STALE_BROKER_EPOCH}, because)
        cluster.settle(session)
        isr = cluster.look(session, topic).isr
        session.permit("the in-sync replicas", isr, [[other, NODE_ID]], "Nothing has changed.")


# CLUS-05 to CLUS-07: fencing


@check("CLUS-05", apis=APIS, needs=NEEDS)
def a_silent_broker_is_fenced(session: Session) -> None:
    """A broker that sends no heartbeat any more is listed no more, and leads nothing."""
    other = cluster.three(session)[0]
    with playing(session) as silent:
        topic = silent.led(other, isr=[other])
        because = "Its heartbeats have been missing for longer than broker.session.timeout.ms."
        session.poll_until(
            lambda: NODE_ID not in cluster.alive(session),
            "the silent broker is fenced",
            timeout=cluster.FENCING_S,
            demanded=because,
        )
        leader = cluster.look(session, topic).leader
        session.permit("the leader", leader, [other, NOBODY], because)


@check("CLUS-05", apis=("Metadata 7+",), needs=("faults",))
def a_broker_that_stands_still_is_fenced(session: Session) -> None:
    """A broker that stands still with its connections open loses its leadership to another."""
    first, second, _ = cluster.three(session)
    topic = cluster.placed(session, [first, second])
    before = cluster.look(session, topic)
    session.pause(first)
    because = "It cannot send heartbeats."
    after = cluster.await_leader(session, topic, {second}, because)
    session.permit("the leader epoch", after.epoch, at_least(before.epoch + 1), because)
    cluster.await_fenced(session, first, because)


@check("CLUS-06", apis=APIS, needs=NEEDS)
def a_fenced_follower_is_out_of_sync(session: Session) -> None:
    """Fencing takes a broker out of the in-sync replicas, without a proposal of the leader."""
    with playing(session) as leading, playing(session, SECOND_ID, leading) as follower:
        topic = leading.led(SECOND_ID, isr=[SECOND_ID])
        leading.heartbeat()
        follower.fence()
        because = "There is another replica in sync."
        isr = cluster.look(session, topic).isr
        session.permit("the in-sync replicas", isr, [[NODE_ID]], because)


@check("CLUS-06", apis=APIS, needs=NEEDS)
def fencing_a_leader_makes_another_lead(session: Session) -> None:
    """Once a broker is seen to be fenced, another in-sync replica leads, and it is out of sync."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        topic = leading.led(other, isr=[other])
        leading.fence()
        found = cluster.look(session, topic)
        because = "Both changes are one."
        session.permit(
            "the leader and the in-sync replicas",
            (found.leader, found.isr),
            [(other, [other])],
            because,
        )


@check("CLUS-07", apis=APIS, needs=NEEDS)
def a_broker_that_returns_leads_at_once(session: Session) -> None:
    """A partition without a leader has one when its replica is unfenced."""
    with playing(session) as broker:
        topic = broker.led()
        broker.fence()
        cluster.await_leader(session, topic, {NOBODY})
        broker.unfence()
        because = "The only replica, which was in sync, is alive again."
        cluster.await_leader(session, topic, {NODE_ID}, because)


# CLUS-09 and CLUS-10: what any broker says


@check("CLUS-09", apis=("Metadata", "DescribeCluster"), needs=("cluster",))
def leaders_are_among_the_brokers(session: Session) -> None:
    """Each leader in Metadata is in its list of brokers, and DescribeCluster has the same list."""
    for node_id in cluster.alive(session):
        client = session.node(node_id)
        metadata = client.call("Metadata", topics=None)
        brokers = sorted((each.node_id, each.host, each.port) for each in metadata.brokers)
        led = {part.leader_id for topic in metadata.topics for part in topic.partitions}
        away = sorted(led - {NOBODY, *(each.node_id for each in metadata.brokers)})
        because = "A leader that is named can be reached."
        session.permit("the leaders without an address", away, [[]], because)
        described = client.call("DescribeCluster")
        told = sorted((each.broker_id, each.host, each.port) for each in described.brokers)
        because = "Both name the same brokers."
        session.permit("the brokers of DescribeCluster", told, [brokers], because)


@check("CLUS-09", apis=("Metadata",), needs=NEEDS)
def a_leader_that_is_away_is_not_named(session: Session) -> None:
    """As soon as a broker is not listed any more, no partition names it as its leader."""
    with playing(session) as broker:
        topic = broker.led()
        broker.wants_fence = True
        broker.heartbeat()

        def gone() -> bool:
            answer = session.broker.call("Metadata", topics=[{"name": topic.name}])
            listed = {each.node_id for each in answer.brokers}
            leader = answer.topics[0].partitions[0].leader_id
            because = "Each leader that is named is in the list of brokers."
            session.permit("the leader", leader, [*listed, NOBODY], because)
            return NODE_ID not in listed

        session.poll_until(gone, "the broker is fenced")


@check("CLUS-10", apis=("Metadata 7+",), needs=("cluster",))
def every_broker_tells_of_every_topic(session: Session) -> None:
    """Brokers with and without a replica say the same of a partition, leader and epoch as well."""
    first, second, third = cluster.three(session)
    topic = cluster.placed(session, [first], [second], [third])
    expected = [cluster.look(session, topic, index) for index in range(3)]
    because = "Any broker can be asked about any topic."
    for node_id in (first, second, third):
        client = session.node(node_id)

        def known(client: Client = client) -> bool:
            return all(cluster.look(session, topic, i, client) == expected[i] for i in range(3))

        what = f"broker {node_id} says what the others say"
        session.poll_until(known, what, demanded=because)
        told = client.call("Metadata", topics=[{"name": topic.name}]).topics[0].topic_id
        session.permit("the topic id", told, [topic.id], because)


# CLUS-16: whom to ask for a change


@check("CLUS-16", apis=("Metadata", "CreateTopics"), needs=("cluster",))
def any_broker_can_be_asked_for_a_topic(session: Session) -> None:
    """CreateTopics succeeds at every broker, whichever is the active controller."""
    for node_id in cluster.alive(session):
        name = session.name("topic")
        session.delete_later(name)
        fields = requests.create_topic(name, 1, 1, {})
        code = session.node(node_id).call("CreateTopics", **fields).topics[0].error_code
        because = "A broker that is not the controller passes the request on."
        session.permit(f"the error code at broker {node_id}", code, {ErrorCode.NONE}, because)


@check("CLUS-16", apis=("Metadata", "ElectLeaders"), needs=("cluster",))
def any_broker_can_be_asked_for_an_election(session: Session) -> None:
    """ElectLeaders has the same answer at every broker."""
    for node_id in cluster.alive(session):
        asked = [{"topic": session.name("nothing"), "partitions": [0]}]
        answer = session.node(node_id).call(
            "ElectLeaders", election_type=0, topic_partitions=asked, timeout_ms=5000
        )
        codes = [
            each.error_code
            for result in answer.replica_election_results
            for each in result.partition_result
        ]
        because = "The controller knows that there is no such topic."
        what = f"the error codes at broker {node_id}"
        session.permit(what, codes, [[ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]], because)
