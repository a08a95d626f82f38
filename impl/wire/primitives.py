"""Lengths and variable-length integers: what generated readers and writers call.

Every length is held against what is left of the buffer before anything is allocated for it.
Numbers of fixed width are read in runs by `struct`, in the generated code itself.
"""

from struct import Struct as Format

from impl.wire.values import WireError

INT16 = Format(">h")
INT32 = Format(">i")
GREATEST_UNSIGNED_INT = 2**32 - 1
_SINGLE_BYTES = tuple(bytes((value,)) for value in range(0x80))


def read_uvarint(buffer: memoryview, position: int) -> tuple[int, int]:
    """An unsigned integer of seven bits a byte, at most 32 bits, and the position after it."""
    value = buffer[position]
    position += 1
    if value < 0x80:
        return value, position
    value &= 0x7F
    for shift in (7, 14, 21, 28):
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > GREATEST_UNSIGNED_INT:
                raise WireError(
                    f"a variable-length integer before byte {position} exceeds 32 bits"
                )
            return value, position
    raise WireError(f"a variable-length integer before byte {position} has more than 5 bytes")


def write_uvarint(value: int) -> bytes:
    if value < 0x80:
        return _SINGLE_BYTES[value]
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def read_length_16(buffer: memoryview, position: int, end: int) -> tuple[int, int]:
    """A length, -1 for null, and the position after it; that many bytes are there."""
    (length,) = INT16.unpack_from(buffer, position)
    return checked(length, position + 2, end), position + 2


def read_length_32(buffer: memoryview, position: int, end: int) -> tuple[int, int]:
    (length,) = INT32.unpack_from(buffer, position)
    return checked(length, position + 4, end), position + 4


def read_compact_length(buffer: memoryview, position: int, end: int) -> tuple[int, int]:
    """As the others, of the flexible versions: one more than the length, 0 for null."""
    length, position = read_uvarint(buffer, position)
    return checked(length - 1, position, end), position


def checked(length: int, position: int, end: int) -> int:
    """A length of text or bytes, or a count of elements that have at least one byte each."""
    if length > end - position:
        raise WireError(
            f"a length of {length} at byte {position}, where {end - position} are left"
        )
    if length < -1:
        raise WireError(f"a length of {length} at byte {position}")
    return length


def null(field: str) -> WireError:
    return WireError(f"{field} is null, and must not be")


def read_presence(buffer: memoryview, position: int, field: str) -> bool:
    """Whether a nullable struct follows its marker: -1 for null, 1 for a struct."""
    marker = buffer[position]
    if marker not in (1, 0xFF):
        raise WireError(f"{field} begins with {marker}, which marks neither null nor a struct")
    return marker == 1


def skip_tags(buffer: memoryview, position: int, end: int) -> int:
    """The position after a section of tagged fields of which none is known."""
    previous = -1
    count, position = read_uvarint(buffer, position)
    for _ in range(count):
        previous, position, stop = read_tag(buffer, position, end, previous)
        position = stop
    return position


def read_tag(buffer: memoryview, position: int, end: int, previous: int) -> tuple[int, int, int]:
    """A tag, the position of its field and the position after its field."""
    tag, position = read_uvarint(buffer, position)
    size, position = read_uvarint(buffer, position)
    if tag <= previous:
        raise WireError(f"tag {tag} follows tag {previous}; tags ascend")
    if size > end - position:
        raise WireError(f"tag {tag} has {size} bytes, where {end - position} are left")
    return tag, position, position + size


def wrong_tag_size(field: str, position: int, stop: int) -> WireError:
    return WireError(f"the tagged field {field} ends at byte {position}, by its size at {stop}")
