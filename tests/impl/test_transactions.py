"""The transaction coordinator, rule by rule, with partitions on other brokers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impl.core.cluster.topics import TopicPartition
from impl.core.log.markers import ProducerIdentity
from impl.core.transactions.messages import (
    AddOffsets,
    AddPartitions,
    PartitionsOfTransaction,
    WriteMarkers,
)
from impl.core.transactions.transaction import (
    FORMER_STATES,
    MAXIMUM_EPOCH,
    NUMBERED_STATES,
    State,
    Transaction,
)
from spec.wire.errors import ErrorCode
from tests.impl.transaction_requests import (
    FIRST,
    add,
    added,
    begun,
    end,
    refusal,
    state,
)
from tests.impl.transaction_world import (
    STATE,
    TOPIC,
    World,
    identity,
)


@pytest.fixture
def world() -> World:
    return World()


# Starting


def test_a_newcomer_gets_a_higher_epoch_of_the_same_producer(world: World) -> None:
    first = identity(world.init())
    second = identity(world.init())
    assert first.producer_epoch == 0
    assert second == ProducerIdentity(first.producer_id, 1)


def test_a_newcomer_fences_its_predecessor(world: World) -> None:
    first = identity(world.init())
    world.init()
    assert refusal(world, first) is ErrorCode.PRODUCER_FENCED
    assert end(world, first, commits=True).error is ErrorCode.PRODUCER_FENCED


def test_each_transactional_id_has_a_producer_of_its_own(world: World) -> None:
    ids = {identity(world.init(name)).producer_id for name in ("a", "b", "c", None, None)}
    assert len(ids) == 5


def test_a_producer_that_names_its_epoch_goes_on_with_the_next(world: World) -> None:
    producer = identity(world.init())
    named: dict[str, Any] = producer._asdict()
    following = identity(world.init(**named))
    assert following == ProducerIdentity(producer.producer_id, 1)
    assert identity(world.init(**named)) == following, "it may not have got the answer"


def test_a_producer_that_names_an_old_epoch_is_fenced(world: World) -> None:
    producer = identity(world.init())
    world.init()
    named: dict[str, Any] = producer._asdict()
    assert world.init(**named).error is ErrorCode.PRODUCER_FENCED
    old = world.init(**named, api_version=3)
    assert old.error is ErrorCode.INVALID_PRODUCER_EPOCH


def test_half_an_identity_is_none(world: World) -> None:
    assert world.init(producer_id=7).error is ErrorCode.INVALID_REQUEST
    assert world.init(producer_epoch=7).error is ErrorCode.INVALID_REQUEST


def test_a_transactional_id_is_not_empty(world: World) -> None:
    assert world.init("").error is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
def test_a_timeout_out_of_bounds_is_refused(world: World, timeout_ms: int) -> None:
    refused = world.init(transaction_timeout_ms=timeout_ms)
    assert refused.error is ErrorCode.INVALID_TRANSACTION_TIMEOUT


def test_the_longest_timeout_is_taken(world: World) -> None:
    assert not world.init(transaction_timeout_ms=900_000).error


def test_leftovers_are_aborted_before_a_newcomer_begins(world: World) -> None:
    old = begun(world)
    assert world.init().error is ErrorCode.CONCURRENT_TRANSACTIONS
    world.advance(1_000)
    new = identity(world.init())
    assert new.producer_id == old.producer_id
    assert new.producer_epoch > old.producer_epoch
    assert world.committed() == []
    assert world.stable_end() == 2


def test_while_markers_are_on_their_way_a_newcomer_waits(world: World) -> None:
    begun(world)
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    for _ in range(3):
        assert world.init().error is ErrorCode.CONCURRENT_TRANSACTIONS
    world.losing = lambda _: False
    world.advance(1_000)
    assert not world.init().error


def test_a_zombie_can_not_end_what_was_aborted_in_its_place(world: World) -> None:
    zombie = begun(world)
    world.init()
    world.advance(1_000)
    for version in (4, 5):
        for commits in (True, False):
            ended = end(world, zombie, commits=commits, version=version)
            assert ended.error is ErrorCode.PRODUCER_FENCED


# Requests of others


def test_requests_of_others_are_refused(world: World) -> None:
    producer = identity(world.init())
    stranger = ProducerIdentity(producer.producer_id + 1, producer.producer_epoch)
    mapping = ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert refusal(world, stranger) is mapping
    assert refusal(world, producer, transactional_id="unknown") is mapping
    assert end(world, stranger, commits=True).error is mapping
    offsets = AddOffsets("t", stranger, "g")
    assert world.ask(offsets).error is mapping


@pytest.mark.parametrize(
    ("version", "error"),
    [(1, ErrorCode.INVALID_PRODUCER_EPOCH), (2, ErrorCode.PRODUCER_FENCED)],
)
def test_older_clients_know_another_word_for_fenced(
    world: World, version: int, error: ErrorCode
) -> None:
    producer = identity(world.init())
    future = ProducerIdentity(producer.producer_id, 7)
    assert refusal(world, future, version=version) is error
    assert end(world, future, commits=True, version=version).error is error
    assert world.ask(AddOffsets("t", future, "g", version)).error is error


# Adding


def test_partitions_that_are_added_again_change_nothing(world: World) -> None:
    producer = begun(world)
    written = world.partition(STATE).log.log_end_offset
    assert added(world, producer)
    assert world.partition(STATE).log.log_end_offset == written


def test_with_one_partition_that_does_not_exist_none_is_added(world: World) -> None:
    producer = identity(world.init())
    missing = TopicPartition(TOPIC, 9)
    assert add(world, producer, FIRST, missing) == {
        FIRST: ErrorCode.OPERATION_NOT_ATTEMPTED,
        missing: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
    assert state(world) == "Empty"


def test_adding_waits_for_the_former_end(world: World) -> None:
    producer = begun(world)
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    assert not end(world, producer, commits=True).error
    assert refusal(world, producer) is ErrorCode.CONCURRENT_TRANSACTIONS
    world.losing = lambda _: False
    world.advance(1_000)
    assert added(world, producer)


def test_several_transactions_of_a_broker_are_answered_together(world: World) -> None:
    asked = [
        PartitionsOfTransaction(name, identity(world.init(name)), (FIRST,)) for name in ("a", "b")
    ]
    asked.append(PartitionsOfTransaction("c", ProducerIdentity(99, 0), (FIRST,)))
    errors = world.ask(AddPartitions(tuple(asked))).errors
    assert {name: each[FIRST] for name, each in errors.items()} == {
        "a": ErrorCode.NONE,
        "b": ErrorCode.NONE,
        "c": ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    }


# Ending


@pytest.mark.parametrize("commits", [True, False])
def test_a_transaction_takes_effect_in_all_its_partitions_or_in_none(
    world: World, commits: bool
) -> None:
    producer = begun(world)
    assert world.committed(0) == world.committed(1) == []
    assert world.everything(0) == [b"0"]
    assert not end(world, producer, commits=commits).error
    assert (world.committed(0), world.committed(1)) == (([b"0"], [b"1"]) if commits else ([], []))
    assert world.everything(0) == [b"0", None], "a marker takes an offset"
    assert world.stable_end(0) == world.stable_end(1) == 2


def test_a_reader_of_everything_hears_of_no_aborted_transaction(world: World) -> None:
    producer = begun(world)
    end(world, producer, commits=False)
    assert world.fetch(FIRST, isolation_level=0).aborted == ()
    assert world.fetch(FIRST).aborted == ((producer.producer_id, 0),)
    assert world.fetch(FIRST, offset=2).aborted == ()


@pytest.mark.parametrize("commits", [True, False])
def test_without_a_transaction_there_is_nothing_to_end(world: World, commits: bool) -> None:
    producer = identity(world.init())
    assert end(world, producer, commits=commits).error is ErrorCode.INVALID_TXN_STATE


@pytest.mark.parametrize("commits", [True, False])
def test_ending_twice_is_the_same_as_ending_once(world: World, commits: bool) -> None:
    producer = begun(world)
    for _ in range(2):
        assert not end(world, producer, commits=commits).error
    other = end(world, producer, commits=not commits)
    assert other.error is ErrorCode.INVALID_TXN_STATE
    assert world.everything() == [b"0", None]


def test_while_it_is_being_completed_an_end_is_to_be_repeated(world: World) -> None:
    producer = begun(world)
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    assert not end(world, producer, commits=True).error
    assert end(world, producer, commits=True).error is ErrorCode.CONCURRENT_TRANSACTIONS


def test_every_state_change_is_one_of_the_table() -> None:
    former = {state.value: {f.value for f in FORMER_STATES[state]} for state in State}
    resting = {"Empty", "CompleteCommit", "CompleteAbort"}
    assert former == {
        "Empty": resting,
        "Ongoing": {*resting, "Ongoing"},
        "PrepareCommit": {"Ongoing"},
        "PrepareAbort": {*resting, "Ongoing", "PrepareEpochFence"},
        "CompleteCommit": {"PrepareCommit"},
        "CompleteAbort": {"PrepareAbort"},
        "Dead": resting,
        "PrepareEpochFence": {"Ongoing"},
    }


def test_a_state_change_that_is_none_is_a_mistake() -> None:
    empty = Transaction("t", 7, 60_000, 0)
    with pytest.raises(AssertionError):
        empty.completed(0)
    with pytest.raises(AssertionError):
        empty.fenced(0)


def test_states_have_the_numbers_of_the_log() -> None:
    assert [state.value for state in NUMBERED_STATES] == [
        "Empty",
        "Ongoing",
        "PrepareCommit",
        "PrepareAbort",
        "CompleteCommit",
        "CompleteAbort",
        "Dead",
        "PrepareEpochFence",
    ]


# Transactions of version 2


def test_every_end_brings_a_new_epoch(world: World) -> None:
    producer = identity(world.init())
    for epoch in range(3):
        assert producer.producer_epoch == epoch
        assert not world.produce(producer, [b"%d" % epoch]).error
        ended = end(world, producer, commits=epoch != 1, version=5)
        assert not ended.error
        assert ended.producer.producer_id == producer.producer_id
        producer = ended.producer
    assert world.committed() == [b"0", b"2"]


def test_a_repeated_end_brings_what_the_first_one_brought(world: World) -> None:
    producer = identity(world.init())
    world.produce(producer, [b"x"])
    first = end(world, producer, commits=True, version=5)
    assert end(world, producer, commits=True, version=5) == first
    other = end(world, producer, commits=False, version=5)
    assert other.error is ErrorCode.INVALID_TXN_STATE


def test_an_abort_without_a_transaction_makes_sure_that_nothing_is_left(world: World) -> None:
    producer = identity(world.init())
    commit = end(world, producer, commits=True, version=5)
    assert commit.error is ErrorCode.INVALID_TXN_STATE
    for _ in range(2):
        aborted = end(world, producer, commits=False, version=5)
        assert aborted.producer == ProducerIdentity(
            producer.producer_id, producer.producer_epoch + 1
        )
        producer = aborted.producer
    assert world.everything() == []


def test_a_late_batch_of_the_transaction_before_is_recognised(world: World) -> None:
    producer = identity(world.init())
    world.produce(producer, [b"x"])
    ended = end(world, producer, commits=True, version=5)
    assert not world.produce(ended.producer, [b"y"]).error
    late = world.produce(producer, [b"late"], sequence=1)
    assert late.error is ErrorCode.INVALID_PRODUCER_EPOCH


def test_the_next_transaction_does_not_join_one_whose_marker_is_on_the_way(
    world: World,
) -> None:
    producer = identity(world.init())
    world.produce(producer, [b"x"])
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    ended = end(world, producer, commits=True, version=5)
    early = world.produce(ended.producer, [b"y"])
    assert early.error is ErrorCode.CONCURRENT_TRANSACTIONS
    world.losing = lambda _: False
    world.advance(1_000)
    assert not world.produce(ended.producer, [b"y"]).error
    end(world, ended.producer, commits=False, version=5)
    assert world.committed() == [b"x"]


# Epochs


def exhaust(world: World) -> ProducerIdentity:
    """Bring the id to the last epoch that is given out."""
    producer = identity(world.init())
    shard = world.coordinator().transactions._coordinator.log.find("t")
    entry = shard.entries["t"]
    assert entry.transaction is not None
    entry.transaction = replace(entry.transaction, producer_epoch=MAXIMUM_EPOCH - 1)
    return ProducerIdentity(producer.producer_id, MAXIMUM_EPOCH - 1)


def test_when_the_epochs_are_used_up_a_new_producer_id_goes_on(world: World) -> None:
    producer = exhaust(world)
    following = identity(world.init())
    assert following.producer_id != producer.producer_id
    assert following.producer_epoch == 0


def test_a_producer_that_names_the_last_epoch_gets_a_new_id_once(world: World) -> None:
    producer = exhaust(world)
    named: dict[str, Any] = producer._asdict()
    following = identity(world.init(**named))
    assert following.producer_epoch == 0
    assert identity(world.init(**named)) == following


def test_the_last_epoch_can_still_be_fenced(world: World) -> None:
    producer = exhaust(world)
    assert added(world, producer)
    world.produce(producer, [b"x"], api_version=11)
    assert world.init().error is ErrorCode.CONCURRENT_TRANSACTIONS
    world.advance(1_000)
    assert identity(world.init()).producer_id != producer.producer_id
    assert world.committed() == []


def test_an_end_at_the_last_epoch_brings_a_new_producer_id(world: World) -> None:
    producer = exhaust(world)
    assert not world.produce(producer, [b"x"]).error
    ended = end(world, producer, commits=True, version=5)
    assert ended.producer.producer_id != producer.producer_id
    assert ended.producer.producer_epoch == 0
    assert end(world, producer, commits=True, version=5) == ended
    assert not world.produce(ended.producer, [b"y"]).error
    assert not end(world, ended.producer, commits=True, version=5).error
    assert world.committed() == [b"x", b"y"]


def test_a_new_producer_id_is_not_taken_for_a_stranger_while_the_former_ends(
    world: World,
) -> None:
    producer = exhaust(world)
    world.produce(producer, [b"x"])
    world.losing = lambda message: isinstance(message.send.request, WriteMarkers)
    ended = end(world, producer, commits=True, version=5)
    refused = world.produce(ended.producer, [b"y"])
    assert refused.error is ErrorCode.CONCURRENT_TRANSACTIONS
