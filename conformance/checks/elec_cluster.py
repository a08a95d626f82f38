"""ELEC: who leads next when a leader goes, seen by a leader that the check plays."""

from conformance import cluster, requests
from conformance.check import check
from conformance.checks.elec import PREFERRED, UNCLEAN, elect, permit_election
from conformance.judge import at_least
from conformance.requests import LATEST, Topic
from conformance.session import Session
from conformance.stand_in import NEEDS, NODE_ID, SECOND_ID, StandIn, playing
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

APIS = ("Metadata 7+",)
ELECTING = ("Metadata 7+", "ElectLeaders 1+")
DESCRIBING = ("Metadata 7+", "DescribeTopicPartitions")
NOBODY = -1
RECOVERING = 1
DEBUGGER = -2
"""The replica id to which ListOffsets tells the end of any replica's log."""


def permit_leader(session: Session, topic: Topic, leader: int, because: str) -> None:
    """Judge who leads, when everything that was decided until now can be seen."""
    cluster.settle(session)
    session.permit("the leader", cluster.look(session, topic).leader, [leader], because)


def eligible(session: Session, topic: Topic) -> Struct:
    """What a broker knows of a partition, with those who are eligible besides the in-sync."""
    answer = session.broker.call("DescribeTopicPartitions", topics=[{"name": topic.name}])
    found: Struct = answer.topics[0].partitions[0]
    return found


def await_eligible(session: Session, stand_in: StandIn, topic: Topic, *nodes: int) -> None:
    """Wait until these are eligible; not applicable in a cluster without the feature."""
    stand_in.await_while_alive(
        lambda: cluster.look(session, topic).leader == NOBODY, "nobody leads"
    )
    found = sorted(eligible(session, topic).eligible_leader_replicas or ())
    if found != sorted(nodes):
        session.not_applicable(f"{nodes} ought to be eligible now, and it is {found}")


# ELEC-01 and ELEC-02: clean elections


@check("ELEC-01", apis=APIS, needs=NEEDS)
def the_next_leader_is_in_sync(session: Session) -> None:
    """When a leader goes, one that is in sync leads next, and none that is not."""
    first, second, _ = cluster.three(session)
    with playing(session) as leading:
        topic = leading.led(first, second, isr=[second])
        leading.fence()
        leader = cluster.await_leader(session, topic, {first, second, NOBODY}).leader
        because = f"Broker {first} is alive, and not in sync."
        session.permit("the next leader", leader, [second], because)


@check("ELEC-01", apis=APIS, needs=NEEDS)
def without_a_candidate_there_is_no_leader(session: Session) -> None:
    """A partition whose only replica is away has no leader: -1, LEADER_NOT_AVAILABLE."""
    with playing(session) as leading:
        topic = leading.led()
        leading.fence()
        found = cluster.await_leader(session, topic, {NOBODY}, "Nobody else has a replica.")
        because = "That nobody leads is no error of the broker."
        session.permit(
            "the error code", found.error_code, {ErrorCode.LEADER_NOT_AVAILABLE}, because
        )


@check("ELEC-01", apis=DESCRIBING, needs=NEEDS)
def when_none_is_in_sync_an_eligible_replica_leads(session: Session) -> None:
    """Where the in-sync replicas are empty, the first eligible one that comes back leads."""
    with playing(session) as leading, playing(session, SECOND_ID, leading) as other:
        topic = leading.led(SECOND_ID, isr=[SECOND_ID], configs={"min.insync.replicas": "2"})
        other.fence()
        leading.heartbeat()
        leading.fence()
        await_eligible(session, leading, topic, NODE_ID, SECOND_ID)
        other.unfence()
        because = "It has missed nothing that was committed."
        cluster.await_leader(session, topic, {SECOND_ID}, because)


@check("ELEC-02", apis=APIS, needs=NEEDS)
def the_first_valid_candidate_wins(session: Session) -> None:
    """When a leader goes, the next in the list of replicas leads, whatever its id."""
    first, second, _ = cluster.three(session)
    because = "The order of the replicas is what keeps load where the operator put it."
    for replicas in ((first, second), (second, first)):
        with playing(session) as leading:
            topic = leading.led(*replicas, isr=replicas)
            leading.fence()
            leader = cluster.await_leader(session, topic, {first, second, NOBODY}).leader
            session.permit("the next leader", leader, [replicas[0]], because)


def returned(session: Session, preferred: StandIn, other: int) -> Topic:
    """A topic whose preferred replica went, came back, and is in sync; another leads."""
    topic = preferred.led(other, isr=[other])
    preferred.fence()
    cluster.await_leader(session, topic, {other})
    cluster.await_served(session, topic)
    preferred.unfence()
    session.forget_leaders()
    preferred.await_while_alive(
        lambda: (
            preferred.fetch(topic, 0) is not None and NODE_ID in cluster.look(session, topic).isr
        ),
        "the preferred replica is in sync again",
    )
    return topic


@check("ELEC-02", apis=(*APIS, "Fetch"), needs=NEEDS)
def a_valid_leader_stays(session: Session) -> None:
    """When the preferred replica is in sync again, the leader and its epoch stay."""
    other = cluster.three(session)[0]
    with playing(session) as preferred:
        topic = returned(session, preferred, other)
        found = cluster.look(session, topic)
        because = "Nobody asked for a preferred election."
        session.permit("the leader", found.leader, [other], because)


@check("ELEC-02", apis=(*ELECTING, "Fetch"), needs=NEEDS)
def a_preferred_election_gives_the_leadership_back(session: Session) -> None:
    """In a preferred election the preferred replica comes before the current leader."""
    other = cluster.three(session)[0]
    with playing(session) as preferred:
        topic = returned(session, preferred, other)
        because = "The preferred replica is alive and in sync."
        permit_election(session, topic, 0, PREFERRED, ErrorCode.NONE, because)
        cluster.await_leader(session, topic, {NODE_ID}, because)


# ELEC-03 and ELEC-04: epochs


@check("ELEC-03", apis=APIS, needs=NEEDS)
def each_change_of_leader_has_a_new_epoch(session: Session) -> None:
    """The leader epoch grows when another leads, when nobody does, and when one does again."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        moving, sole = leading.led(other, isr=[other]), leading.led()
        epochs = {topic: cluster.look(session, topic).epoch for topic in (moving, sole)}
        leading.fence()
        permit_later_epoch(session, moving, other, epochs)
        permit_later_epoch(session, sole, NOBODY, epochs)
        leading.unfence()
        permit_later_epoch(session, sole, NODE_ID, epochs)


def permit_later_epoch(
    session: Session, topic: Topic, leader: int, epochs: dict[Topic, int]
) -> None:
    found = cluster.await_leader(session, topic, {leader})
    because = f"The leader has changed, to {leader}, since epoch {epochs[topic]}."
    session.permit("the leader epoch", found.epoch, at_least(epochs[topic] + 1), because)
    epochs[topic] = found.epoch


@check("ELEC-04", apis=APIS, needs=NEEDS)
def each_change_of_a_partition_has_a_new_epoch(session: Session) -> None:
    """The partition epoch grows when the in-sync replicas become fewer, and when more."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        topic = leading.led(other, isr=[other])
        epoch = 0
        for isr in ([NODE_ID], [NODE_ID, other]):
            answer = leading.propose(topic, *isr, partition_epoch=epoch)
            if answer.error_code != ErrorCode.NONE:
                session.inconclusive(f"AlterPartition answers {ErrorCode(answer.error_code).name}")
            because = "The in-sync replicas have changed."
            session.permit(
                "the partition epoch", answer.partition_epoch, at_least(epoch + 1), because
            )
            epoch = answer.partition_epoch


# ELEC-05, ELEC-06 and ELEC-13: unclean elections


@check("ELEC-05", apis=APIS, needs=NEEDS)
def who_is_not_in_sync_does_not_lead(session: Session) -> None:
    """Without permission no replica that is out of sync leads, though it is the only one alive."""
    other = cluster.three(session)[0]
    forbidding: dict[str, str | None] = {"unclean.leader.election.enable": "false"}
    with playing(session) as leading:
        by_default, by_name = leading.led(other), leading.led(other, configs=forbidding)
        leading.fence()
        for topic in (by_default, by_name):
            because = "That would be an unclean election, which nobody has permitted."
            cluster.await_leader(session, topic, {NOBODY, other})
            permit_leader(session, topic, NOBODY, because)


@check("ELEC-06", apis=ELECTING, needs=NEEDS)
def after_an_unclean_election_the_leader_is_alone(session: Session) -> None:
    """The in-sync replicas are the leader alone, though another replica is alive."""
    other = cluster.three(session)[0]
    with playing(session) as leading, playing(session, SECOND_ID, leading) as quiet:
        topic = leading.led(other, SECOND_ID)
        quiet.heartbeat()
        leading.fence()
        cluster.await_leader(session, topic, {NOBODY})
        because = f"Broker {other} is alive, and the election may be unclean."
        permit_election(session, topic, 0, UNCLEAN, ErrorCode.NONE, because)
        quiet.heartbeat()
        isr = cluster.await_leader(session, topic, {other}, because).isr
        because = "The others have to follow before they count again."
        session.permit("the in-sync replicas", isr, [[other]], because)


@check("ELEC-06", apis=ELECTING, needs=NEEDS)
def after_an_unclean_election_the_leader_is_recovering(session: Session) -> None:
    """What the controller says of the leader, when it asks, is that it is recovering."""
    with playing(session) as leading, playing(session, SECOND_ID, leading) as other:
        topic = leading.led(SECOND_ID)
        other.heartbeat()
        leading.fence()
        cluster.await_leader(session, topic, {NOBODY})
        elect(session, topic, 0, UNCLEAN)
        other.heartbeat()
        epoch = cluster.await_leader(session, topic, {SECOND_ID}).epoch
        answer = other.propose_now(
            topic, SECOND_ID, leader_epoch=epoch, leader_recovery_state=RECOVERING
        )
        session.permit(
            "the error code and the state",
            (answer.error_code, answer.leader_recovery_state),
            [(ErrorCode.NONE, RECOVERING)],
            "It was so marked by the election, and may say so itself.",
        )


@check("ELEC-13", apis=ELECTING, needs=NEEDS)
def without_a_live_replica_nobody_is_elected(session: Session) -> None:
    """An unclean election where no replica is alive gives ELIGIBLE_LEADERS_NOT_AVAILABLE."""
    with playing(session) as leading:
        topic = leading.led()
        leading.fence()
        cluster.await_leader(session, topic, {NOBODY})
        nobody = ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
        permit_election(session, topic, 0, UNCLEAN, nobody, "The only replica is away.")


@check("ELEC-12", apis=ELECTING, needs=NEEDS)
def a_preferred_replica_that_is_away_is_not_elected(session: Session) -> None:
    """A preferred election while the preferred replica is away changes nothing, and says so."""
    other = cluster.three(session)[0]
    with playing(session) as preferred:
        topic = preferred.led(other, isr=[other])
        preferred.fence()
        before = cluster.await_leader(session, topic, {other})
        because = "The preferred replica is fenced."
        unavailable = ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
        permit_election(session, topic, 0, PREFERRED, unavailable, because)
        permit_leader(session, topic, other, because)
        epoch = cluster.look(session, topic).epoch
        session.permit("the leader epoch", epoch, [before.epoch], "Nothing has changed.")


# ELEC-11, ELEC-14 and ELEC-15


@check(
    "ELEC-11",
    apis=(*ELECTING, "ListOffsets 5+", "Produce", "AlterPartitionReassignments"),
    needs=NEEDS,
)
def a_new_leader_does_not_give_away_an_old_end(session: Session) -> None:
    """A leader whose high watermark is below the start of its epoch tells no latest offset."""
    first, second, _ = cluster.three(session)
    with playing(session) as follower:
        topic = follower.placed(first, second)
        session.produce(topic, [b"a", b"b", b"c"], acks=1)
        follower.await_while_alive(
            lambda: follower.fetch(topic, 0) is not None and end_on(session, topic, second) == 3,
            "the next leader has the records",
        )
        order = [second, first, NODE_ID]
        session.broker.call("AlterPartitionReassignments", **cluster.reassignment(topic, order))
        elect(session, topic, 0, PREFERRED)
        cluster.await_leader(session, topic, {second})
        session.forget_leaders()
        follower.await_while_alive(
            lambda: (
                session.list_offset(topic, LATEST).error_code != ErrorCode.NOT_LEADER_OR_FOLLOWER
            ),
            "the next leader knows that it leads",
        )
        answer = session.list_offset(topic, LATEST)
        because = "A follower in sync has not yet been heard of in this epoch."
        permitted = {ErrorCode.OFFSET_NOT_AVAILABLE}
        session.permit("the error code", answer.error_code, permitted, because)


def end_on(session: Session, topic: Topic, node_id: int) -> int:
    """Where the log of a replica ends that need not lead."""
    fields = {**requests.list_offsets(topic, {0: LATEST}), "replica_id": DEBUGGER}
    answer = session.node(node_id).call("ListOffsets", **fields)
    return int(answer.topics[0].partitions[0].offset)


@check("ELEC-14", apis=("Produce", "Fetch", "ListOffsets"), needs=("cluster",))
def who_does_not_lead_says_so(session: Session) -> None:
    """A broker that has no replica, or follows, answers NOT_LEADER_OR_FOLLOWER."""
    first, second, third = cluster.three(session)
    topic = cluster.placed(session, [first, second])
    cluster.await_known(session, topic)
    because = f"Broker {first} leads the partition."
    for node_id in (second, third):
        client = session.node(node_id)
        produced = client.call("Produce", **requests.produce(topic, {0: [b"lost"]}))
        listed = client.call("ListOffsets", **requests.list_offsets(topic, {0: LATEST}))
        codes = {
            "Produce": produced.responses[0].partition_responses[0].error_code,
            "ListOffsets": listed.topics[0].partitions[0].error_code,
        }
        if node_id == third:
            fetched = client.call("Fetch", **requests.fetch(topic, {0: 0}, max_wait_ms=20))
            codes["Fetch"] = fetched.responses[0].partitions[0].error_code
        for api, code in codes.items():
            what = f"the error code of {api} at broker {node_id}"
            session.permit(what, code, {ErrorCode.NOT_LEADER_OR_FOLLOWER}, because)


@check("ELEC-14", apis=("Produce 10+", "Fetch 16+"), needs=("cluster",), level="SHOULD")
def who_does_not_lead_names_the_leader(session: Session) -> None:
    """Where another broker leads, the answer to Produce says which, in which epoch, and where."""
    first, _, third = cluster.three(session)
    topic = cluster.placed(session, [first])
    cluster.await_known(session, topic)
    epoch = cluster.look(session, topic).epoch
    answer = session.node(third).call("Produce", **requests.produce(topic, {0: [b"lost"]}))
    leader = answer.responses[0].partition_responses[0].current_leader
    session.permit(
        "the leader and its epoch",
        (leader.leader_id, leader.leader_epoch),
        [(first, epoch)],
        "It saves the client a request for metadata.",
    )
    where = [(each.host, each.port) for each in answer.node_endpoints if each.node_id == first]
    session.permit("its address", where, [[session.node(first).address]], "It has to be found.")


@check("ELEC-15", apis=DESCRIBING, needs=NEEDS)
def a_broker_back_from_an_unclean_stop_is_struck_off(session: Session) -> None:
    """Who registers without the epoch of before is no longer eligible; who names it still is."""
    with playing(session) as leading:
        topic = leading.led()
        leading.fence()
        await_eligible(session, leading, topic, NODE_ID)
        for clean, left in ((True, [NODE_ID]), (False, [])):
            leading.come_back(previous_broker_epoch=leading.epoch if clean else -1)
            cluster.settle(session)
            found = eligible(session, topic)
            session.permit(
                f"the eligible replicas after {'a clean' if clean else 'an unclean'} stop",
                list(found.eligible_leader_replicas or ()),
                [left],
                "It may have lost the end of its log, if its stop was not clean.",
            )
