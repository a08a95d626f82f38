"""The types that hold others: sets, sequences, bags, maps and records.

While an action runs their terms are references into the state, as in Python; elsewhere, such as
`Entry(...)` or `isr - lagging`, they are values and cannot be changed.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, dataclass_transform

from model.lang.nodes import Node, node
from model.lang.places import ModelError, Place
from model.lang.terms import Bool, Bound, Count, Range, Term, name_of, require_scalar, with_items

T = TypeVar("T", bound=Term)
K = TypeVar("K", bound=Term)


class Container(Term):
    """A type whose terms are references while an action runs."""

    __slots__ = ()

    @classmethod
    def at_place(cls, place: Place) -> Self:
        """The term that refers to a part of the state, and sees later updates of it."""
        term = object.__new__(cls)
        object.__setattr__(term, "_value", None)
        object.__setattr__(term, "_place", place)
        return term

    def _become(self, value: Node) -> None:
        if self._place is None:
            raise ModelError(f"this {type(self).__name__} is a value, not a part of the state")
        self._place.write(value)

    def _part(self, of: type[T], step: str | Node) -> T:
        if self._place is not None:
            return of.at_place(self._place.into(step, of))
        if isinstance(step, str):
            return of.of_node(node("field", of, self.node, data=step))
        return of.of_node(node("get", of, self.node, step))


class Set(Container, Generic[T]):
    """A set of scalars; `|`, `&`, `-` and `<=` as in Python, and `isr.has(leader)`.

    >>> value(lambda: set_of(Offset(5)) | set_of(Offset(6)))
    '{5, 6}'
    >>> value(lambda: set_of(Offset(5)).has(Offset(6)))
    'False'
    """

    __slots__ = ()
    item: ClassVar[type[Term]]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: type[Term]) -> type:
            return with_items(cls, item)

    @classmethod
    def _attributes(cls, parts: tuple[type[Term], ...]) -> dict[str, Any]:
        require_scalar(parts[0], "the element of a Set")
        return {"item": parts[0]}

    def has(self, element: T) -> Bool:
        """Is this an element."""
        return Bool.of_node(node("member", Bool, self.item.literal(element), self.node))

    @property
    def size(self) -> Count:
        """How many elements there are."""
        return Count.of_node(node("size", Count, self.node))

    def _combined(self, operation: str, other: Set[T]) -> Self:
        cls = type(self)
        return cls.of_node(node(operation, cls, self.node, cls.literal(other)))

    def __or__(self, other: Set[T]) -> Self:
        return self._combined("union", other)

    def __and__(self, other: Set[T]) -> Self:
        return self._combined("intersection", other)

    def __sub__(self, other: Set[T]) -> Self:
        return self._combined("difference", other)

    def _changed(self, value: Self) -> Self:
        # As in Python, `isr |= more` changes the set itself, also where `isr` is a local name.
        if self._place is None:
            return value
        self._become(value.node)
        return self

    def __ior__(self, other: Set[T]) -> Self:
        return self._changed(self | other)

    def __iand__(self, other: Set[T]) -> Self:
        return self._changed(self & other)

    def __isub__(self, other: Set[T]) -> Self:
        return self._changed(self - other)

    def __le__(self, other: Set[T]) -> Bool:
        return (self - other) == type(self).of_node(node("default", type(self)))


class Seq(Container, Generic[T]):
    """A sequence of at most `capacity` elements: `class Log(Seq[Entry]): capacity =
    Bound("log_size")`.

    >>> value(lambda: EMPTY_LOG.length)
    '0'
    >>> value(lambda: EMPTY_LOG.last.epoch)
    '0'
    """

    __slots__ = ()
    item: ClassVar[type[Term]]
    capacity: ClassVar[int | Bound]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: type[Term]) -> type:
            return with_items(cls, item)

    @classmethod
    def _attributes(cls, parts: tuple[type[Term], ...]) -> dict[str, Any]:
        return {"item": parts[0]}

    @property
    def length(self) -> Count:
        """How many elements there are."""
        return Count.of_node(node("length", Count, self.node))

    @property
    def is_empty(self) -> Bool:
        """Has it no element."""
        return self.length == 0

    @property
    def last(self) -> T:
        """The element at the end."""
        return self[self.length - 1]

    def __getitem__(self, index: Range | int) -> T:
        at = Count.literal(index)
        return self.item.of_node(node("at", self.item, self.node, at))  # type: ignore[return-value]

    def upto(self, length: Range) -> Self:
        """The sequence of the first `length` elements, as a value."""
        cls = type(self)
        return cls.of_node(node("truncated", cls, self.node, Count.literal(length)))

    def append(self, element: T) -> None:
        """Put an element at the end; full is an error of the scope, so guard against it or give
        room.
        """
        self._become(node("appended", type(self), self.node, self.item.literal(element)))

    def truncate(self, length: Range) -> None:
        """Keep the first `length` elements; longer than it is changes nothing."""
        self._become(self.upto(length).node)


class Position(Range):
    """A place in the sorted row of a bag's elements: each bag type has its own subclass."""

    __slots__ = ()
    bag: ClassVar[type[Term]]


class Bag(Container, Generic[T]):
    """At most `capacity` records in no order, equal ones counted: `class Network(Bag[Message]):
    capacity = Bound("in_flight")`.

    Readers keep the elements sorted, so that equal bags are equal states.

    >>> value(lambda: EMPTY_NETWORK.size)
    '0'
    """

    __slots__ = ()
    item: ClassVar[type[Term]]
    capacity: ClassVar[int | Bound]
    _position: ClassVar[type[Position]]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: type[Term]) -> type:
            return with_items(cls, item)

    @classmethod
    def _attributes(cls, parts: tuple[type[Term], ...]) -> dict[str, Any]:
        if not (isinstance(parts[0], type) and issubclass(parts[0], Record)):
            raise ModelError(f"the element of a Bag must be a Record, not {name_of(parts[0])}")
        return {"item": parts[0]}

    @classmethod
    def position(cls) -> type[Position]:
        """The positions that a bag of this type can have (for readers of the language)."""
        if "_position" not in vars(cls):
            sizes = {"low": 0, "high": cls.capacity - 1, "bag": cls, "__slots__": ()}
            cls._position = type(f"{cls.__name__}Position", (Position,), sizes)
        return cls._position

    def element(self, position: Position) -> T:
        """The element at a position (for readers of the language)."""
        at = node("at", self.item, self.node, position.node)
        return self.item.of_node(at)  # type: ignore[return-value]

    def has(self, element: T) -> Bool:
        """Is this an element, once or more often."""
        return Bool.of_node(node("in_bag", Bool, self.item.literal(element), self.node))

    @property
    def size(self) -> Count:
        """How many elements there are, equal ones counted."""
        return Count.of_node(node("length", Count, self.node))

    def add(self, element: T) -> None:
        """Put an element in, once more if it is there; full is an error of the scope."""
        self._become(node("added", type(self), self.node, self.item.literal(element)))

    def remove(self, element: T) -> None:
        """Take an element out, once; a bag that does not have it stays as it is."""
        self._become(node("removed", type(self), self.node, self.item.literal(element)))


class Map(Container, Generic[K, T]):
    """A value for every key of a Sort or Range: `s.replica[broker]`.

    >>> value(lambda: each(Offset, lambda o: Offset.of(o - o))[Offset(3)])
    '0'
    """

    __slots__ = ()
    key: ClassVar[type[Term]]
    item: ClassVar[type[Term]]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, items: tuple[type[Term], type[Term]]) -> type:
            return with_items(cls, items)

    @classmethod
    def _attributes(cls, parts: tuple[type[Term], ...]) -> dict[str, Any]:
        if len(parts) != 2:
            raise ModelError("a Map needs a key and a value: Map[Broker, Replica]")
        require_scalar(parts[0], "the key of a Map")
        return {"key": parts[0], "item": parts[1]}

    def __getitem__(self, key: K) -> T:
        return self._part(self.item, self.key.literal(key))  # type: ignore[return-value]

    def __setitem__(self, key: K, value: T) -> None:
        if self._place is None:
            raise ModelError(f"this {type(self).__name__} is a value, not a part of the state")
        self._place.into(self.key.literal(key), self.item).write(self.item.literal(value))


@dataclass_transform(kw_only_default=True)
class Record(Container):
    """Named fields, as annotations of a subclass; `Entry(record_id=..., epoch=...)` makes one.

    >>> value(lambda: Entry(record_id=7, epoch=2))
    'record_id 7 epoch 2'
    >>> value(lambda: Entry(record_id=7, epoch=2).epoch)
    '2'
    """

    __slots__ = ()
    _fields: ClassVar[dict[str, type[Term]]] = {}

    def __init_subclass__(cls) -> None:
        own = inspect.get_annotations(cls)
        cls._fields = {**cls._fields, **own}
        for name, of in own.items():
            if hasattr(cls, name):
                raise ModelError(
                    f"{cls.__name__}.{name}: a field has no default value, and its name must not "
                    "be one that every record has"
                )
            if isinstance(of, str):
                raise ModelError(
                    f"{cls.__name__}.{name}: types must be there when the record is made: leave "
                    "out `from __future__ import annotations`"
                )
            if not (isinstance(of, type) and issubclass(of, Term)):
                raise ModelError(
                    f"{cls.__name__}.{name}: {name_of(of)} is not a type of the language: write a "
                    "Sort, a Range, an Enum, Bool, an Option, or a type that holds such"
                )
        if not cls._fields:
            raise ModelError(f"the record {cls.__name__} has no fields")

    def __init__(self, **fields: Any) -> None:
        cls = type(self)
        if fields.keys() != cls._fields.keys():
            odd = ", ".join(sorted(fields.keys() ^ cls._fields.keys()))
            raise ModelError(f"{cls.__name__} needs exactly its fields; missing or unknown: {odd}")
        parts = [of.literal(fields[name]) for name, of in cls._fields.items()]
        object.__setattr__(self, "_value", node("record", cls, *parts))
        object.__setattr__(self, "_place", None)

    @classmethod
    def fields(cls) -> dict[str, type[Term]]:
        """The types of the fields, in order."""
        return cls._fields

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Term:
            fields = type(self).fields()
            if name not in fields:
                raise ModelError(
                    f"{type(self).__name__} has no field {name!r}, only {', '.join(fields)}"
                )
            return self._part(fields[name], name)

        def __setattr__(self, name: str, value: object) -> None:
            fields = type(self).fields()
            if name not in fields:
                raise ModelError(
                    f"{type(self).__name__} has no field {name!r}, only {', '.join(fields)}"
                )
            if self._place is None:
                raise ModelError(f"this {type(self).__name__} is a value, not a part of the state")
            self._place.into(name, fields[name]).write(fields[name].literal(value))
