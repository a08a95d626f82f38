"""ElectLeaders in the core's words: an operator asks who should lead (ELEC-12, ELEC-13).

Who wins is decided by the controller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spec.wire.errors import ErrorCode

PREFERRED, UNCLEAN = 0, 1


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
