"""CLUS: the leader of the metadata log, and the votes by which it is chosen."""

from collections.abc import Iterator
from contextlib import contextmanager

from conformance import cluster
from conformance.check import check
from conformance.client import Client
from conformance.judge import at_least
from conformance.session import Session
from conformance.wire import Struct

FAR = 2**40
"""An end of a log that is behind everybody's."""


@check("CLUS-11", apis=("DescribeQuorum",), needs=("cluster",))
def every_broker_names_one_metadata_leader(session: Session) -> None:
    """Whichever broker is asked for the quorum, an epoch of the metadata log has one leader."""
    leaders: dict[int, int] = {}
    for node_id in cluster.alive(session):
        found = cluster.quorum(session, session.node(node_id))
        because = "In each epoch of the metadata log there is at most one leader."
        leader = leaders.setdefault(found.leader_epoch, found.leader_id)
        what = f"the leader of epoch {found.leader_epoch}, told by broker {node_id}"
        session.permit(what, found.leader_id, [leader], because)


@check("CLUS-11", apis=("DescribeQuorum",), needs=("faults",))
def the_next_metadata_leader_has_a_greater_epoch(session: Session) -> None:
    """When the leader of the metadata log is killed, another leads, in a later epoch."""
    before = cluster.quorum(session)
    session.kill(before.leader_id)

    def another() -> bool:
        return bool(cluster.quorum(session).leader_id != before.leader_id)

    session.poll_until(
        lambda: cluster.attempt(another), "another leads", timeout=cluster.FAILOVER_S
    )
    after = cluster.quorum(session)
    because = f"In epoch {before.leader_epoch} broker {before.leader_id} led."
    session.permit(
        "the leader epoch", after.leader_epoch, at_least(before.leader_epoch + 1), because
    )
    session.start_node(before.leader_id)
    session.poll_until(
        lambda: before.leader_id in cluster.alive(session), "the former leader is back"
    )
    found = cluster.quorum(session)
    same = found.leader_epoch != before.leader_epoch or found.leader_id == before.leader_id
    session.permit("whether an epoch has one leader", same, [True], because)


# CLUS-13: votes


@contextmanager
def asking_a_voter(session: Session) -> Iterator[tuple[Client, list[int], int]]:
    """A voter that does not lead, all voters but that one, and the epoch; in order in the end."""
    *others, leader = cluster.three(session)
    found = cluster.quorum(session)
    if found.leader_id != leader:
        session.inconclusive(f"broker {found.leader_id} leads the metadata log, not {leader}")
    voter, other = others
    try:
        yield session.controller(voter), [voter, other, leader], found.leader_epoch
    finally:
        cluster.quorum(session)


def is_granted(
    client: Client, voter: int, candidate: int, epoch: int, log: tuple[int, int]
) -> bool:
    """Ask for a vote in an epoch, with the last epoch and the end of the candidate's log."""
    last_epoch, end = log
    partition = {
        "partition_index": 0,
        "replica_epoch": epoch,
        "replica_id": candidate,
        "last_offset_epoch": last_epoch,
        "last_offset": end,
    }
    topics = [{"topic_name": cluster.METADATA_TOPIC, "partitions": [partition]}]
    answer: Struct = client.call("Vote", voter_id=voter, topics=topics)
    return bool(answer.topics and answer.topics[0].partitions[0].vote_granted)


@check("CLUS-13", apis=("DescribeQuorum",), needs=("cluster", "controller"))
def a_voter_votes_once_in_an_epoch(session: Session) -> None:
    """Who has voted for one candidate does not vote for another in the same epoch."""
    with asking_a_voter(session) as (client, (voter, first, second), epoch):
        log = epoch, FAR
        if not is_granted(client, voter, first, epoch + 1, log):
            session.inconclusive("the first candidate gets no vote")
        granted = is_granted(client, voter, second, epoch + 1, log)
        because = f"It has voted for {first} in epoch {epoch + 1}."
        session.permit(f"whether {second} gets the vote as well", granted, [False], because)


@check("CLUS-13", apis=("DescribeQuorum",), needs=("cluster", "controller"))
def a_candidate_with_less_gets_no_vote(session: Session) -> None:
    """A candidate whose log is not as far as the voter's, by its epoch or by its end, loses."""
    with asking_a_voter(session) as (client, (voter, candidate, _), epoch):
        for log in ((0, FAR), (epoch, 0)):
            granted = is_granted(client, voter, candidate, epoch + 1, log)
            because = f"The voter's log ends further on, in epoch {epoch}."
            session.permit(f"whether one with {log} gets the vote", granted, [False], because)
