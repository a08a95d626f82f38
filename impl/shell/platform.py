"""The outside as this process has it: checksum, codecs, random ids, the clock."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

import crc32c

from impl.core.log import Platform
from impl.core.storage import Bytes, Storage

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
MAXIMUM_PLAIN_SIZE = 256 << 20

# Java clients frame snappy in blocks of their own, after this magic and two version numbers.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_SIZE = 16


def platform(storage: Storage) -> Platform:
    return Platform(storage, crc32c.crc32c, decompress, uuid4)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def decompress(codec: int, data: Bytes) -> bytes | None:
    """Gzip always; the others where `cramjam` is installed. None if it cannot be done."""
    if codec == GZIP:
        return _gunzip(data)
    if find_spec("cramjam") is None:
        return None
    cramjam = import_module("cramjam")
    codecs: dict[int, Callable[[Any, Bytes], bytes]] = {
        SNAPPY: _unsnappy,
        LZ4: lambda library, data: bytes(library.lz4.decompress(data)),
        ZSTD: lambda library, data: bytes(library.zstd.decompress(data)),
    }
    try:
        return codecs[codec](cramjam, data)
    except cramjam.DecompressionError:
        return None


def _gunzip(data: Bytes) -> bytes | None:
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, MAXIMUM_PLAIN_SIZE)
    except zlib.error:
        return None
    return plain if inflater.eof else None


def _unsnappy(library: Any, data: Bytes) -> bytes:
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return bytes(library.snappy.decompress_raw(data))
    plain, position = bytearray(), _XERIAL_HEADER_SIZE
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        position += 4
        plain += bytes(library.snappy.decompress_raw(data[position : position + size]))
        position += size
    return bytes(plain)
