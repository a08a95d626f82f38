"""What a message is in memory, and the two ways in which bytes and messages fail to meet."""

from typing import TYPE_CHECKING, Any


class Unreadable(ValueError):  # noqa: N818 (it says what the argument is)
    """Bytes so wrong that what follows them cannot be told; the text is a sentence."""


class Unwritable(ValueError):  # noqa: N818 (it says what the argument is)
    """Fields that no bytes stand for: a name that no version has, a value of another type."""


class Raw(bytes):
    """Bytes that are written as they are where a field would stand, its length included.

    >>> from conformance.wire import encode_message
    >>> encode_message("MetadataRequest", 0, {"topics": Raw(b"anything")})
    b'anything'
    """


class Struct:
    """The fields of a message that was read, as attributes; `vars` gives them by name.

    It has every field that the message has in any version; those that were not there are defaults.
    """

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Struct) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return f"Struct({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
