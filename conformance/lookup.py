"""Who leads a partition, who coordinates a group: asked once, without waiting.

The session asks again until there is an answer. Errors that will not pass are Inconclusive, since
a check that needs a leader or a coordinator does not judge how it is found.
"""

from conformance.client import Address, Client
from conformance.requests import Fields
from conformance.verdict import Inconclusive
from conformance.wire import Struct
from spec.wire.errors import ErrorCode, name_of

GROUP, TRANSACTION = 0, 1
"""The kinds of keys that have a coordinator."""

FIRST_BATCHED_FIND_COORDINATOR = 4
PASSING = {
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
}


def metadata(client: Client, topic: str, create: bool) -> Struct:
    """The metadata of one topic; with `create`, the broker may make it."""
    topics = [{"name": topic}]
    return client.call("Metadata", topics=topics, allow_auto_topic_creation=create)


def leaders(answer: Struct) -> dict[tuple[str, int], Address]:
    """Where the leaders are, by topic and partition, as far as Metadata knows them."""
    brokers = {broker.node_id: (broker.host, broker.port) for broker in answer.brokers}
    return {
        (topic.name, partition.partition_index): brokers[partition.leader_id]
        for topic in answer.topics
        for partition in topic.partitions
        if partition.leader_id in brokers
    }


def find_coordinator(client: Client, key: str, kind: int) -> Address | None:
    """The address of a coordinator, or None while there is none."""
    version = client.version("FindCoordinator")
    answer = client.call(
        "FindCoordinator", version, key=key, key_type=kind, coordinator_keys=[key]
    )
    if version >= FIRST_BATCHED_FIND_COORDINATOR:
        answer = answer.coordinators[0]
    if answer.error_code == ErrorCode.NONE:
        return answer.host, answer.port
    if answer.error_code not in PASSING:
        raise Inconclusive(f"FindCoordinator answers {name_of(answer.error_code)}")
    return None


def coordinator_has_loaded(client: Client, key: str, kind: int) -> bool:
    """Whether it answers a request that it must refuse with another error than those that pass.

    Not with Heartbeat: while Apache Kafka loads a group it answers that without an error.
    """
    if kind == GROUP:
        fields: Fields = {"group_id": key, "generation_id": 0, "member_id": "nobody"}
        fields |= {"protocol_type": "consumer", "protocol_name": "range"}
        return client.call("SyncGroup", **fields).error_code not in PASSING
    fields = {"transactional_id": key, "producer_id": 0, "producer_epoch": 0, "committed": False}
    has_loaded = client.call("EndTxn", **fields).error_code not in PASSING
    return has_loaded and new_producer(client) is not None


def new_producer(client: Client) -> tuple[int, int] | None:
    """A fresh producer id and epoch, or None while the broker has no ids to give."""
    answer = client.call("InitProducerId", transactional_id=None)
    if answer.error_code in PASSING:
        return None
    if answer.error_code != ErrorCode.NONE:
        raise Inconclusive(f"InitProducerId answers {name_of(answer.error_code)}")
    return answer.producer_id, answer.producer_epoch
