"""Which bytes of a client are a batch that a partition takes: the RECB clauses.

Looks at the bytes and at the topic's options only. Whether the batch comes at the right time, from
the right producer and to the right broker is decided by `partition`.
"""

from __future__ import annotations

from impl.core.config import TopicConfig
from impl.core.log.batch import (
    HEADER_SIZE,
    LENGTH_OFFSET,
    MAGIC,
    MINIMUM_LENGTH,
    NO_TIMESTAMP,
    NOT_COMPRESSED,
    ZSTD,
    BatchHeader,
    MalformedRecordsError,
    checksum_is_right,
    read_header,
    with_checksum,
    with_codec,
    with_log_append_time,
)
from impl.core.log.log import Platform
from impl.core.log.record_survey import Survey, survey_records
from impl.core.refusal import KafkaError
from impl.core.storage import Bytes
from spec.wire.errors import ErrorCode

_MAGIC_OFFSET = 16
_OLD_HEADER_SIZE = 17


def only_batch(records: Bytes | None, *, may_use_zstd: bool) -> BatchHeader:
    """RECB-03, RECB-13: exactly one batch of version 2, whole. Raises KafkaError."""
    size = 0 if records is None else len(records)
    if records is None or size < _OLD_HEADER_SIZE:
        raise _invalid("There is no record batch.")
    length = _length_of_batch(records, 0)
    if length + LENGTH_OFFSET > size:
        raise _invalid("The record batch is cut short.")
    if records[_MAGIC_OFFSET] != MAGIC:
        raise _invalid(f"The batch has magic {records[_MAGIC_OFFSET]}, not {MAGIC}.")
    if length < MINIMUM_LENGTH:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"No batch has a length of {length}.")
    rest = size - LENGTH_OFFSET - length  # ignored, unless it is whole as well
    if rest >= LENGTH_OFFSET and _length_of_batch(records, size - rest) + LENGTH_OFFSET <= rest:
        raise _invalid("There is more than one record batch.")
    header = read_header(records)
    if header.compression > ZSTD or (header.compression == ZSTD and not may_use_zstd):
        raise KafkaError(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
            f"Compression {header.compression} cannot be used with this version of Produce.",
        )
    return header


def _length_of_batch(records: Bytes, position: int) -> int:
    field = memoryview(records)[position + 8 : position + LENGTH_OFFSET]
    return int.from_bytes(field, "big", signed=True)


def accept_batch(
    header: BatchHeader, batch: Bytes, config: TopicConfig, platform: Platform, now_ms: int
) -> tuple[BatchHeader, Bytes]:
    """Header, but for offset and epoch, and payload as the log gets them. Raises KafkaError."""
    _check_header(header, batch, config, platform)
    payload: Bytes = memoryview(batch)[HEADER_SIZE : header.size]
    accepted = _check_records(header, payload, config, platform, now_ms)
    if config.codec not in (None, header.compression):
        accepted, payload = _recompressed(accepted, payload, config, platform)
    _check_size(accepted, config)
    if accepted is header:
        return header, payload
    return with_checksum(accepted, payload, platform.checksum), payload


def _recompressed(
    header: BatchHeader, payload: Bytes, config: TopicConfig, platform: Platform
) -> tuple[BatchHeader, Bytes]:
    """RECB-12: the topic's codec, not the producer's."""
    codec = config.codec
    assert codec is not None
    packed: Bytes | None = _plain(header, payload, platform)
    if packed is not None and codec != NOT_COMPRESSED:
        packed = platform.compress(codec, packed, config.compression_level)
    if packed is None:
        raise _lacks_codec(codec)
    return with_codec(header, codec, len(packed)), packed


def _check_size(header: BatchHeader, config: TopicConfig) -> None:
    if header.size > config.max_message_bytes:  # RECB-06
        raise KafkaError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The batch has {header.size} bytes, of at most {config.max_message_bytes}.",
        )


def _check_header(
    header: BatchHeader, batch: Bytes, config: TopicConfig, platform: Platform
) -> None:
    if header.base_offset != 0:
        raise _invalid(f"The base offset is {header.base_offset}, not 0.")
    _check_size(header, config)
    if not checksum_is_right(header, batch, platform.checksum):  # RECB-01
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, "The checksum does not match the batch.")
    if header.record_count <= 0 or header.last_offset_delta + 1 != header.record_count:
        raise _invalid(  # RECB-04
            f"The batch has {header.record_count} records, and {header.last_offset_delta}"
            " as its last offset delta."
        )
    if header.is_control:  # RECB-05
        raise _invalid("Clients do not write control batches.")
    if header.has_producer_id and header.base_sequence < 0:
        raise _invalid(f"An idempotent producer has no sequence {header.base_sequence}.")
    if header.is_log_append_time:  # RECB-09
        raise KafkaError(
            ErrorCode.INVALID_TIMESTAMP, "A producer does not set the timestamp type."
        )


def _check_records(
    header: BatchHeader, payload: Bytes, config: TopicConfig, platform: Platform, now_ms: int
) -> BatchHeader:
    """Look into the batch, and give it the timestamps that its records have."""
    append_time = config.message_timestamp_type == "LogAppendTime"
    timestamps = [header.base_timestamp, header.max_timestamp]
    if header.compression == NOT_COMPRESSED or config.is_compacted:
        survey = _survey(header, _plain(header, payload, platform))
        # Many records of a batch have the same one.
        distinct = dict.fromkeys(survey.timestamp_deltas)
        timestamps = [header.base_timestamp + delta for delta in distinct]
        if config.is_compacted and survey.lacks_a_key:  # COMP-10
            raise _invalid("A compacted topic takes no record without a key.")
    if append_time:
        return with_log_append_time(header, now_ms)  # RECB-08
    earliest = now_ms - config.message_timestamp_before_max_ms
    latest = now_ms + config.message_timestamp_after_max_ms
    for timestamp in timestamps:
        if timestamp != NO_TIMESTAMP and not earliest <= timestamp <= latest:  # RECB-07
            raise KafkaError(
                ErrorCode.INVALID_TIMESTAMP, f"The timestamp {timestamp} is out of range."
            )
    if max(timestamps) != header.max_timestamp:
        return header._replace(max_timestamp=max(timestamps))
    return header


def _plain(header: BatchHeader, payload: Bytes, platform: Platform) -> Bytes:
    if header.compression == NOT_COMPRESSED:
        return payload
    plain = platform.decompress(header.compression, payload)
    if plain is None:
        raise _lacks_codec(header.compression)
    return plain


def _survey(header: BatchHeader, plain: Bytes) -> Survey:
    try:
        return survey_records(header.record_count, plain)
    except MalformedRecordsError as problem:
        raise _invalid(f"The records cannot be read: {problem}.") from problem


def _lacks_codec(codec: int) -> KafkaError:
    return KafkaError(
        ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
        f"The options of the topic demand codec {codec}, which failed or is not installed here.",
    )


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD, message)
