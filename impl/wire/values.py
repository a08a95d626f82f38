"""What messages are made of in memory: `Struct`, and what goes wrong with bytes: `WireError`."""

from typing import TYPE_CHECKING, Any


class WireError(Exception):
    """Bytes that are no message, or a message that cannot be bytes; the text is a sentence."""


class Struct:
    """The fields of a message, or of one struct in it, as attributes.

    >>> Struct(name="topic", error_code=0)
    Struct(name='topic', error_code=0)

    Fields that were not given are defaulted when the struct is written; a struct that was read has
    every field that its message has in any version.
    """

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __init__(self, **fields: Any) -> None:
        self.__dict__ = fields

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Struct) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        return f"Struct({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
