"""The codecs of record batches: gzip, snappy, lz4 and zstd."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import cramjam

from impl.core.storage import Bytes

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
MAXIMUM_PLAIN_SIZE = 256 << 20

# Java reads only frames whose blocks do not depend on each other: version 1, no checksums, blocks
# of 64 KiB; the last byte is the header's checksum. A block that does not shrink is stored.
_LZ4_FRAME = bytes.fromhex("04224d18604082")
_LZ4_END = bytes(4)
_LZ4_STORED = 1 << 31
_LZ4_BLOCK_SIZE = 64 << 10

# Java clients frame snappy in blocks of their own, after this magic and two version numbers.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_SIZE = 16


def compress(codec: int, data: Bytes) -> bytes | None:
    """The data packed; None for an unknown codec."""
    if codec == GZIP:
        packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        return packer.compress(data) + packer.flush()
    packers: dict[int, Callable[[Bytes], Any]] = {
        SNAPPY: cramjam.snappy.compress_raw,
        LZ4: _pack_lz4,
        ZSTD: cramjam.zstd.compress,
    }
    return bytes(packers[codec](data)) if codec in packers else None


def _pack_lz4(data: Bytes) -> bytes:
    parts, view = [_LZ4_FRAME], memoryview(data)
    for start in range(0, len(view), _LZ4_BLOCK_SIZE):
        block = view[start : start + _LZ4_BLOCK_SIZE]
        packed: Bytes = bytes(cramjam.lz4.compress_block(block, store_size=False))
        mark = 0
        if len(packed) >= len(block):
            packed, mark = block, _LZ4_STORED
        parts += [(len(packed) | mark).to_bytes(4, "little"), bytes(packed)]
    return b"".join((*parts, _LZ4_END))


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
