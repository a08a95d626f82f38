"""TXNI: transactions whose coordinator goes away, or the leader of a partition."""

from conformance import cluster, failover
from conformance.appends import store
from conformance.check import check
from conformance.checks.txni_fencing import FENCED
from conformance.checks.txni_offsets import offset_of, permit_offset
from conformance.lookup import TRANSACTION
from conformance.offsets import prepare_offset
from conformance.requests import Topic
from conformance.session import Session
from conformance.transactions import (
    COMMITTED,
    TV1_APIS,
    Transactional,
    committed_values,
    fetch_committed,
    last_stable_offset,
    producer,
    write_once,
)
from spec.wire.errors import ErrorCode

APIS = (*TV1_APIS, "Fetch", "ListOffsets 2+", "FindCoordinator")
FAULTS = ("faults",)
TIMEOUT_MS = 3000


def replicated(session: Session) -> Topic:
    """A topic of one partition on three brokers."""
    return cluster.placed(session, cluster.three(session))


def await_stable(session: Session, topic: Topic, offset: int, demanded: str) -> None:
    """Judge that the last stable offset gets as far as this."""

    def stable() -> bool:
        session.forget_leaders()
        return last_stable_offset(session, topic) == offset

    session.poll_until(
        lambda: cluster.attempt(stable),
        f"the last stable offset is {offset}",
        timeout=cluster.FAILOVER_S,
        demanded=demanded,
    )


@check("TXNI-09", apis=(*APIS, "DescribeTransactions"), needs=FAULTS)
def an_open_transaction_survives_its_coordinator(session: Session) -> None:
    """With the next coordinator an open transaction is Ongoing, and can be committed."""
    topic = replicated(session)
    found = producer(session)
    found.prepare_write(topic, [b"a"])
    failover.take_away(session, found.name, TRANSACTION)
    because = "A coordinator that goes away changes no state."
    session.permit("the state", found.state(), ["Ongoing"], because)
    code = found.end(True).error_code
    session.permit("the error code of EndTxn", code, {ErrorCode.NONE}, because)
    await_stable(session, topic, 2, "The transaction has ended.")
    got = committed_values(session, topic)
    session.permit("what a committed reader gets", got, [[b"a"]], "It was committed.")


@check("TXNI-10", apis=APIS, needs=FAULTS)
def a_decision_survives_its_coordinator(session: Session) -> None:
    """A decision of which a partition had not heard is carried out by the next coordinator."""
    found = producer(session)
    coordinator = failover.coordinator_of(session, found.name, TRANSACTION)
    keep = {coordinator, cluster.quorum_leader(session)}
    deaf, *others = sorted(cluster.three(session), key=lambda node_id: node_id in keep)
    topic = cluster.placed(session, [deaf, *others])
    found.prepare_write(topic, [b"a"])
    session.pause(deaf)
    session.poll_until(
        lambda: cluster.attempt(lambda: found.end(True).error_code == ErrorCode.NONE),
        "EndTxn is answered",
        timeout=cluster.FAILOVER_S,
    )
    session.kill(coordinator)
    session.kill(deaf)  # and with it what it was told while it stood still
    session.start_node(deaf)
    await_stable(session, topic, 2, "The decision is carried out in every partition.")
    got = committed_values(session, topic)
    session.permit("what a committed reader gets", got, [[b"a"]], "It was committed.")


@check("TXNI-15", apis=APIS, needs=FAULTS)
def a_forgotten_transaction_is_aborted_by_the_next_coordinator(session: Session) -> None:
    """The time of a transaction is over although its coordinator went away meanwhile."""
    topic = replicated(session)
    sleeper = Transactional(session, session.name("transaction"), timeout_ms=TIMEOUT_MS)
    sleeper.prepare().prepare_write(topic, [b"forgotten"])
    failover.take_away(session, sleeper.name, TRANSACTION)
    because = "A transaction that stays open longer than its timeout is aborted."
    await_stable(session, topic, 2, because)
    got = committed_values(session, topic)
    session.permit("what a committed reader gets", got, [[]], because)
    code = sleeper.end(True).error_code
    session.permit("the error code of EndTxn", code, FENCED, "The producer has slept too long.")


@check("TXNI-12", apis=APIS, needs=FAULTS)
def the_next_leader_knows_what_is_open(session: Session) -> None:
    """The last stable offset stays at an open transaction when another replica leads."""
    topic = replicated(session)
    store(session, topic, [b"before"])
    found = producer(session)
    found.prepare_write(topic, [b"open"])
    store(session, topic, [b"after"])
    failover.without_leader(session, topic)
    because = "Offset 1 is in a transaction that is not decided."
    session.permit("the last stable offset", last_stable_offset(session, topic), [1], because)
    values = session.read(topic, isolation_level=COMMITTED).values
    session.permit("what is returned below it", values, [[b"before"]], because)


@check("TXNI-13", apis=APIS, needs=FAULTS)
def the_next_leader_names_what_was_aborted(session: Session) -> None:
    """A Fetch from the next leader names the transactions that were aborted before it led."""
    topic = replicated(session)
    write_once(session, topic, [b"kept"], committed=True)
    aborted = write_once(session, topic, [b"a", b"b"], committed=False)
    failover.without_leader(session, topic)
    answer = fetch_committed(session, topic)
    named = [(each.producer_id, each.first_offset) for each in answer.aborted_transactions or []]
    because = "It has records in the range that is returned."
    session.permit("the aborted transactions", named, [[(aborted.producer_id, 2)]], because)


@check("TXNI-16", apis=(*APIS, "TxnOffsetCommit 0-4", "OffsetFetch 7+"), needs=FAULTS)
def pending_offsets_survive_their_coordinator(session: Session) -> None:
    """An offset that waits for the end of a transaction still waits with the next coordinator."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 3)
    found = producer(session)
    found.prepare_offset(group, topic, 7)
    failover.take_away(session, group)
    code = offset_of(session, group, topic, stable=True)[1]
    because = "The transaction is not decided."
    session.permit("the error code", code, {ErrorCode.UNSTABLE_OFFSET_COMMIT}, because)
    found.prepare_end(True)
    session.poll_until(
        lambda: offset_of(session, group, topic, stable=True)[1] == ErrorCode.NONE,
        "no offset is pending",
        demanded="The transaction has ended.",
    )
    permit_offset(session, group, topic, 7, "The transaction is committed.")
