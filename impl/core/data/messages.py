"""What the broker is asked about the data of partitions, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import TopicReference
from impl.core.log.leader_epochs import UNKNOWN_END, EpochEnd
from impl.core.storage import Bytes
from spec.wire.errors import ErrorCode

NO_LEADER_EPOCH = -1
NO_OFFSET = -1
NO_REPLICA = -1
DEBUGGING_REPLICA = -2
UNLIMITED_HIGH_WATERMARK = 2**63 - 1

READ_UNCOMMITTED = 0
READ_COMMITTED = 1


# Produce


@dataclass(frozen=True, slots=True)
class RecordsForPartition:
    topic: TopicReference
    partition: int
    records: Bytes | None


@dataclass(frozen=True, slots=True)
class Produce:
    acks: int
    timeout_ms: int
    partitions: tuple[RecordsForPartition, ...]
    transactional_id: str | None = None
    may_use_zstd: bool = True
    api_version: int = 13


@dataclass(frozen=True, slots=True)
class ProducedPartition:
    topic: TopicReference
    partition: int
    error: ErrorCode = ErrorCode.NONE
    base_offset: int = NO_OFFSET
    log_append_time_ms: int = -1
    log_start_offset: int = NO_OFFSET
    message: str | None = None
    current_leader: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Produced:
    """`endpoints`: where the leaders are that are named (KIP-951)."""

    partitions: tuple[ProducedPartition, ...]
    endpoints: tuple[Endpoint, ...] = ()


# Fetch


@dataclass(frozen=True, slots=True)
class FetchPartition:
    """`high_watermark` is what a follower of the metadata log knows (since version 18).

    A parked fetch is answered when the leader knows a higher one; the default asks for no such
    thing. `log_start_offset` is that of a follower's log.
    """

    topic: TopicReference
    partition: int
    fetch_offset: int
    max_bytes: int
    current_leader_epoch: int = NO_LEADER_EPOCH
    last_fetched_epoch: int = NO_LEADER_EPOCH
    high_watermark: int = UNLIMITED_HIGH_WATERMARK
    log_start_offset: int = NO_OFFSET


@dataclass(frozen=True, slots=True)
class Fetch:
    """`cluster_id` is what voters and observers of the metadata quorum send; others leave it out.

    `replica_epoch` is the broker epoch of the follower that asks, as far as it knows one. Clients
    that know of it may be served by any replica, up to the high watermark that it has (ELEC-14).
    """

    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    partitions: tuple[FetchPartition, ...]
    forgotten: tuple[tuple[TopicReference, int], ...] = ()
    isolation_level: int = READ_UNCOMMITTED
    session_id: int = 0
    session_epoch: int = -1
    replica_id: int = NO_REPLICA
    may_use_zstd: bool = True
    uses_topic_ids: bool = False
    cluster_id: str | None = None
    replica_epoch: int = -1
    may_read_from_follower: bool = False


@dataclass(frozen=True, slots=True)
class FetchedPartition:
    """`current_leader` (id, epoch) goes with every answer about the metadata log, and with errors
    of who does not lead (ELEC-14).

    The id is -1 while the node that answers knows no leader of that epoch (CurrentLeader, tag 1).
    `aborted` (TXNI-13): producer id and first offset of each aborted transaction in the records.
    """

    topic: TopicReference
    partition: int
    error: ErrorCode = ErrorCode.NONE
    high_watermark: int = NO_OFFSET
    last_stable_offset: int = NO_OFFSET
    log_start_offset: int = NO_OFFSET
    records: Bytes = b""
    diverging_epoch: EpochEnd | None = None
    lists_aborted_transactions: bool = False
    aborted: tuple[tuple[int, int], ...] = ()
    current_leader: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    partitions: tuple[FetchedPartition, ...] = ()
    error: ErrorCode = ErrorCode.NONE
    session_id: int = 0
    endpoints: tuple[Endpoint, ...] = ()


# ListOffsets


LATEST = -1
EARLIEST = -2
MAXIMUM_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5


@dataclass(frozen=True, slots=True)
class PartitionTimestamp:
    topic: str
    partition: int
    timestamp: int
    current_leader_epoch: int = NO_LEADER_EPOCH


@dataclass(frozen=True, slots=True)
class ListOffsets:
    partitions: tuple[PartitionTimestamp, ...]
    isolation_level: int = READ_UNCOMMITTED
    replica_id: int = NO_REPLICA
    version: int = 10


@dataclass(frozen=True, slots=True)
class ListedOffset:
    topic: str
    partition: int
    error: ErrorCode = ErrorCode.NONE
    timestamp: int = -1
    offset: int = NO_OFFSET
    leader_epoch: int = NO_LEADER_EPOCH


@dataclass(frozen=True, slots=True)
class ListedOffsets:
    partitions: tuple[ListedOffset, ...]


# OffsetForLeaderEpoch


@dataclass(frozen=True, slots=True)
class PartitionEpoch:
    topic: str
    partition: int
    leader_epoch: int
    current_leader_epoch: int = NO_LEADER_EPOCH


@dataclass(frozen=True, slots=True)
class OffsetsForLeaderEpochs:
    partitions: tuple[PartitionEpoch, ...]
    replica_id: int = NO_REPLICA


@dataclass(frozen=True, slots=True)
class PartitionEpochEnd:
    topic: str
    partition: int
    error: ErrorCode = ErrorCode.NONE
    end: EpochEnd = UNKNOWN_END


@dataclass(frozen=True, slots=True)
class EpochEnds:
    partitions: tuple[PartitionEpochEnd, ...]


# DeleteRecords


@dataclass(frozen=True, slots=True)
class DeleteRecordsBefore:
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeleteRecords:
    partitions: tuple[DeleteRecordsBefore, ...]
    timeout_ms: int = 0


@dataclass(frozen=True, slots=True)
class LowWatermark:
    topic: str
    partition: int
    error: ErrorCode = ErrorCode.NONE
    low_watermark: int = NO_OFFSET


@dataclass(frozen=True, slots=True)
class LowWatermarks:
    partitions: tuple[LowWatermark, ...]


# InitProducerId


@dataclass(frozen=True, slots=True)
class InitProducerId:
    transactional_id: str | None
    producer_id: int = -1
    producer_epoch: int = -1
    transaction_timeout_ms: int = 60_000
    api_version: int = 5


@dataclass(frozen=True, slots=True)
class ProducerIdentityGranted:
    error: ErrorCode = ErrorCode.NONE
    producer_id: int = -1
    producer_epoch: int = -1
