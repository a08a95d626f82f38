"""What happened to partitions that somebody else may wait for, until it is taken."""

from __future__ import annotations

from dataclasses import dataclass, field

from impl.core.cluster.topics import TopicPartition


@dataclass(slots=True)
class Changes:
    """Whoever takes care of a kind of change empties its set, in a determined order."""

    moved: set[TopicPartition] = field(default_factory=set)
    """An end, the high watermark, the log start or the role is another one than before."""

    followed: set[TopicPartition] = field(default_factory=set)
    """A follower is at another place than before, or has deleted more."""

    reassigned: set[TopicPartition] = field(default_factory=set)
    """There is another leader or leader epoch to follow, or none any more."""

    proposing: set[TopicPartition] = field(default_factory=set)
    """The leader proposes other in-sync replicas, and nobody has sent it yet."""


def take(changes: set[TopicPartition]) -> list[TopicPartition]:
    if not changes:
        return []
    taken = sorted(changes)
    changes.clear()
    return taken
