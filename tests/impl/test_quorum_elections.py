"""Who leads the quorum: CLUS-11, CLUS-13, CLUS-14, pre-vote."""

import json
from typing import Any

import pytest

from impl.core.config import ConfigError
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.election_state import PATH
from impl.core.quorum.messages import BeginQuorumEpoch, EndQuorumEpoch, EpochAnswer, Vote
from impl.core.storage import StorageError
from spec.wire.errors import ErrorCode
from tests.impl.quorum_world import QuorumWorld, endpoints


def kept(world: QuorumWorld, node: int) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(world.storages[node].read(PATH, 0, 1 << 20))
    return content


def vote(candidate: int, epoch: int, last_epoch: int = 0, end_offset: int = 0) -> Vote:
    return Vote(candidate, epoch, last_epoch, end_offset)


def pre_vote(replica: int, epoch: int, last_epoch: int = 0, end_offset: int = 0) -> Vote:
    return Vote(replica, epoch, last_epoch, end_offset, is_pre_vote=True)


def is_granted(world: QuorumWorld, node: int, request: Vote) -> bool:
    answer: EpochAnswer = world.ask(node, request)
    assert answer.error is ErrorCode.NONE
    return answer.is_granted


# One voter


def test_the_only_voter_leads_at_once_and_commits_at_once() -> None:
    world = QuorumWorld(1)
    quorum = world.quorums[1]
    assert quorum.is_leader
    assert quorum.leader == world.voters[1]
    assert quorum.append([], world.now_ms) == quorum.high_watermark == 1
    assert world.append(1, "a") == quorum.high_watermark == 2
    assert world.sent == []


def test_the_only_voter_begins_a_new_epoch_when_it_restarts() -> None:
    world = QuorumWorld(1)
    world.append(1, "a")
    world.lose_power(1)
    world.start(1)
    assert world.quorums[1].is_leader
    assert world.quorums[1].epoch == 2
    assert world.rules.committed == {1: "a"}


# Votes


def test_a_vote_is_on_disk_before_it_is_given() -> None:
    world = QuorumWorld(3)
    assert is_granted(world, 1, vote(2, 5))
    assert kept(world, 1) == {
        "clusterId": "",
        "leaderId": -1,
        "leaderEpoch": 5,
        "votedId": 2,
        "appliedOffset": 0,
        "currentVoters": [{"voterId": 1}, {"voterId": 2}, {"voterId": 3}],
        "data_version": 0,
    }
    world.lose_power(1)
    world.start(1)
    assert not is_granted(world, 1, vote(3, 5))
    assert is_granted(world, 1, vote(2, 5))
    assert is_granted(world, 1, vote(3, 6))


def test_a_vote_goes_to_who_is_as_far_by_epoch_first() -> None:
    world = QuorumWorld(3)
    world.settle()
    end = world.append(world.leader, "a", "b")
    assert end == 3
    world.settle()
    voter = next(node for node in world.nodes if node != world.leader)
    other = next(node for node in world.nodes if node not in (voter, world.leader))
    assert not is_granted(world, voter, vote(other, 10, last_epoch=1, end_offset=2))
    assert not is_granted(world, voter, vote(other, 11, last_epoch=0, end_offset=9))
    assert is_granted(world, voter, vote(other, 12, last_epoch=1, end_offset=3))
    assert is_granted(world, voter, vote(other, 13, last_epoch=2, end_offset=1))


def test_a_follower_votes_for_nobody_in_the_epoch_of_its_leader() -> None:
    world = QuorumWorld(3)
    assert world.ask(1, BeginQuorumEpoch(2, 5)).error is ErrorCode.NONE
    assert not is_granted(world, 1, vote(3, 5, last_epoch=4, end_offset=9))
    assert kept(world, 1)["leaderId"] == 2


def test_a_pre_vote_binds_nobody_and_costs_no_epoch() -> None:
    world = QuorumWorld(3)
    assert is_granted(world, 1, pre_vote(2, 0))
    assert is_granted(world, 1, pre_vote(3, 0))
    assert world.quorums[1].epoch == 0
    assert is_granted(world, 1, vote(3, 1))


def test_who_hears_a_leader_wants_no_election() -> None:
    world = QuorumWorld(3)
    world.settle()
    for node in world.nodes:
        other = node % 3 + 1
        assert not is_granted(world, node, pre_vote(other, 1, last_epoch=1, end_offset=9))


def test_a_follower_whose_leader_resigned_wants_another() -> None:
    world = QuorumWorld(3)
    world.settle()
    follower, other = (node for node in world.nodes if node != world.leader)
    world.ask(follower, EndQuorumEpoch(world.leader, 1, (other, follower)))
    assert is_granted(world, follower, pre_vote(other, 1, last_epoch=1, end_offset=1))


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (Vote(2, 5, 0, 0, cluster_id="other"), ErrorCode.INCONSISTENT_CLUSTER_ID),
        (BeginQuorumEpoch(2, 5, cluster_id="other"), ErrorCode.INCONSISTENT_CLUSTER_ID),
        (EndQuorumEpoch(2, 5, cluster_id="other"), ErrorCode.INCONSISTENT_CLUSTER_ID),
        (Vote(2, 5, 0, 0, partition=None), ErrorCode.INVALID_REQUEST),
    ],
)
def test_a_request_that_is_for_somebody_else_is_refused_as_a_whole(
    request_: Vote | BeginQuorumEpoch | EndQuorumEpoch, error: ErrorCode
) -> None:
    world = QuorumWorld(3)
    assert world.ask(1, request_) == EpochAnswer(request_error=error)
    assert world.quorums[1].epoch == 0


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (vote(2, 3), ErrorCode.FENCED_LEADER_EPOCH),
        (BeginQuorumEpoch(2, 3), ErrorCode.FENCED_LEADER_EPOCH),
        (EndQuorumEpoch(2, 3), ErrorCode.FENCED_LEADER_EPOCH),
        (vote(2, 5, last_epoch=5), ErrorCode.INVALID_REQUEST),
        (pre_vote(2, 5, last_epoch=6), ErrorCode.INVALID_REQUEST),
        (vote(2, 5, end_offset=-1), ErrorCode.INVALID_REQUEST),
        (vote(-1, 5), ErrorCode.INVALID_REQUEST),
        (BeginQuorumEpoch(-1, 5), ErrorCode.INVALID_REQUEST),
        (BeginQuorumEpoch(7, 5), ErrorCode.INVALID_REQUEST),
        (Vote(2, 5, 0, 0, voter_id=2), ErrorCode.INVALID_VOTER_KEY),
        (BeginQuorumEpoch(2, 5, voter_id=3), ErrorCode.INVALID_VOTER_KEY),
    ],
)
def test_a_request_that_cannot_be_granted_says_why(
    request_: Vote | BeginQuorumEpoch | EndQuorumEpoch, error: ErrorCode
) -> None:
    world = QuorumWorld(3)
    assert is_granted(world, 1, vote(3, 4))
    answer = world.ask(1, request_)
    assert answer.error is error
    assert answer.leader_epoch == world.quorums[1].epoch
    assert not answer.is_granted


def test_two_leaders_of_an_epoch_are_not_believed() -> None:
    world = QuorumWorld(3)
    world.ask(1, BeginQuorumEpoch(2, 5))
    assert world.ask(1, BeginQuorumEpoch(3, 5)).error is ErrorCode.INVALID_REQUEST
    assert world.quorums[1].leader_id == 2


def test_a_damaged_vote_stops_the_node() -> None:
    world = QuorumWorld(3)
    is_granted(world, 1, vote(2, 5))
    world.kill(1)
    for content in (b"", b"{}", b'{"data_version":9}', b"[1]"):
        world.storages[1].replace(PATH, content)
        with pytest.raises(StorageError):
            world.start(1)


def test_a_node_whose_vote_is_gone_is_in_the_epoch_of_its_log() -> None:
    world = QuorumWorld(3)
    world.settle()
    follower = next(node for node in world.nodes if node != world.leader)
    world.kill(follower)
    world.storages[follower].delete(PATH)
    world.isolate(follower)
    world.start(follower)
    assert world.quorums[follower].epoch == kept(world, follower)["leaderEpoch"] == 1


def test_the_file_of_a_quorum_whose_voters_may_change_is_read() -> None:
    world = QuorumWorld(3)
    world.kill(1)
    content = {"leaderId": -1, "leaderEpoch": 7, "votedId": 2, "data_version": 1}
    content["votedDirectoryId"] = "AAAAAAAAAAAAAAAAAAAAAA"  # type: ignore[assignment]
    world.storages[1].replace(PATH, json.dumps(content).encode())
    world.start(1)
    assert not is_granted(world, 1, vote(3, 7))


def test_a_node_does_not_change_to_another_quorum() -> None:
    world = QuorumWorld(3)
    world.settle()
    world.kill(1)
    world.voters = endpoints([1])
    with pytest.raises(ConfigError, match="of node 1, node 2, node 3, and not of node 1:"):
        world.start(1)


# Elections


@pytest.mark.parametrize("voters", [2, 3, 5])
def test_a_new_quorum_elects_a_leader(voters: int) -> None:
    world = QuorumWorld(voters)
    assert world.settle() <= 2_100
    assert len(world.leaders) == 1


@pytest.mark.parametrize("seed", range(5))
def test_another_leads_when_the_leader_dies(seed: int) -> None:
    world = QuorumWorld(3, seed=seed)
    world.settle()
    dead = world.leader
    world.kill(dead)
    assert world.settle() <= 5_000
    assert world.leader != dead
    world.start(dead)
    world.settle()
    assert world.leader != dead


def test_an_orderly_stop_hands_over_at_once() -> None:
    world = QuorumWorld(3)
    world.settle()
    first = world.leader
    world.resign(first)
    assert world.quorums[first].leader_id is None
    assert world.run_until(lambda: bool(world.leaders)) <= 100
    assert first not in world.leaders
    world.run(5_000)
    assert world.rules.leaders.keys() == {1, 2}


def test_who_stops_seeks_no_election() -> None:
    world = QuorumWorld(3)
    world.settle()
    for node in world.nodes:
        world.resign(node)
    world.ask(1, vote(2, 9))
    world.run(60_000)
    assert world.leaders == []
    assert max(world.rules.leaders) == 1


def test_who_has_the_longest_log_is_to_lead_next() -> None:
    world = QuorumWorld(3)
    world.settle()
    leader = world.leader
    behind, ahead = (node for node in world.nodes if node != leader)
    world.isolate(behind)
    world.append(leader, "a")
    world.run(100)
    world.resign(leader)
    ends = [send.request for _, send in world.sent if isinstance(send.request, EndQuorumEpoch)]
    assert {end.preferred_candidates for end in ends} == {(ahead, behind)}


def test_in_a_new_cluster_nobody_waits_for_the_first_leader() -> None:
    world = QuorumWorld(3)
    assert world.settle() < 500
    assert world.leader == 1


def test_a_vote_gives_the_candidate_time() -> None:
    def alone() -> QuorumWorld:
        world = QuorumWorld(3)
        world.kill(1)
        world.kill(3)
        world.ask(2, pre_vote(1, 1))
        return world

    def seeks_votes(world: QuorumWorld) -> bool:
        return any(node == 2 and isinstance(send.request, Vote) for node, send in world.sent)

    world = alone()
    patience_ms = world.run_until(lambda: seeks_votes(world))
    other = alone()
    other.run(patience_ms - 1)
    assert is_granted(other, 2, vote(1, 1))
    other.run(999)
    assert not seeks_votes(other)


def test_a_voter_that_was_cut_off_disturbs_nobody_when_it_returns() -> None:
    """Pre-vote: it never got so far as to begin an epoch."""
    world = QuorumWorld(3)
    world.settle()
    follower = world.leader % 3 + 1
    world.isolate(follower)
    world.run(60_000)
    world.heal()
    world.settle()
    assert world.quorums[follower].epoch == 1
    assert list(world.rules.leaders) == [1]


def test_a_short_fetch_timeout_does_not_end_the_rule_of_an_idle_leader() -> None:
    world = QuorumWorld(3, config=QuorumConfig(controller_quorum_fetch_timeout_ms=300))
    world.settle()
    leader, epoch = world.leader, world.quorums[world.leader].epoch
    world.run(30_000)
    assert (world.leader, world.quorums[leader].epoch) == (leader, epoch)


def test_a_leader_without_followers_resigns() -> None:
    """CLUS-14: within one and a half times the fetch timeout."""
    world = QuorumWorld(3)
    world.settle()
    leader = world.leader
    world.isolate(leader)
    took_ms = world.run_until(lambda: not world.quorums[leader].is_leader)
    assert 2_000 < took_ms <= 3_000


def test_a_leader_with_a_majority_goes_on() -> None:
    world = QuorumWorld(5)
    world.settle()
    leader = world.leader
    for node in [node for node in world.nodes if node != leader][:2]:
        world.kill(node)
    world.run(60_000)
    assert world.leaders == [leader]
    assert list(world.rules.leaders) == [1]


def test_followers_of_before_do_not_keep_a_leader_in_office() -> None:
    world = QuorumWorld(5)
    world.settle()
    world.run(5_000)
    leader = world.leader
    for node in [node for node in world.nodes if node != leader][:3]:
        world.kill(node)
    world.run(5_000)
    assert world.leaders == []


def test_a_leader_tells_those_that_do_not_fetch_that_it_leads() -> None:
    world = QuorumWorld(3)
    world.settle()
    leader = world.leader
    deaf, _ = (node for node in world.nodes if node != leader)
    world.run(10_000)
    world.kill(deaf)
    before = len(world.sent)
    world.run(10_000)
    begun = [
        send.to.node_id
        for _, send in world.sent[before:]
        if isinstance(send.request, BeginQuorumEpoch)
    ]
    assert set(begun) == {deaf}
    assert 8 <= len(begun) <= 10


def test_observers_do_not_keep_a_leader_in_office() -> None:
    world = QuorumWorld(3, observers=3)
    world.settle()
    leader = world.leader
    for node in {1, 2, 3} - {leader}:
        world.kill(node)
    world.run(3_000)
    assert world.leaders == []


def test_who_led_comes_back_as_resigned_and_leads_a_later_epoch_at_best() -> None:
    """CLUS-11."""
    world = QuorumWorld(3)
    world.settle()
    leader = world.leader
    for node in world.nodes:
        world.lose_power(node)
    for node in world.nodes:
        world.start(node)
    assert world.quorums[leader].leader_id is None
    world.settle()
    assert world.quorums[leader].epoch > 1


def test_a_lost_voter_finds_the_leader_by_asking_anybody() -> None:
    world = QuorumWorld(3, observers=1)
    world.settle()
    world.kill(4)
    world.start(4)
    assert world.run_until(lambda: world.quorums[4].leader == world.voters[world.leader]) <= 100
