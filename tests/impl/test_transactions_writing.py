"""What partitions take in transactions; markers, timeouts, and failures of the coordinator."""

from __future__ import annotations

import pytest

from impl.core.cluster.topics import OFFSETS_TOPIC
from impl.core.data.messages import InitProducerId
from impl.core.groups.lookup import TRANSACTION, FindCoordinators
from impl.core.log.batch import TRANSACTIONAL
from impl.core.log.markers import Marker
from impl.core.refusal import KafkaError
from impl.core.transactions.config import TransactionConfig
from impl.core.transactions.messages import (
    AddedOffsets,
    AddOffsets,
    DescribeProducers,
    DescribeTransactions,
    EndTransaction,
    ListTransactions,
    WriteMarkers,
)
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import World as BrokerWorld
from tests.impl.broker_world import batch
from tests.impl.transaction_requests import (
    FIRST,
    SECOND,
    added,
    begun,
    end,
    refusal,
    state,
)
from tests.impl.transaction_world import (
    OFFSETS,
    STATE,
    World,
    identity,
    stored,
)


@pytest.fixture
def world() -> World:
    return World()


# Writing


@pytest.mark.parametrize(
    ("version", "error"),
    [(10, ErrorCode.INVALID_TXN_STATE), (11, ErrorCode.TRANSACTION_ABORTABLE)],
)
def test_a_stray_batch_is_refused(world: World, version: int, error: ErrorCode) -> None:
    producer = identity(world.init())
    assert added(world, producer, SECOND)
    stray = world.produce(producer, [b"x"], index=0, api_version=version)
    assert stray.error is error
    assert world.everything() == []


def test_a_batch_after_the_end_is_refused(world: World) -> None:
    producer = begun(world)
    end(world, producer, commits=True)
    late = world.produce(producer, [b"late"], sequence=1, api_version=11)
    assert late.error is ErrorCode.TRANSACTION_ABORTABLE
    assert world.stable_end() == 2


def test_who_names_no_transaction_writes_in_none(world: World) -> None:
    producer = identity(world.init())
    assert added(world, producer)
    anonymous = world.produce(
        producer, [b"x"], transactional_id=None, attributes=TRANSACTIONAL, api_version=11
    )
    assert anonymous.error is ErrorCode.INVALID_TXN_STATE
    other = world.produce(producer, [b"x"], transactional_id="other", api_version=11)
    assert other.error is ErrorCode.INVALID_PRODUCER_ID_MAPPING


def test_within_a_transaction_every_batch_belongs_to_it(world: World) -> None:
    producer = begun(world)
    plain = world.produce(producer, [b"x"], sequence=1, transactional_id=None)
    assert plain.error is ErrorCode.INVALID_TXN_STATE


def test_a_verified_batch_that_comes_after_its_marker_is_refused(world: World) -> None:
    """The answer of the coordinator must not let in a record that nobody ever ends."""
    producer = identity(world.init())
    assert added(world, producer)
    node = world.leader(FIRST)
    partition = node.partitions.find(*FIRST)
    ticket = partition.begin_verification(producer, 0, world.now_ms)
    assert ticket is not None
    assert not end(world, producer, commits=False).error
    records = batch(
        b"x",
        timestamp=world.now_ms,
        producer_id=producer.producer_id,
        producer_epoch=0,
        base_sequence=0,
        attributes=TRANSACTIONAL,
    )
    with pytest.raises(KafkaError) as refused:
        partition.append(records, -1, world.now_ms, ticket=ticket)
    assert refused.value.error is ErrorCode.INVALID_TXN_STATE


def test_the_first_batch_of_a_transaction_is_stored_first(world: World) -> None:
    """The first one may be refused for lack of an answer while a later one gets one."""
    producer = identity(world.init())
    assert added(world, producer)
    world.losing = lambda _: True
    lost = world.produce(producer, [b"0"], sequence=0, api_version=11)
    assert lost.error is ErrorCode.NOT_ENOUGH_REPLICAS
    world.losing = lambda _: False
    early = world.produce(producer, [b"1"], sequence=1, api_version=11)
    assert early.error is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    for sequence in range(2):
        produced = world.produce(producer, [b"%d" % sequence], sequence=sequence, api_version=11)
        assert not produced.error


def test_a_batch_waits_for_the_word_of_the_coordinator(world: World) -> None:
    producer = identity(world.init())
    assert added(world, producer)
    world.held = []
    assert world.produce(producer, [b"x"], api_version=11) is None
    assert world.everything() == []
    world.release()
    assert world.everything() == [b"x"]


def test_without_verification_a_broker_takes_the_clients_word() -> None:
    config = TransactionConfig(transaction_partition_verification_enable=False)
    world = World(config=config)
    producer = identity(world.init())
    assert not world.produce(producer, [b"x"], api_version=11).error


def test_in_a_new_epoch_sequences_begin_anew(world: World) -> None:
    producer = begun(world)
    end(world, producer, commits=True)
    following = identity(world.init())
    assert added(world, following)
    wrong = world.produce(following, [b"x"], sequence=1, api_version=11)
    assert wrong.error is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert not world.produce(following, [b"x"], sequence=0, api_version=11).error
    assert refusal(world, producer) is ErrorCode.PRODUCER_FENCED


# Markers


def test_an_old_coordinator_is_fenced(world: World) -> None:
    producer = begun(world)
    world.restart(1)
    assert not end(world, producer, commits=True).error
    partition = world.partition(FIRST)
    for commits in (True, False):
        with pytest.raises(KafkaError) as refused:
            partition.append_marker(Marker(commits, 0), producer, world.now_ms)
        assert refused.value.error is ErrorCode.TRANSACTION_COORDINATOR_FENCED


def test_a_marker_is_a_control_batch_of_the_transaction(world: World) -> None:
    producer = begun(world)
    end(world, producer, commits=True)
    *_, (header, records) = stored(world.fetch(FIRST).records)
    assert header.is_control
    assert header.is_transactional
    assert (header.producer_id, header.base_sequence) == (producer.producer_id, -1)
    (record,) = records
    assert bytes(record.key or b"") == b"\0\0\0\1"
    assert bytes(record.value or b"") == b"\0\0\0\0\0\0"


def test_markers_are_repeated_until_every_partition_knows(world: World) -> None:
    producer = begun(world)
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    assert not end(world, producer, commits=True).error
    world.advance(60_000)
    assert state(world) == "PrepareCommit"
    assert world.committed() == []
    world.losing = lambda _: False
    world.advance(1_000)
    assert state(world) == "CompleteCommit"
    assert (world.committed(0), world.committed(1)) == ([b"0"], [b"1"])


def test_markers_follow_the_leader(world: World) -> None:
    producer = begun(world)
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    assert not end(world, producer, commits=True).error
    world.elect(FIRST, 3)
    world.losing = lambda _: False
    world.advance(1_000)
    assert world.leader(FIRST).node_id == 3
    assert world.committed(0) == [b"0"]
    assert state(world) == "CompleteCommit"


def test_the_stable_end_waits_until_the_marker_is_committed(world: World) -> None:
    producer = begun(world)
    world.demand_follower(FIRST, 3)
    assert not end(world, producer, commits=True).error
    assert world.stable_end(0) == 0
    assert state(world) == "PrepareCommit"
    world.replicate(FIRST, 3)
    assert world.stable_end(0) == 2
    assert state(world) == "CompleteCommit"


# Time


def test_a_forgotten_transaction_is_aborted_and_its_producer_fenced(world: World) -> None:
    producer = begun(world)
    world.advance(59_000)
    assert state(world) == "Ongoing"
    world.advance(12_000)
    assert state(world) == "CompleteAbort"
    assert world.committed() == []
    assert world.stable_end() == 2
    assert refusal(world, producer) is ErrorCode.PRODUCER_FENCED
    late = world.produce(producer, [b"late"], sequence=1, api_version=11)
    assert late.error is ErrorCode.INVALID_PRODUCER_EPOCH
    for commits in (True, False):
        ended = end(world, producer, commits=commits, version=5)
        assert ended.error is ErrorCode.PRODUCER_FENCED


def test_an_id_that_is_not_used_is_forgotten() -> None:
    config = TransactionConfig(transactional_id_expiration_ms=7_200_000)
    world = World(config=config)
    producer = identity(world.init())
    world.advance(7_000_000)
    assert state(world) == "Empty"
    world.advance(4_000_000)
    (described,) = world.ask(DescribeTransactions(("t",))).transactions
    assert described.error is ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
    world.restart(1)
    assert identity(world.init()).producer_id != producer.producer_id


# Failures of the coordinator


@pytest.mark.parametrize("commits", [True, False])
def test_a_decision_survives_its_coordinator(world: World, commits: bool) -> None:
    producer = begun(world)
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    assert not end(world, producer, commits=commits).error
    world.elect(STATE, 2)
    world.losing = lambda _: False
    world.advance(1_000)
    assert state(world) == ("CompleteCommit" if commits else "CompleteAbort")
    assert world.committed(0) == ([b"0"] if commits else [])


def test_an_open_transaction_survives_its_coordinator(world: World) -> None:
    producer = begun(world)
    world.restart(1)
    assert state(world) == "Ongoing"
    assert not world.produce(producer, [b"more"], sequence=1, api_version=11).error
    assert not end(world, producer, commits=True).error
    assert world.committed() == [b"0", b"more"]


def test_a_repeated_end_finds_the_same_answer_at_the_next_coordinator(world: World) -> None:
    producer = identity(world.init())
    world.produce(producer, [b"x"])
    first = end(world, producer, commits=True, version=5)
    world.elect(STATE, 2)
    assert end(world, producer, commits=True, version=5) == first


def test_an_answer_waits_until_it_is_committed(world: World) -> None:
    producer = begun(world)
    world.demand_follower(STATE, 2)
    assert end(world, producer, commits=True) is None
    assert world.everything() == [b"0"], "and nobody is told"
    assert end(world, producer, commits=True).error is ErrorCode.CONCURRENT_TRANSACTIONS
    world.replicate(STATE, 2)
    assert world.committed() == [b"0"]


def test_a_decision_that_was_not_committed_may_get_lost(world: World) -> None:
    producer = begun(world)
    world.demand_follower(STATE, 2)
    call = world.send(EndTransaction("t", producer, commits=True), world.nodes[1])
    world.elect(STATE, 2, keeps_tail=False)
    assert world.nodes[1].replies[call].error is ErrorCode.NOT_COORDINATOR
    assert state(world) == "Ongoing"
    assert not end(world, producer, commits=False).error
    assert world.committed() == []


def test_what_a_new_coordinator_finds_counts_once_it_is_committed(world: World) -> None:
    producer = begun(world)
    world.demand_follower(STATE, 2)
    world.send(EndTransaction("t", producer, commits=True), world.nodes[1])
    world.restart(1)
    loading = end(world, producer, commits=True)
    assert loading.error is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert world.ask(ListTransactions()).error is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert world.everything() == [b"0"]
    world.replicate(STATE, 2)
    assert world.committed() == [b"0"]


def test_who_does_not_coordinate_says_so(world: World) -> None:
    node = world.nodes[2]
    assert world.ask(InitProducerId("t"), node).error is ErrorCode.NOT_COORDINATOR
    world.elect(STATE, 2)
    refused = world.ask(InitProducerId("t"), world.nodes[1])
    assert refused.error is ErrorCode.NOT_COORDINATOR


# What an administrator sees


def test_transactions_and_producers_can_be_looked_at(world: World) -> None:
    producer = begun(world)
    identity(world.init("idle"))
    (described,) = world.ask(DescribeTransactions(("t",))).transactions
    assert (described.state, described.producer) == ("Ongoing", producer)
    assert described.partitions == (FIRST, SECOND)
    assert described.start_ms == world.now_ms
    listed = world.ask(ListTransactions())
    assert {each.transactional_id: each.state for each in listed.transactions} == {
        "t": "Ongoing",
        "idle": "Empty",
    }
    ongoing = world.ask(ListTransactions(states=("Ongoing", "Sleeping")))
    assert [each.transactional_id for each in ongoing.transactions] == ["t"]
    assert ongoing.unknown_states == ("Sleeping",)
    (partition,) = world.ask(DescribeProducers((FIRST,)), world.leader(FIRST)).partitions
    (active,) = partition.producers
    assert (active.producer, active.last_sequence) == (producer, 0)
    assert active.transaction_start == 0
    (elsewhere,) = world.ask(DescribeProducers((FIRST,)), world.nodes[1]).partitions
    assert elsewhere.error is ErrorCode.NONE


def test_offsets_are_added_as_a_partition_of_the_group(world: World) -> None:
    producer = identity(world.init())
    assert not world.ask(AddOffsets("t", producer, "group")).error
    (described,) = world.ask(DescribeTransactions(("t",))).transactions
    assert described.partitions == (OFFSETS,)


def test_offsets_are_added_before_any_group_has_a_coordinator() -> None:
    broker = BrokerWorld(
        transaction_state_log_min_isr="1", transaction_state_log_replication_factor="1"
    )
    broker.ask(FindCoordinators(TRANSACTION, ("t",)))  # creates the topic
    broker.advance(100)
    producer = identity(broker.ask(InitProducerId("t", -1, -1, 60_000, 5)))
    assert broker.ask(AddOffsets("t", producer, "group")) == AddedOffsets()
    assert OFFSETS_TOPIC not in broker.broker.catalogue.topics
