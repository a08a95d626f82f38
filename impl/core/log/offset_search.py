"""Finding offsets in one log by time: STOR-10, STOR-11.

Reads headers, and the records of the one batch that matters. What a client may see of the log is
said by the caller, as `end_offset`.
"""

from __future__ import annotations

from impl.core.log.batch import (
    NO_TIMESTAMP,
    NOT_COMPRESSED,
    BatchHeader,
    MalformedRecordsError,
    read_records,
)
from impl.core.log.log import Log, Platform, TimestampedOffset
from impl.core.log.segment import Segment

NOTHING_FOUND = TimestampedOffset(NO_TIMESTAMP, -1, -1)

Place = tuple[Segment, int, BatchHeader]


def first_since(
    log: Log, platform: Platform, timestamp: int, end_offset: int
) -> TimestampedOffset:
    """The first record that is not older than the timestamp."""
    for segment in log.segments:
        if segment.max_timestamp < timestamp:
            continue
        start = max(segment.offset_before(timestamp), log.log_start_offset)
        for position, header in segment.batches(platform.storage, start):
            if header.last_offset >= end_offset:
                break
            if header.max_timestamp >= timestamp:
                found = _in_batch(log, platform, (segment, position, header), timestamp)
                if found is not None:
                    return found
    return NOTHING_FOUND


def youngest(log: Log, platform: Platform, end_offset: int) -> TimestampedOffset:
    """The first of the records with the largest timestamp."""
    best: Place | None = None
    for segment in reversed(log.segments):
        if best is not None and segment.max_timestamp < best[2].max_timestamp:
            continue
        batches = segment.batches(platform.storage, log.log_start_offset)
        visible = [(p, h) for p, h in batches if h.last_offset < end_offset and h.record_count]
        if visible:
            position, header = max(visible, key=lambda entry: entry[1].max_timestamp)
            if best is None or header.max_timestamp >= best[2].max_timestamp:
                best = segment, position, header
    if best is None:
        return NOTHING_FOUND
    return _in_batch(log, platform, best, best[2].max_timestamp) or NOTHING_FOUND


def _in_batch(
    log: Log, platform: Platform, place: Place, timestamp: int
) -> TimestampedOffset | None:
    """The first record of the batch that is not older and was not deleted.

    A batch that this process cannot decompress answers with its first offset.
    """
    segment, position, header = place
    payload: bytes | None = log.payload(segment, position, header)
    if header.compression != NOT_COMPRESSED and payload is not None:
        payload = platform.decompress(header.compression, payload)
    epoch = header.partition_leader_epoch
    if payload is None:
        offset = max(header.base_offset, log.log_start_offset)
        return TimestampedOffset(header.max_timestamp, offset, epoch)
    try:
        for record in read_records(header, payload):
            offset = header.base_offset + record.offset_delta
            if record.timestamp >= timestamp and offset >= log.log_start_offset:
                return TimestampedOffset(record.timestamp, offset, epoch)
    except MalformedRecordsError:
        return None
    return None
