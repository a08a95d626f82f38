"""REPL: which in-sync replicas the controller accepts from a leader that the check plays."""

from conformance import cluster
from conformance.check import check
from conformance.requests import Topic
from conformance.session import Session
from conformance.stand_in import NEEDS, NODE_ID, SECOND_ID, StandIn, playing
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

APIS = ("Metadata 7+",)
REASSIGNING = ("Metadata", "AlterPartitionReassignments", "ListPartitionReassignments")
RECOVERING = 1


def permit_refused(
    session: Session, topic: Topic, answer: Struct, error: ErrorCode, because: str
) -> None:
    """Judge that a proposal is refused with this error, and the in-sync replicas stay."""
    before = cluster.look(session, topic).isr
    session.permit("the error code", answer.error_code, {error}, because)
    cluster.settle(session)
    after = cluster.look(session, topic).isr
    session.permit("the in-sync replicas", after, [before], "A refused proposal changes nothing.")


# REPL-06: who may enter


@check("REPL-06", apis=APIS, needs=NEEDS)
def a_fenced_replica_stays_out(session: Session) -> None:
    """A proposal with a replica whose broker is fenced gets INELIGIBLE_REPLICA."""
    with playing(session) as leading, playing(session, SECOND_ID, leading) as fenced:
        topic = leading.led(SECOND_ID)
        fenced.fence()
        leading.heartbeat()
        answer = leading.propose_now(topic, NODE_ID, SECOND_ID)
        because = f"Broker {SECOND_ID} is fenced."
        permit_refused(session, topic, answer, ErrorCode.INELIGIBLE_REPLICA, because)


@check("REPL-06", apis=APIS, needs=NEEDS)
def a_replica_that_is_leaving_stays_out(session: Session) -> None:
    """A proposal with a replica whose broker is in controlled shutdown gets INELIGIBLE_REPLICA."""
    other = cluster.three(session)[0]
    with playing(session) as leading, playing(session, SECOND_ID, leading) as leaving:
        topic = leading.led(SECOND_ID)
        leaving.led(other, isr=[other])
        leaving.wants_shut_down = True
        leaving.heartbeat()
        answer = leading.propose_now(topic, NODE_ID, SECOND_ID)
        because = f"Broker {SECOND_ID} is about to stop."
        permit_refused(session, topic, answer, ErrorCode.INELIGIBLE_REPLICA, because)


@check("REPL-06", apis=APIS, needs=NEEDS)
def a_replica_of_a_former_life_stays_out(session: Session) -> None:
    """A proposal with another broker epoch of a replica gets INELIGIBLE_REPLICA."""
    with playing(session) as leading, playing(session, SECOND_ID, leading) as reborn:
        topic = leading.led(SECOND_ID)
        for epoch in (reborn.epoch - 1, reborn.epoch + 1):
            answer = leading.propose_now(
                topic, NODE_ID, SECOND_ID, broker_epochs={SECOND_ID: epoch}
            )
            because = f"The replica is registered with epoch {reborn.epoch}, not {epoch}."
            permit_refused(session, topic, answer, ErrorCode.INELIGIBLE_REPLICA, because)
        answer = leading.propose_now(
            topic, NODE_ID, SECOND_ID, broker_epochs={SECOND_ID: reborn.epoch}
        )
        because = "It is alive, and the epoch is its own."
        session.permit("the error code", answer.error_code, {ErrorCode.NONE}, because)


# REPL-08 to REPL-10: what may be proposed


@check("REPL-08", apis=APIS, needs=NEEDS)
def only_replicas_are_in_sync(session: Session) -> None:
    """A proposal with a broker that has no replica gets INVALID_REQUEST."""
    other, stranger, _ = cluster.three(session)
    with playing(session) as leading:
        topic = leading.led(other, isr=[other])
        answer = leading.propose_now(topic, NODE_ID, other, stranger)
        because = f"Broker {stranger} has no replica of the partition."
        permit_refused(session, topic, answer, ErrorCode.INVALID_REQUEST, because)


@check("REPL-08", apis=APIS, needs=NEEDS)
def the_leader_is_in_sync(session: Session) -> None:
    """A proposal without the leader gets INVALID_REQUEST."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        topic = leading.led(other, isr=[other])
        answer = leading.propose_now(topic, other)
        because = "As long as there is a leader it is in sync."
        permit_refused(session, topic, answer, ErrorCode.INVALID_REQUEST, because)


@check("REPL-09", apis=APIS, needs=NEEDS)
def proposals_that_are_out_of_date_are_refused(session: Session) -> None:
    """Epochs of the past and of the future are told apart, in the order of the table."""
    other = cluster.three(session)[0]
    with playing(session) as leading, playing(session, SECOND_ID, leading) as follower:
        topic = leading.led(other, SECOND_ID, isr=[SECOND_ID])
        for who, leader_epoch, partition_epoch, error in (
            (leading, 1, 1, ErrorCode.NOT_CONTROLLER),
            (leading, 0, 9, ErrorCode.NOT_CONTROLLER),
            (leading, -1, 9, ErrorCode.NOT_CONTROLLER),
            (leading, -1, 1, ErrorCode.FENCED_LEADER_EPOCH),
            (follower, -1, 1, ErrorCode.FENCED_LEADER_EPOCH),
            (follower, 0, 1, ErrorCode.INVALID_REQUEST),
            (leading, 0, 0, ErrorCode.INVALID_UPDATE_VERSION),
        ):
            answer = who.propose(
                topic, NODE_ID, leader_epoch=leader_epoch, partition_epoch=partition_epoch
            )
            because = (
                f"The epochs are 0 and 1, not {leader_epoch} and {partition_epoch}, and"
                f" broker {NODE_ID} leads."
            )
            permit_refused(session, topic, answer, error, because)


@check("REPL-10", apis=APIS, needs=NEEDS)
def a_leader_does_not_become_recovering(session: Session) -> None:
    """A leader that is not recovering and says so, alone or with others, gets INVALID_REQUEST."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        topic = leading.led(other, isr=[other])
        for isr in ([NODE_ID], [NODE_ID, other]):
            answer = leading.propose_now(topic, *isr, leader_recovery_state=RECOVERING)
            because = "It was elected cleanly."
            permit_refused(session, topic, answer, ErrorCode.INVALID_REQUEST, because)


# REPL-15: reassignments


def reassign(session: Session, topic: Topic, replicas: list[int] | None) -> int:
    """The error code for the partition."""
    answer = session.broker.call(
        "AlterPartitionReassignments", **cluster.reassignment(topic, replicas)
    )
    return int(answer.responses[0].partitions[0].error_code)


def begin(session: Session, topic: Topic, follower: StandIn, replicas: list[int]) -> None:
    code = reassign(session, topic, replicas)
    if code != ErrorCode.NONE:
        session.inconclusive(f"AlterPartitionReassignments answers {ErrorCode(code).name}")
    follower.await_while_alive(
        lambda: NODE_ID in cluster.look(session, topic).replicas, "the newcomer is a replica"
    )


@check("REPL-15", apis=(*REASSIGNING, "Produce", "Fetch"), needs=NEEDS)
def the_old_replicas_stay_until_the_new_are_in_sync(session: Session) -> None:
    """A replica that is to go is there until the newcomer is in sync, and then it is not."""
    first, second, _ = cluster.three(session)
    with playing(session) as newcomer:
        topic = cluster.placed(session, [first, second])
        session.produce(topic, [b"a"])
        begin(session, topic, newcomer, [first, NODE_ID])
        for _ in range(3):
            newcomer.fetch(topic, 0)
            cluster.settle(session)
            replicas = set(cluster.look(session, topic).replicas)
            because = f"Broker {NODE_ID}, which replaces broker {second}, is not in sync."
            session.permit("the replicas", replicas, [{first, second, NODE_ID}], because)
        newcomer.await_while_alive(
            lambda: (
                newcomer.fetch(topic, 1) is not None
                and cluster.look(session, topic).replicas == [first, NODE_ID]
            ),
            "the reassignment is done",
            demanded="All replicas of the target are in sync.",
        )
        isr = cluster.look(session, topic).isr
        session.permit("the in-sync replicas", isr, [[first, NODE_ID]], "Both change in one step.")


@check("REPL-15", apis=REASSIGNING, needs=NEEDS)
def cancelling_restores_the_replicas(session: Session) -> None:
    """A reassignment that is cancelled leaves the replicas that there were."""
    first, second, _ = cluster.three(session)
    with playing(session) as newcomer:
        topic = cluster.placed(session, [first, second])
        begin(session, topic, newcomer, [first, NODE_ID])
        because = "The reassignment was under way."
        session.permit("the error code", reassign(session, topic, None), {ErrorCode.NONE}, because)
        cluster.settle(session)
        replicas = cluster.look(session, topic).replicas
        session.permit("the replicas", replicas, [[first, second]], "It was cancelled.")


@check("REPL-15", apis=REASSIGNING)
def there_is_nothing_to_cancel(session: Session) -> None:
    """Cancelling where nothing is moved gets NO_REASSIGNMENT_IN_PROGRESS."""
    code = reassign(session, session.create_topic(), None)
    because = "No reassignment is in progress."
    session.permit("the error code", code, {ErrorCode.NO_REASSIGNMENT_IN_PROGRESS}, because)
