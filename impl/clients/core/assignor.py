"""The range assignor: each topic's partitions in runs, over the members that want the topic.

Its words on the wire are Kafka's ConsumerProtocol, version 0 and up: topics, user data; topics
with partitions, user data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from impl.clients.core.accumulator import Target
from impl.wire import Struct, decode_message, encode_message

NAME = "range"
_VERSION = 0
_VERSION_BYTES = _VERSION.to_bytes(2, "big")


def assign(
    subscriptions: Mapping[str, Iterable[str]], partitions: Mapping[str, Sequence[int]]
) -> dict[str, list[Target]]:
    """For each member its partitions.

    >>> assign({"a": ["t"], "b": ["t"]}, {"t": [0, 1, 2]})["a"]
    [Target(topic='t', partition=0), Target(topic='t', partition=1)]
    """
    assigned: dict[str, list[Target]] = {member: [] for member in subscriptions}
    for topic in sorted({topic for topics in subscriptions.values() for topic in topics}):
        members = sorted(m for m, topics in subscriptions.items() if topic in topics)
        some, extra = divmod(len(partitions.get(topic, ())), len(members))
        start = 0
        for index, member in enumerate(members):
            end = start + some + (index < extra)
            assigned[member] += [Target(topic, p) for p in partitions.get(topic, ())[start:end]]
            start = end
    return assigned


def write_subscription(topics: Iterable[str]) -> bytes:
    body = Struct(topics=sorted(topics), user_data=None)
    return _VERSION_BYTES + encode_message("ConsumerProtocolSubscription", _VERSION, body)


def read_subscription(metadata: bytes) -> list[str]:
    version = min(int.from_bytes(metadata[:2], "big"), 3)
    return list(decode_message("ConsumerProtocolSubscription", version, metadata[2:]).topics)


def write_assignment(targets: Iterable[Target]) -> bytes:
    topics: dict[str, list[int]] = defaultdict(list)
    for topic, partition in targets:
        topics[topic].append(partition)
    body = Struct(
        assigned_partitions=[Struct(topic=t, partitions=each) for t, each in topics.items()],
        user_data=None,
    )
    return _VERSION_BYTES + encode_message("ConsumerProtocolAssignment", _VERSION, body)


def read_assignment(assignment: bytes) -> list[Target]:
    if not assignment:
        return []
    version = min(int.from_bytes(assignment[:2], "big"), 3)
    body = decode_message("ConsumerProtocolAssignment", version, assignment[2:])
    return [
        Target(topic.topic, partition)
        for topic in body.assigned_partitions
        for partition in topic.partitions
    ]
