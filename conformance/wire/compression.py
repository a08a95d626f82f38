"""Compression of record batches, framed as Kafka's Java client frames it.

Snappy is in blocks of the xerial stream; lz4 is a frame of independent blocks, as Kafka reads no
others.
"""

import gzip
import struct

import cramjam

from conformance.wire.values import Unreadable, Unwritable

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
"""The names of the codecs by their number in the attributes of a batch."""

_BLOCK_BYTES = 32 * 1024
_XERIAL_HEADER = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)  # version, compatible version
_LZ4_HEADER = bytes.fromhex("04224d18 60 40 82")  # independent blocks of 64 KiB, header checksum
_LZ4_STORED = 0x8000_0000  # a block that is not compressed
_INT32 = struct.Struct(">i")
_LITTLE_UINT32 = struct.Struct("<I")


def compress(codec: str, data: bytes) -> bytes:
    """Raises Unwritable for an unknown codec."""
    if codec not in CODECS:
        raise Unwritable(f"the codec {codec} is not among {', '.join(CODECS)}")
    match codec:
        case "gzip":
            return gzip.compress(data, mtime=0)
        case "snappy":
            return _snappy(data)
        case "lz4":
            return _lz4(data)
        case "zstd":
            return bytes(cramjam.zstd.compress(data))
    return data


def decompress(codec: str, data: bytes) -> bytes:
    """Raises Unreadable for data that is not of the codec, or an unknown codec."""
    if codec not in CODECS:
        raise Unreadable(f"the codec {codec} is not among {', '.join(CODECS)}")
    try:
        match codec:
            case "gzip":
                return gzip.decompress(data)
            case "snappy":
                return _from_snappy(data)
            case "lz4":
                return bytes(cramjam.lz4.decompress(data))
            case "zstd":
                return bytes(cramjam.zstd.decompress(data))
    except Exception as error:  # each library has its own, and none of them are told apart here
        raise Unreadable(f"what should be {codec} cannot be decompressed: {error}") from None
    return data


def _blocks(data: bytes) -> list[bytes]:
    return [data[i : i + _BLOCK_BYTES] for i in range(0, len(data), _BLOCK_BYTES)]


def _snappy(data: bytes) -> bytes:
    out = bytearray(_XERIAL_HEADER)
    for block in _blocks(data):
        packed = bytes(cramjam.snappy.compress_raw(block))
        out += _INT32.pack(len(packed)) + packed
    return bytes(out)


def _from_snappy(data: bytes) -> bytes:
    """The blocks of a xerial stream, or, as some clients write it, one bare block."""
    if not data.startswith(_XERIAL_HEADER[:8]):
        return bytes(cramjam.snappy.decompress_raw(data))
    out = bytearray()
    position = len(_XERIAL_HEADER)
    while position < len(data):
        (length,) = _INT32.unpack_from(data, position)
        start, position = position + _INT32.size, position + _INT32.size + length
        if length < 0 or position > len(data):
            raise ValueError(f"a block of {length} bytes at byte {start}")
        out += bytes(cramjam.snappy.decompress_raw(data[start:position]))
    return bytes(out)


def _lz4(data: bytes) -> bytes:
    out = bytearray(_LZ4_HEADER)
    for block in _blocks(data):
        packed = bytes(cramjam.lz4.compress_block(block, store_size=False))
        if len(packed) < len(block):
            out += _LITTLE_UINT32.pack(len(packed)) + packed
        else:
            out += _LITTLE_UINT32.pack(len(block) | _LZ4_STORED) + block
    return bytes(out + _LITTLE_UINT32.pack(0))
