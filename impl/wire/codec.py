"""Messages to bytes and back, strictly; readers and writers are generated at their first use."""

import struct
from functools import cache

from impl.wire.reader import Reader, reader
from impl.wire.values import Struct, WireError
from impl.wire.writer import Part, Writer, writer
from spec.wire import Message, table


def decode_message(name: str, version: int, buffer: bytes | memoryview) -> Struct:
    """The message that fills the buffer from end to end. Raises WireError.

    Records of the struct are views of the buffer; text and other bytes are copies.
    """
    struct_, position = decode_prefix(name, version, buffer)
    if position != len(buffer):
        raise WireError(f"{name} version {version}: {len(buffer) - position} bytes trail it")
    return struct_


def decode_prefix(
    name: str, version: int, buffer: bytes | memoryview, position: int = 0
) -> tuple[Struct, int]:
    """A message that begins at a position, and the position after it."""
    read = _reader(name, version)
    try:
        return read(memoryview(buffer), position, len(buffer))
    except WireError as error:
        raise WireError(f"{name} version {version}: {error}") from None
    except (IndexError, struct.error):
        raise WireError(f"{name} version {version}: the bytes end before its last field") from None
    except UnicodeDecodeError as error:
        raise WireError(f"{name} version {version}: text that is no UTF-8 ({error})") from None


def encode_message(name: str, version: int, struct: Struct) -> bytes:
    """The bytes of a message in a version. Raises WireError where it has none."""
    return b"".join(encode_parts(name, version, struct))


def encode_parts(name: str, version: int, value: Struct) -> list[Part]:
    """The same in parts that follow one another, of which records are not copied."""
    write = _writer(name, version)
    parts: list[Part] = []
    try:
        write(vars(value), parts)
    except (WireError, ValueError, TypeError, AttributeError, struct.error) as error:
        raise WireError(f"{name} version {version} cannot be written: {error}") from error
    return parts


@cache
def _reader(name: str, version: int) -> Reader:
    return reader(_message(name, version), version)


@cache
def _writer(name: str, version: int) -> Writer:
    return writer(_message(name, version), version)


def _message(name: str, version: int) -> Message:
    message = table().get(name)
    if message is None:
        raise WireError(f"there is no message {name}")
    if version not in message.valid_versions:
        raise WireError(f"{name} has no version {version}")
    return message
