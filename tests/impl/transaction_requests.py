"""What the tests of transactions ask a coordinator, in few words."""

from __future__ import annotations

from typing import Any

from impl.core.cluster.topics import TopicPartition
from impl.core.log.markers import ProducerIdentity
from impl.core.transactions.messages import (
    AddPartitions,
    DescribeTransactions,
    EndTransaction,
    PartitionsOfTransaction,
)
from spec.wire.errors import ErrorCode
from tests.impl.transaction_world import (
    TOPIC,
    World,
    identity,
)

FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)


def add(
    world: World,
    producer: ProducerIdentity,
    *partitions: TopicPartition,
    version: int = 3,
    transactional_id: str = "t",
) -> Any:
    asked = PartitionsOfTransaction(transactional_id, producer, partitions or (FIRST, SECOND))
    answer = world.ask(AddPartitions((asked,), version))
    return None if answer is None else answer.errors[transactional_id]


def added(world: World, producer: ProducerIdentity, *partitions: TopicPartition) -> bool:
    return not any(add(world, producer, *partitions).values())


def refusal(world: World, producer: ProducerIdentity, **fields: Any) -> ErrorCode:
    (error,) = set(add(world, producer, **fields).values())
    return ErrorCode(error)


def end(world: World, producer: ProducerIdentity, *, commits: bool, version: int = 4) -> Any:
    return world.ask(EndTransaction("t", producer, commits, version))


def state(world: World, transactional_id: str = "t") -> str:
    (found,) = world.ask(DescribeTransactions((transactional_id,))).transactions
    return str(found.state)


def begun(world: World) -> ProducerIdentity:
    """A transaction of version 1 with a record in each of two partitions."""
    producer = identity(world.init())
    assert added(world, producer)
    for index in range(2):
        produced = world.produce(producer, [b"%d" % index], index, api_version=11)
        assert not produced.error
    return producer
