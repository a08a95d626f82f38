"""ElectLeaders: who should lead a partition, asked for by an operator (ELEC-12, ELEC-13).

Decides for what a single broker can meet: it leads whatever has a leader, so no election changes
anything, and the answer is why not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impl.core.cluster.catalogue import Catalogue
from spec.wire.errors import ErrorCode

PREFERRED, UNCLEAN = 0, 1
NO_LEADER = -1


@dataclass(frozen=True, slots=True)
class ElectLeaders:
    """`topics` are names with partitions; None means all partitions that there are."""

    election_type: int
    topics: Sequence[tuple[str, Sequence[int]]] | None


@dataclass(frozen=True, slots=True)
class PartitionElection:
    partition: int
    error: ErrorCode


@dataclass(frozen=True, slots=True)
class Elections:
    error: ErrorCode = ErrorCode.NONE
    topics: Sequence[tuple[str, Sequence[PartitionElection]]] = ()


def elect_leaders(catalogue: Catalogue, request: ElectLeaders) -> Elections:
    if request.election_type not in (PREFERRED, UNCLEAN):
        return Elections(ErrorCode.INVALID_REQUEST)
    if request.topics is not None:
        return Elections(topics=[_elect(catalogue, request, *each) for each in request.topics])
    everything = [(topic.name, list(topic.partitions)) for topic in catalogue.topics.values()]
    held = [_elect(catalogue, request, *each) for each in everything]
    # Whoever asks for all partitions hears only of those where there was something to do.
    return Elections(
        topics=[
            (name, [each for each in outcomes if each.error != ErrorCode.ELECTION_NOT_NEEDED])
            for name, outcomes in held
        ]
    )


def _elect(
    catalogue: Catalogue, request: ElectLeaders, name: str, partitions: Sequence[int]
) -> tuple[str, Sequence[PartitionElection]]:
    kind = request.election_type
    return name, [PartitionElection(p, _outcome(catalogue, kind, name, p)) for p in partitions]


def _outcome(catalogue: Catalogue, kind: int, name: str, partition: int) -> ErrorCode:
    topic = catalogue.find(name)
    assignment = topic.partitions.get(partition) if topic else None
    if assignment is None:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if kind == UNCLEAN:
        has_leader = assignment.leader != NO_LEADER
        nobody = ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
        return ErrorCode.ELECTION_NOT_NEEDED if has_leader else nobody
    if assignment.leader == assignment.replicas[0]:
        return ErrorCode.ELECTION_NOT_NEEDED
    return ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
