"""CLUS: how a broker stops that other brokers count on."""

from conformance import cluster
from conformance.check import check
from conformance.session import Session
from conformance.stand_in import CAUGHT_UP, NEEDS, SECOND_ID, StandIn, playing

APIS = ("Metadata",)
NOBODY = -1
NOTHING_READ = 0


def permit_to_stop(session: Session, broker: StandIn, permitted: bool, because: str) -> None:
    answer = broker.heartbeat()
    session.permit("whether it may stop", answer.should_shut_down, [permitted], because)


def await_permission(broker: StandIn, because: str) -> None:
    broker.await_while_alive(
        lambda: bool(broker.heartbeat().should_shut_down),
        "the broker may stop",
        demanded=because,
    )


@check("CLUS-08", apis=APIS, needs=NEEDS)
def who_wants_to_stop_hands_over_first(session: Session) -> None:
    """A leader that asks to stop is told to wait; another leads, and then it may stop."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        topic = leading.led(other, isr=[other])
        leading.wants_shut_down = True
        permit_to_stop(session, leading, False, "It led a partition until it asked.")
        await_permission(leading, "Another replica is in sync, and leads.")
        because = "It may stop, so it has handed over."
        found = cluster.await_leader(session, topic, {other}, because)
        session.permit("the in-sync replicas", found.isr, [[other]], because)


@check("CLUS-08", apis=APIS, needs=NEEDS)
def who_wants_to_stop_waits_for_the_others(session: Session) -> None:
    """It may not stop before every active broker has read about the new leaders."""
    other = cluster.three(session)[0]
    with playing(session) as leading, playing(session, SECOND_ID, leading) as slow:
        topic = leading.led(other, isr=[other])
        slow.metadata_offset = NOTHING_READ
        slow.heartbeat()
        leading.wants_shut_down = True
        leading.heartbeat()
        cluster.await_leader(session, topic, {other})
        because = f"Broker {SECOND_ID} still believes in the former leader."
        for _ in range(3):
            cluster.settle(session)
            slow.heartbeat()
            permit_to_stop(session, leading, False, because)
        slow.metadata_offset = CAUGHT_UP
        await_permission(leading, "All brokers have read everything.")


@check("CLUS-08", apis=APIS, needs=NEEDS)
def the_last_in_sync_replica_may_stop(session: Session) -> None:
    """Where nobody else is in sync the partition is left without a leader, and it may stop."""
    other = cluster.three(session)[0]
    with playing(session) as leading:
        topic = leading.led(other)
        leading.wants_shut_down = True
        await_permission(leading, "Nobody else could lead, however long it waits.")
        because = f"Broker {other} is not in sync."
        cluster.await_leader(session, topic, {NOBODY}, because)


@check("CLUS-08", apis=APIS, needs=NEEDS)
def a_fenced_broker_may_stop_at_once(session: Session) -> None:
    """A broker that is fenced is told to stop with the first answer."""
    with playing(session) as broker:
        broker.fence()
        broker.wants_shut_down = True
        permit_to_stop(session, broker, True, "Nobody counts on it.")


@check("CLUS-08", apis=APIS, needs=("faults",))
def when_a_broker_has_stopped_another_leads(session: Session) -> None:
    """After an orderly stop every partition of the broker with another in-sync replica is led."""
    first, second, third = cluster.three(session)
    topic = cluster.placed(session, [first, second, third])
    session.stop_node(first)
    found = cluster.look(session, topic)
    because = f"Broker {first} may stop only after it has handed over."
    session.permit(
        "the leader and the in-sync replicas",
        (found.leader, found.isr),
        [(second, sorted([second, third]))],
        because,
    )
