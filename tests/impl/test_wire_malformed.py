"""Whatever bytes arrive, the broker's codec reads a message or raises WireError, and soon."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.wire import Struct, WireError, decode_message, decode_request, encode_message
from spec.wire import api_keys, request
from tests.wire_values import EVERY_VERSION, sample, structs

MUTATIONS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)


@settings(max_examples=500, deadline=1000)
@given(st.sampled_from(EVERY_VERSION), st.binary(max_size=64))
def test_arbitrary_bytes_are_a_message_or_a_wire_error(at: tuple[str, int], data: bytes) -> None:
    name, version = at
    try:
        struct = decode_message(name, version, data)
    except WireError:
        return
    again = encode_message(name, version, struct)
    assert encode_message(name, version, decode_message(name, version, again)) == again


@settings(max_examples=500, deadline=1000)
@given(st.sampled_from(EVERY_VERSION), MUTATIONS, st.floats(0, 1))
def test_mutated_messages_are_messages_or_wire_errors(
    at: tuple[str, int], mutations: list[tuple[float, int]], kept: float
) -> None:
    name, version = at
    data = bytearray(encode_message(name, version, structs(sample(name, version))))
    for place, value in mutations if data else []:
        data[int(place * len(data))] = value
    del data[int(kept * len(data)) + 1 :]
    try:
        struct = decode_message(name, version, bytes(data))
    except WireError:
        return
    assert isinstance(struct, Struct)


@settings(max_examples=300, deadline=1000)
@given(
    st.sampled_from([(api_keys()[n], v) for n in api_keys() for v in request(n).valid_versions])
    | st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1)),
    st.binary(max_size=64),
)
def test_arbitrary_frames_are_requests_or_wire_errors(start: tuple[int, int], rest: bytes) -> None:
    key, version = start
    try:
        read = decode_request(key.to_bytes(2, "big") + version.to_bytes(2, "big") + rest)
    except WireError:
        return
    assert (read.api_key, read.api_version) == (key, version)


@pytest.mark.parametrize(("name", "version"), EVERY_VERSION)
def test_a_great_count_costs_nothing(name: str, version: int) -> None:
    """Every four bytes, and every byte, replaced by the greatest length that its encoding has."""
    data = encode_message(name, version, structs(sample(name, version)))[:200]
    started = time.process_time()
    for at in range(0, len(data), 7):
        for great in (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\x0f"):
            try:
                decode_message(name, version, data[:at] + great + data[at + len(great) :])
            except WireError:
                continue
    assert time.process_time() - started < 1
