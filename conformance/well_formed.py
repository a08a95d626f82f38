"""One well-formed request of each API for clients, in families, and harmless to other checks.

What a broker answers to them may well be an error: an unknown group, a transaction that does not
exist. The point is that it answers. Fields serve every version of their API at once.
"""

from collections.abc import Callable, Mapping

from conformance import requests
from conformance.requests import Fields
from conformance.session import Session

TOPIC_RESOURCE = 2
TIMEOUT_MS = 1000
ALL_OPERATIONS = 3
SOME_GENERATION = 1


class World:
    """What the requests are about: a topic, a group and a transaction of this check alone."""

    def __init__(self, session: Session) -> None:
        self.topic = session.create_topic()
        self.group = session.group_name()
        self.transaction = session.name("transaction")
        self.missing = session.name("missing")
        session.coordinator(self.group)


Requests = Mapping[str, Callable[[World], Fields]]


def _member(world: World) -> Fields:
    return {
        "group_id": world.group,
        "generation_id": SOME_GENERATION,
        "member_id": "nobody",
        "protocol_type": "consumer",
        "protocol_name": "range",
    }


def _producer(world: World) -> Fields:
    return {"transactional_id": world.transaction, "producer_id": 1, "producer_epoch": 0}


def _partitions(world: World, name: str = "partitions") -> list[Fields]:
    return [{"name": world.topic.name, name: [0]}]


def _commit(world: World) -> list[Fields]:
    partition = {"partition_index": 0, "committed_offset": 0}
    return [{"name": world.topic.name, "partitions": [partition]}]


def _with_id(world: World, topics: list[Fields]) -> list[Fields]:
    return [topic | {"topic_id": world.topic.id} for topic in topics]


def _resource(world: World) -> Fields:
    return {"resource_type": TOPIC_RESOURCE, "resource_name": world.topic.name}


DATA: Requests = {
    "Produce": lambda w: requests.produce(w.topic, {0: [b"a"]}),
    "Fetch": lambda w: requests.fetch(w.topic, {0: 0}, max_wait_ms=0),
    "ListOffsets": lambda w: requests.list_offsets(w.topic, {0: requests.LATEST}),
    "OffsetForLeaderEpoch": lambda w: {
        "topics": [
            {"topic": w.topic.name, "partitions": [{"partition": 0, "leader_epoch": 0}]},
        ]
    },
    "DeleteRecords": lambda w: {
        "topics": [{"name": w.topic.name, "partitions": [{"partition_index": 0, "offset": 0}]}],
        "timeout_ms": TIMEOUT_MS,
    },
}

GROUPS: Requests = {
    "FindCoordinator": lambda w: {"key": w.group, "coordinator_keys": [w.group]},
    "JoinGroup": lambda w: {
        "group_id": w.group,
        "member_id": "nobody",
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": b""}],
        "session_timeout_ms": 10000,
        "rebalance_timeout_ms": 10000,
    },
    "SyncGroup": lambda w: {**_member(w), "assignments": []},
    "Heartbeat": lambda w: {k: v for k, v in _member(w).items() if "protocol" not in k},
    "LeaveGroup": lambda w: {
        "group_id": w.group,
        "member_id": "nobody",
        "members": [{"member_id": "nobody"}],
    },
    "OffsetCommit": lambda w: {"group_id": w.group, "topics": _with_id(w, _commit(w))},
    "OffsetFetch": lambda w: {
        "group_id": w.group,
        "topics": _partitions(w, "partition_indexes"),
        "groups": [
            {"group_id": w.group, "topics": _with_id(w, _partitions(w, "partition_indexes"))}
        ],
    },
    "DescribeGroups": lambda w: {"groups": [w.group]},
    "ConsumerGroupDescribe": lambda w: {"group_ids": [w.group]},
    "ListGroups": lambda _: {},
    "DeleteGroups": lambda w: {"groups_names": [w.missing]},
    "OffsetDelete": lambda w: {
        "group_id": w.group,
        "topics": [{"name": w.topic.name, "partitions": [{"partition_index": 0}]}],
    },
}

TRANSACTIONS: Requests = {
    "InitProducerId": lambda _: {"transactional_id": None, "transaction_timeout_ms": 60000},
    "AddOffsetsToTxn": lambda w: {**_producer(w), "group_id": w.group},
    "EndTxn": lambda w: {**_producer(w), "committed": False},
    "TxnOffsetCommit": lambda w: {
        **_producer(w),
        "group_id": w.group,
        "topics": _commit(w),
    },
    "DescribeTransactions": lambda w: {"transactional_ids": [w.transaction]},
    "ListTransactions": lambda _: {},
    "DescribeProducers": lambda w: {"topics": [{"name": w.topic.name, "partition_indexes": [0]}]},
}

ADMINISTRATION: Requests = {
    "CreateTopics": lambda w: {
        **requests.create_topic(w.missing, 1, 1, {}),
        "validate_only": True,
    },
    "DeleteTopics": lambda w: requests.delete_topics([w.missing]),
    "CreatePartitions": lambda w: {
        "topics": [{"name": w.topic.name, "count": 2, "assignments": None}],
        "timeout_ms": TIMEOUT_MS,
        "validate_only": True,
    },
    "DescribeConfigs": lambda w: {"resources": [{**_resource(w), "configuration_keys": None}]},
    "AlterConfigs": lambda w: {
        "resources": [{**_resource(w), "configs": [{"name": "retention.ms", "value": "1000"}]}],
        "validate_only": True,
    },
    "IncrementalAlterConfigs": lambda w: {
        "resources": [{**_resource(w), "configs": [{"name": "retention.ms", "value": "1000"}]}],
        "validate_only": True,
    },
    "ElectLeaders": lambda w: {
        "topic_partitions": [{"topic": w.topic.name, "partitions": [0]}],
        "timeout_ms": TIMEOUT_MS,
    },
    "ListPartitionReassignments": lambda _: {"topics": None, "timeout_ms": TIMEOUT_MS},
}

CLUSTER: Requests = {
    "ApiVersions": lambda _: {
        "client_software_name": "brokerspec",
        "client_software_version": "1",
    },
    "Metadata": lambda w: {"topics": [{"name": w.topic.name}]},
    "DescribeCluster": lambda _: {},
    "DescribeTopicPartitions": lambda w: {"topics": [{"name": w.topic.name}]},
    "DescribeLogDirs": lambda _: {"topics": None},
    "DescribeQuorum": lambda _: {
        "topics": [{"topic_name": "__cluster_metadata", "partitions": [{"partition_index": 0}]}]
    },
}
