"""The codecs of the broker: what it packs, and with how much effort."""

from __future__ import annotations

import pytest

from impl.core.config import ConfigError, TopicConfig, parse_options
from impl.shell.compression import GZIP, LZ4, SNAPPY, ZSTD, compress, decompress
from tests.impl.broker_world import World, batch, headers

TEXT = b" ".join(b"%d bottles of beer" % number for number in range(9_000))
LEVELS = {GZIP: (1, 9), LZ4: (1, 17), ZSTD: (-20, 19)}
NOT_COMPRESSIBLE = bytes((i * i * 31 + i // 7 * 17) % 251 for i in range(70_000))


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
@pytest.mark.parametrize("data", [b"", b"x", TEXT, NOT_COMPRESSIBLE])
def test_what_is_packed_comes_out_again(codec: int, data: bytes) -> None:
    packed = compress(codec, data)
    assert packed is not None
    assert decompress(codec, packed) == data


@pytest.mark.parametrize("codec", sorted(LEVELS))
def test_a_higher_level_packs_tighter(codec: int) -> None:
    sizes = []
    for level in LEVELS[codec]:
        packed = compress(codec, TEXT, level)
        assert packed is not None
        assert decompress(codec, packed) == TEXT
        sizes.append(len(packed))
    assert sizes[0] > sizes[1]


def test_lz4_frames_are_of_the_only_kind_that_java_reads() -> None:
    packed = compress(LZ4, TEXT)
    assert packed is not None
    version_1, independent_blocks = 0x40, 0x20
    assert packed[4] & 0xE0 == version_1 | independent_blocks


def test_the_topic_chooses_the_level() -> None:
    sizes = {}
    for level in ("1", "9"):
        world = World()
        world.create(compression_type="gzip", compression_gzip_level=level)
        world.produce(batch(TEXT))
        (header,) = headers(world.read().records)
        assert header.compression == GZIP
        sizes[level] = header.size
    assert sizes["1"] > sizes["9"]


@pytest.mark.parametrize(
    ("name", "value"), [("gzip", "0"), ("gzip", "10"), ("lz4", "18"), ("zstd", "23")]
)
def test_a_level_that_the_codec_lacks_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"compression.{name}.level is"):
        parse_options(TopicConfig, {f"compression.{name}.level": value})
