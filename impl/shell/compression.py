"""The codecs of record batches: gzip always, the others where `cramjam` is installed.

None stands for a codec that is not here, and for bytes that are not what it makes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from impl.core.storage import Bytes

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
MAXIMUM_PLAIN_SIZE = 256 << 20

# Java clients frame snappy in blocks of their own, after this magic and two version numbers.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_SIZE = 16


def compress(codec: int, data: Bytes) -> bytes | None:
    if codec == GZIP:
        packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        return packer.compress(data) + packer.flush()
    library = _library()
    if library is None:
        return None
    packers = {
        SNAPPY: library.snappy.compress_raw,
        LZ4: library.lz4.compress,
        ZSTD: library.zstd.compress,
    }
    return bytes(packers[codec](data))


def decompress(codec: int, data: Bytes) -> bytes | None:
    if codec == GZIP:
        return _gunzip(data)
    library = _library()
    if library is None:
        return None
    unpackers: dict[int, Callable[[Bytes], Any]] = {
        SNAPPY: partial(_unsnappy, library),
        LZ4: library.lz4.decompress,
        ZSTD: library.zstd.decompress,
    }
    try:
        return bytes(unpackers[codec](data))
    except library.DecompressionError:
        return None


def _library() -> Any:
    return import_module("cramjam") if find_spec("cramjam") else None


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
