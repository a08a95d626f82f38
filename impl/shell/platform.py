"""The outside as this process has it: checksum, random ids, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID, uuid4

import crc32c

from impl.core.log.log import Platform
from impl.core.storage import Storage
from impl.shell.compression import compress, decompress

CODECS = crc32c.crc32c, compress, decompress
"""Checksum and compression of record batches, for who needs nothing else."""


def platform(storage: Storage, new_id: Callable[[], UUID] = uuid4) -> Platform:
    return Platform(storage, crc32c.crc32c, decompress, compress, new_id)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
