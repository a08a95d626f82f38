"""The codecs of record batches: gzip, snappy, lz4 and zstd."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import cramjam

from impl.core.storage import Bytes

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
MAXIMUM_PLAIN_SIZE = 256 << 20

# What Kafka calls 9 is the fast way, and all others are as thorough as they say.
_LZ4_USUAL_LEVEL, _LZ4_FAST = 9, 0
_ZSTD_USUAL_LEVEL = 3

# Java clients frame snappy in blocks of their own, after this magic and two version numbers.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_SIZE = 16


def compress(codec: int, data: Bytes, level: int | None = None) -> bytes | None:
    """The data packed; None for an unknown codec. Snappy has no levels."""
    if codec == GZIP:
        return _gzip(data, -1 if level is None else level)
    if codec == SNAPPY:
        return bytes(cramjam.snappy.compress_raw(data))
    if codec == LZ4:
        return _pack_lz4(data, level or _LZ4_USUAL_LEVEL)
    if codec == ZSTD:
        return bytes(cramjam.zstd.compress(data, _ZSTD_USUAL_LEVEL if level is None else level))
    return None


def _gzip(data: Bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, wbits=16 + zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _pack_lz4(data: Bytes, level: int) -> bytes:
    """Java reads no frame whose blocks depend on each other."""
    packer = cramjam.lz4.Compressor(
        level=_LZ4_FAST if level == _LZ4_USUAL_LEVEL else level,
        content_checksum=False,
        block_linked=False,
    )
    packer.compress(bytes(data))
    return bytes(packer.finish())


def decompress(codec: int, data: Bytes) -> bytes | None:
    """The data as it was; None for an unknown codec, and for bytes that are not what it makes."""
    if codec == GZIP:
        return _gunzip(data)
    unpackers: dict[int, Callable[[Bytes], Any]] = {
        SNAPPY: _unsnappy,
        LZ4: cramjam.lz4.decompress,
        ZSTD: cramjam.zstd.decompress,
    }
    try:
        return bytes(unpackers[codec](data)) if codec in unpackers else None
    except cramjam.DecompressionError:
        return None


def _gunzip(data: Bytes) -> bytes | None:
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, MAXIMUM_PLAIN_SIZE)
    except zlib.error:
        return None
    return plain if inflater.eof else None


def _unsnappy(data: Bytes) -> bytes:
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return bytes(cramjam.snappy.decompress_raw(data))
    plain, position = bytearray(), _XERIAL_HEADER_SIZE
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        position += 4
        plain += bytes(cramjam.snappy.decompress_raw(data[position : position + size]))
        position += size
    return bytes(plain)
