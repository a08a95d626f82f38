"""The broker options that the quorum depends on."""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.config import INT_MAX, option

# How long a fetch of the metadata log may wait for records; Kafka offers no option for it.
LONGEST_FETCH_WAIT_MS = 500


@dataclass(frozen=True, slots=True)
class QuorumConfig:
    controller_quorum_election_timeout_ms: int = option(1_000, at_least=1)
    controller_quorum_fetch_timeout_ms: int = option(2_000, at_least=1)
    controller_quorum_election_backoff_max_ms: int = option(1_000, at_least=0)
    controller_quorum_fetch_max_bytes: int = option(1 << 20, at_least=0, at_most=INT_MAX)
    controller_quorum_request_timeout_ms: int = option(2_000, at_least=1)
    controller_quorum_retry_backoff_ms: int = option(20, at_least=1)

    @property
    def fetch_max_wait_ms(self) -> int:
        """A follower that is answered later than this takes its leader for dead."""
        return min(LONGEST_FETCH_WAIT_MS, self.controller_quorum_fetch_timeout_ms // 2)

    @property
    def check_quorum_timeout_ms(self) -> int:
        """CLUS-14: how long a leader goes on without the fetches of a majority."""
        return self.controller_quorum_fetch_timeout_ms * 3 // 2

    @property
    def begin_epoch_interval_ms(self) -> int:
        """How often a leader tells those that do not fetch that it leads."""
        return max(self.controller_quorum_fetch_timeout_ms // 2, 1)
