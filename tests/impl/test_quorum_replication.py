"""How the metadata log is copied, committed and cut: CLUS-12, and the fetches of the quorum."""

from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import crc32c
import pytest

from impl.core.cluster.topics import TopicPartition
from impl.core.data.messages import Fetch, Fetched, FetchedPartition, FetchPartition
from impl.core.log.batch import CONTROL, HEADER_SIZE, read_header, read_records
from impl.core.log.leader_epochs import EpochEnd
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.messages import (
    METADATA_PARTITION,
    BeginQuorumEpoch,
    DescribeControllers,
    DescribeQuorum,
    is_metadata_fetch,
)
from impl.core.quorum.metadata_log import MetadataLog
from impl.core.quorum.quorum import Quorum
from impl.core.refusal import KafkaError
from impl.core.storage import MemoryStorage, StorageError
from impl.wire import decode_message
from spec.wire.errors import ErrorCode
from tests.impl.quorum_world import (
    CLUSTER_ID,
    START_MS,
    QuorumWorld,
    TextCodec,
    platform,
    record,
    text_of,
)

METADATA_ID = UUID(int=1)


def fetch(offset: int, epoch: int, last_epoch: int, **fields: Any) -> Fetch:
    partition = FetchPartition(METADATA_ID, 0, offset, 1 << 20, epoch, last_epoch)
    plain = Fetch(0, 1, 1 << 20, (partition,), replica_id=9, uses_topic_ids=True)
    return replace(plain, **fields)


def fetched(world: QuorumWorld, node: int, request: Fetch) -> FetchedPartition:
    answer: Fetched = world.ask(node, request)
    assert answer.error is ErrorCode.NONE
    [partition] = answer.partitions
    return partition


def settled(voters: int = 3, **options: Any) -> tuple[QuorumWorld, int, int]:
    """A quorum, its leader, and one of its followers."""
    world = QuorumWorld(voters, **options)
    world.settle()
    return world, world.leader, next(node for node in world.nodes if node != world.leader)


# Committing


def test_what_a_majority_has_is_committed_everywhere_soon() -> None:
    world, leader, _ = settled(observers=2)
    end = world.append(leader, "a", "b")
    assert world.settle() < 100
    assert end == 3
    assert world.rules.committed == {1: "a", 2: "b"}
    assert {quorum.high_watermark for quorum in world.quorums.values()} == {3}


def test_what_no_majority_has_is_not_committed() -> None:
    world, leader, follower = settled(observers=2)
    for node in {1, 2, 3} - {leader, follower}:
        world.kill(node)
    world.isolate(leader, 4, 5)
    end = world.append(leader, "a")
    world.run(2_000)
    assert world.quorums[4].log_end_offset == end == 2
    assert {world.quorums[node].high_watermark for node in (leader, 4, 5)} == {1}
    world.heal()
    world.settle()
    assert world.rules.committed == {1: "a"}


def test_only_a_leader_appends() -> None:
    world, leader, follower = settled()
    with pytest.raises(KafkaError) as refused:
        world.quorums[follower].append([record("a")], world.now_ms)
    assert refused.value.error is ErrorCode.NOT_CONTROLLER
    assert world.append(leader, "a") == 2


def test_committed_records_are_taken_once_and_again_after_a_restart() -> None:
    world, leader, follower = settled()
    world.append(leader, "a")
    world.append(leader, "b")
    world.settle()
    assert world.quorums[follower].take_committed() == []
    world.kill(follower)
    own = platform(world.storages[follower], Random(0))
    log = MetadataLog(own, TextCodec(), world.now_ms)
    quorum = Quorum(own, log, world.config, follower, CLUSTER_ID, world.voters, world.now_ms)
    assert quorum.take_committed() == []  # what is committed it has yet to learn
    assert [(o, text_of(each)) for o, each in quorum.records()] == [(1, "a"), (2, "b")]
    world.start(follower)
    world.settle()
    assert world.quorums[follower].high_watermark == 3


def test_a_new_leader_shows_no_high_watermark_before_its_own_record_is_committed() -> None:
    """CLUS-12."""
    world, leader, _ = settled()
    world.append(leader, "a")
    world.settle()
    world.kill(leader)
    world.run_until(lambda: bool(world.leaders))
    [second] = world.leaders
    epoch = world.quorums[second].epoch
    shown = fetched(world, second, fetch(2, epoch, 1))
    assert shown.high_watermark == -1
    assert len(shown.records)
    assert world.quorums[second].high_watermark == 2
    world.settle()
    assert fetched(world, second, fetch(3, epoch, epoch)).high_watermark == 3


# Answering fetches


def test_records_are_read_from_the_offset_on() -> None:
    world, leader, _ = settled()
    world.append(leader, "a")
    world.append(leader, "b")
    world.settle()
    answer = fetched(world, leader, fetch(2, 1, 1))
    header = read_header(answer.records)
    assert (header.base_offset, header.partition_leader_epoch) == (2, 1)
    assert header.size == len(answer.records)
    assert answer.current_leader == (leader, 1)
    assert (answer.high_watermark, answer.log_start_offset) == (3, 0)


def test_the_topic_can_be_named_too() -> None:
    world, leader, _ = settled()
    named = FetchPartition("__cluster_metadata", 0, 0, 1 << 20, 1, 0)
    answer = fetched(world, leader, fetch(0, 1, 0, partitions=(named,)))
    assert answer.topic == "__cluster_metadata"
    assert len(answer.records)
    assert is_metadata_fetch(fetch(0, 1, 0, partitions=(named,)))
    assert is_metadata_fetch(fetch(0, 1, 0))
    assert not is_metadata_fetch(Fetch(0, 1, 1, (FetchPartition("orders", 0, 0, 1),)))


def test_an_epoch_that_differs_is_fenced_and_the_leader_named() -> None:
    world, leader, follower = settled()
    assert fetched(world, leader, fetch(0, 0, 0)).error is ErrorCode.FENCED_LEADER_EPOCH
    assert fetched(world, leader, fetch(0, 2, 0)).error is ErrorCode.UNKNOWN_LEADER_EPOCH
    refused = fetched(world, follower, fetch(0, 1, 0))
    assert refused.error is ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert refused.current_leader == (leader, 1)


@pytest.mark.parametrize("request_", [fetch(-1, 1, 0), fetch(0, 1, -1), fetch(0, 1, 2)])
def test_a_fetch_that_cannot_be_is_invalid(request_: Fetch) -> None:
    world, leader, _ = settled()
    assert fetched(world, leader, request_).error is ErrorCode.INVALID_REQUEST


def test_a_fetch_for_another_cluster_or_partition_is_refused_as_a_whole() -> None:
    world, leader, _ = settled()
    other = FetchPartition(METADATA_ID, 1, 0, 1 << 20, 1, 0)
    strange = fetch(0, 1, 0, cluster_id="other")
    assert world.ask(leader, strange).error is ErrorCode.INCONSISTENT_CLUSTER_ID
    for partitions in ((), (other,), fetch(0, 1, 0).partitions * 2):
        answer = world.ask(leader, fetch(0, 1, 0, partitions=partitions))
        assert answer == Fetched(error=ErrorCode.INVALID_REQUEST)


def test_a_log_that_differs_is_told_where() -> None:
    world, leader, _ = settled()
    world.append(leader, "a", "b")
    world.kill(leader)
    world.settle()
    epoch, second = world.quorums[world.leader].epoch, world.leader
    start = world.quorums[second].log_end_offset - 1
    assert fetched(world, second, fetch(9, epoch, 1)).diverging_epoch == EpochEnd(1, start)
    answer = fetched(world, second, fetch(9, epoch, epoch))
    assert answer.diverging_epoch == EpochEnd(epoch, start + 1)
    assert answer.records == b""


def test_a_fetch_waits_for_records_and_no_longer_than_it_said() -> None:
    world = QuorumWorld(1)
    assert world.ask(1, fetch(1, 1, 1, max_wait_ms=500)) is None
    assert world.ask(1, fetch(1, 1, 1)).partitions[0].records == b""
    assert world.quorums[1].next_deadline_ms() == world.now_ms + 500


def parked(max_wait_ms: int = 500, **fields: Any) -> tuple[QuorumWorld, int, list[Any]]:
    """A quorum of which the leader keeps a fetch, and where its answer is going to be."""
    world, leader, _ = settled()
    partition = FetchPartition(METADATA_ID, 0, 1, 1 << 20, 1, 1, **fields)
    request = fetch(1, 1, 1, max_wait_ms=max_wait_ms, partitions=(partition,))
    answers = world.park(leader, request)
    assert answers == []
    return world, leader, answers


def test_a_parked_fetch_is_answered_when_there_are_records() -> None:
    world, leader, answers = parked()
    world.append(leader, "a")
    [answer] = answers
    assert len(answer.partitions[0].records)


def test_a_parked_fetch_is_answered_when_its_time_is_over() -> None:
    world, _, answers = parked()
    assert world.run_until(lambda: bool(answers)) == 500
    assert answers[0].partitions[0].error is ErrorCode.NONE
    assert answers[0].partitions[0].records == b""


def test_a_parked_fetch_is_answered_when_more_is_committed_than_it_knows() -> None:
    world, leader, _ = settled()
    for node in {1, 2, 3} - {leader}:
        world.kill(node)
    world.append(leader, "a")
    partition = FetchPartition(METADATA_ID, 0, 2, 1 << 20, 1, 1, high_watermark=1)
    answers = world.park(leader, fetch(2, 1, 1, max_wait_ms=500, partitions=(partition,)))
    assert answers == []
    for node in {1, 2, 3} - {leader}:
        world.start(node)
    assert world.run_until(lambda: bool(answers)) < 100
    assert answers[0].partitions[0].high_watermark == 2


def test_a_leader_with_a_full_disk_leaves_the_office_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, leader, _ = settled()

    def append(path: str, _parts: object) -> None:
        raise StorageError(f"no space left for {path}")

    monkeypatch.setattr(world.storages[leader], "append", append)
    assert world.append(leader, "a") is None
    world.run_until(lambda: any(other != leader for other in world.leaders))
    (successor,) = world.leaders
    end = world.append(successor, "b")
    others = [node for node in world.nodes if node != leader]
    world.run_until(lambda: all(world.quorums[node].high_watermark == end for node in others))
    world.run(10_000)
    assert world.leaders == [successor]


def test_every_node_knows_the_voters_and_who_leads_them() -> None:
    world, leader, follower = settled()
    for node in (leader, follower):
        told = world.ask(node, DescribeControllers())
        assert (told.cluster_id, told.controller_id) == (CLUSTER_ID, leader)
        assert told.brokers == tuple(world.voters.values())


def test_a_parked_fetch_learns_that_its_leader_resigned() -> None:
    world, leader, answers = parked()
    world.resign(leader)
    assert answers[0].partitions[0].error is ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert answers[0].partitions[0].current_leader == (-1, 1)


def test_a_parked_fetch_of_a_connection_that_is_gone_is_forgotten() -> None:
    world, leader, answers = parked()
    world.quorums[leader].forget(99)
    world.append(leader, "a")
    world.run(1_000)
    assert answers == []


# Following


def follower_of(leader: int) -> tuple[QuorumWorld, Quorum]:
    """One voter alone in the world, which follows a leader that the test plays."""
    world = QuorumWorld(3)
    for node in (1, 2, 3):
        if node != 1:
            world.kill(node)
    world.ask(1, BeginQuorumEpoch(leader, 1))
    return world, world.quorums[1]


def tell(world: QuorumWorld, quorum: Quorum, **fields: Any) -> None:
    """Answer the fetch that the follower has sent last."""
    sends = [s for node, s in world.sent if node == 1 and isinstance(s.request, Fetch)]
    answer = FetchedPartition(METADATA_ID, 0, current_leader=(2, quorum.epoch), **fields)
    for output in quorum.answered(sends[-1], Fetched((answer,)), world.now_ms):
        world.sent.append((1, output))  # type: ignore[arg-type]


def some_log(*values: str, epoch: int = 1) -> bytes:
    """What a leader of this epoch would send."""
    log = MetadataLog(platform(MemoryStorage(), Random(0)), TextCodec(), START_MS)
    for value in values:
        log.append([record(value)], epoch, START_MS)
    return bytes(log.read(0, 1 << 20))


def test_a_follower_takes_whole_batches_only() -> None:
    world, quorum = follower_of(2)
    tell(world, quorum, records=some_log("a", "b")[:-1], high_watermark=9)
    assert (quorum.log_end_offset, quorum.high_watermark) == (1, 1)
    assert [text_of(each) for _, each in quorum.take_committed()] == ["a"]


def test_a_leader_that_sends_no_whole_batch_is_not_asked_again_at_once() -> None:
    world, quorum = follower_of(2)
    before = len(world.sent)
    tell(world, quorum, records=some_log("a")[:-1])
    assert [send.to.node_id for _, send in world.sent[before:]] == [3]
    assert quorum.log_end_offset == 0


@pytest.mark.parametrize("position", [3, 14, 16, 20, 30, HEADER_SIZE + 5])
def test_a_follower_leaves_out_what_is_damaged(position: int) -> None:
    world, quorum = follower_of(2)
    first, both = some_log("a"), bytearray(some_log("a", "b"))
    both[len(first) + position] ^= 0x41
    tell(world, quorum, records=both, high_watermark=2)
    assert quorum.log_end_offset == 1
    assert quorum.high_watermark == 0


def test_a_follower_takes_no_records_of_epochs_to_come() -> None:
    world, quorum = follower_of(2)
    tell(world, quorum, records=some_log("a", epoch=2), high_watermark=1)
    assert quorum.log_end_offset == 0


def test_a_follower_never_cuts_what_is_committed() -> None:
    world, quorum = follower_of(2)
    tell(world, quorum, records=some_log("a", "b", "c"), high_watermark=2)
    tell(world, quorum, diverging_epoch=EpochEnd(1, 1))
    assert quorum.log_end_offset == 3


def test_a_follower_cuts_what_its_leader_has_not() -> None:
    world, quorum = follower_of(2)
    tell(world, quorum, records=some_log("a", "b", "c"), high_watermark=1)
    tell(world, quorum, diverging_epoch=EpochEnd(1, 2))
    assert quorum.log_end_offset == 2
    world.lose_power(1)
    world.start(1)
    assert world.quorums[1].log_end_offset == 2


def test_an_answer_that_comes_after_its_time_changes_nothing() -> None:
    world, quorum = follower_of(2)
    world.ask(1, BeginQuorumEpoch(3, 2))
    sends = [s for node, s in world.sent if isinstance(s.request, Fetch) and s.to.node_id == 2]
    late = FetchedPartition(METADATA_ID, 0, records=some_log("a"), current_leader=(2, 1))
    quorum.answered(sends[-1], Fetched((late,)), world.now_ms)
    assert quorum.log_end_offset == 0


def test_a_node_that_cannot_be_reached_is_asked_ever_less_often() -> None:
    world, _ = follower_of(2)
    before = len(world.sent)
    world.run(1_000)
    assert 5 < len(world.sent) - before < 40


def test_a_follower_asks_for_no_more_than_its_option_says() -> None:
    config = QuorumConfig(controller_quorum_fetch_max_bytes=1)
    world, leader, _ = settled(config=config)
    world.append(leader, "a")
    world.append(leader, "b")
    world.settle()
    assert {
        send.request.max_bytes for _, send in world.sent if isinstance(send.request, Fetch)
    } == {1}
    assert world.rules.committed == {1: "a", 2: "b"}


# The log


def test_an_epoch_begins_with_kafkas_control_record() -> None:
    world, leader, _ = settled()
    content = world.log(leader)
    header = read_header(content)
    assert (header.attributes, header.partition_leader_epoch) == (CONTROL, 1)
    assert header.checksum == crc32c.crc32c(content[21 : header.size])
    [change] = read_records(header, content[HEADER_SIZE : header.size])
    assert bytes(change.key or b"") == b"\0\0\0\2"
    message = decode_message("LeaderChangeMessage", 0, bytes(change.value or b""))
    assert message.leader_id == leader
    assert [voter.voter_id for voter in message.voters] == [1, 2, 3]
    granting = {voter.voter_id for voter in message.granting_voters}
    assert leader in granting
    assert len(granting) >= 2


# Describing


def test_a_leader_describes_its_quorum() -> None:
    world, leader, follower = settled(observers=1)
    world.append(leader, "a")
    world.settle()
    world.run(1_000)
    world.kill(follower)
    world.run(1_000)
    described = world.ask(leader, DescribeQuorum())
    [log] = described.logs
    assert (log.error, log.leader_id, log.leader_epoch) == (ErrorCode.NONE, leader, 1)
    assert log.high_watermark == 2
    assert [each.replica_id for each in log.voters] == [1, 2, 3]
    assert [each.replica_id for each in log.observers] == [4]
    assert {each.log_end_offset for each in (*log.voters, *log.observers)} == {2}
    times = {each.replica_id: each for each in log.voters}
    assert (times[leader].last_fetch_ms, times[leader].last_caught_up_ms) == (-1, world.now_ms)
    assert times[follower].last_caught_up_ms == times[follower].last_fetch_ms
    assert world.now_ms - 1_500 <= times[follower].last_fetch_ms <= world.now_ms - 1_000
    assert described.nodes == tuple(world.voters.values())


def test_an_observer_that_is_gone_is_forgotten() -> None:
    world, leader, _ = settled(observers=1)
    world.kill(4)
    world.run(301_000)
    assert world.ask(leader, DescribeQuorum()).logs[0].observers == ()


def test_others_do_not_describe_the_quorum() -> None:
    world, _, follower = settled()
    [log] = world.ask(follower, DescribeQuorum()).logs
    assert log.error is ErrorCode.NOT_LEADER_OR_FOLLOWER
    strange = TopicPartition("orders", 0)
    logs = world.ask(follower, DescribeQuorum((METADATA_PARTITION, strange))).logs
    assert {log.error for log in logs} == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
