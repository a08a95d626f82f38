"""What the types of the language have in common, and the scalar ones.

A type is a class and a term is an instance of it that holds a node.

So a model is checked by any Python type checker, and reads like one: `me.high_watermark += 1`. A
term has no truth value and no hash, because its value is not known while the machine is read.
Every operation is total: the value of an absent option, an element past the end of a sequence and
what a map holds under a key that it does not have are the lowest value of their type. What does
not fit where an action puts it is an error of the scope, which every reader reports.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    NoReturn,
    Self,
    TypeVar,
)

from model.lang.nodes import Node, node
from model.lang.places import ModelError, Place

T = TypeVar("T", bound="Term")
E = TypeVar("E", bound="Enum")


class Bound:
    """A size that the scope gives, e.g. `Bound("log_size")`; `+` or `-` an int is another.

    >>> class Offset(Range):
    ...     low, high = 0, Bound("log_size")
    >>> value(lambda: everything(Offset), log_size=2)
    '{0, 1, 2}'
    """

    def __init__(self, name: str, added: int = 0) -> None:
        self.name, self.added = name, added

    def __add__(self, other: int) -> Bound:
        return Bound(self.name, self.added + other)

    def __sub__(self, other: int) -> Bound:
        return Bound(self.name, self.added - other)

    def __repr__(self) -> str:
        return self.name + (f"{self.added:+}" if self.added else "")

    def at(self, bounds: dict[str, int]) -> int:
        """The number of this bound in a scope."""
        if self.name not in bounds:
            raise ModelError(f"the scope does not say how large {self.name!r} is")
        return bounds[self.name] + self.added


class Term:
    """A value that is not known while the machine is read."""

    __slots__ = ("_place", "_value")
    _value: Node | None
    _place: Place | None

    @classmethod
    def of_node(cls, value: Node) -> Self:
        """The term that stands for a node (for readers of the language, not for models)."""
        term = object.__new__(cls)
        object.__setattr__(term, "_value", value)
        object.__setattr__(term, "_place", None)
        return term

    @classmethod
    def at_place(cls, place: Place) -> Self:
        """The term that stands for a part of the state: what it is now."""
        return cls.of_node(place.read())

    @property
    def node(self) -> Node:
        """The node of this term, as of now."""
        if self._place is not None:
            return self._place.read()
        assert self._value is not None
        return self._value

    @classmethod
    def fields(cls) -> dict[str, type[Term]]:
        """The types of the fields of a record, in order."""
        raise ModelError(f"{cls.__name__} is not a record and has no fields")

    @classmethod
    def literal(cls, value: object) -> Node:
        """The node of a Python value of this type; an error says what was expected."""
        if isinstance(value, Term):
            if type(value) is not cls and not _interchangeable(type(value), cls):
                raise ModelError(f"expected {cls.__name__}, got a term of {type(value).__name__}")
            return value.node
        raise ModelError(f"expected {cls.__name__}, got {value!r}")

    def __bool__(self) -> bool:
        raise ModelError(
            "a term has no truth value while the machine is read: write `a & b`, `a | b`, `~a`, "
            "`implies(a, b)` or `if_else(a, b, c)` instead of and, or, not, if"
        )

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> NoReturn:
        raise ModelError(
            "a term cannot be gone through while the machine is read: write `every(...)` or "
            "`exists(...)` instead of for, and `elements.has(x)` instead of in"
        )

    def __eq__(self, other: object) -> Bool:  # type: ignore[override]
        return Bool.of_node(node("equal", Bool, self.node, type(self).literal(other)))

    def __ne__(self, other: object) -> Bool:  # type: ignore[override]
        return ~(self == other)


def _interchangeable(one: type[Term], other: type[Term]) -> bool:
    """Numbers of all ranges may be compared and assigned; what does not fit is an error of the
    scope.
    """
    return issubclass(one, Range) and issubclass(other, Range)


class Bool(Term):
    """True or false; `&`, `|`, `~` as for sets. `Bool(True)` is a literal.

    >>> value(lambda: Bool(True) & ~Bool(True))
    'False'
    """

    __slots__ = ()

    def __init__(self, value: bool) -> None:
        self._value, self._place = Bool.literal(value), None

    @classmethod
    def literal(cls, value: object) -> Node:
        return (
            node("constant", Bool, data=int(value))
            if isinstance(value, bool)
            else super().literal(value)
        )

    def __and__(self, other: Bool) -> Bool:
        return Bool.of_node(node("and", Bool, self.node, Bool.literal(other)))

    def __or__(self, other: Bool) -> Bool:
        return Bool.of_node(node("or", Bool, self.node, Bool.literal(other)))

    def __invert__(self) -> Bool:
        return Bool.of_node(node("not", Bool, self.node))


class Sort(Term):
    """Interchangeable identities: they can be told apart and nothing else.

    A subclass says how many: `class Broker(Sort): size = Bound("brokers")`.

    >>> value(lambda: every(Broker, lambda a: exists(Broker, lambda b: a != b)))
    'True'
    """

    __slots__ = ()
    size: ClassVar[int | Bound]


class Value:
    """One value of an Enum.

    >>> class Answer(Enum):
    ...     NO, YES = Value(), Value()
    >>> value(lambda: Answer.YES)
    'YES'
    """

    name: str

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type[E]) -> E:
        return owner.of_node(node("constant", owner, data=owner.names.index(self.name)))


class Enum(Term):
    """One of some named values, of which the first is the default.

    >>> class Phase(Enum):
    ...     EMPTY = Value()
    ...     STABLE = Value()
    >>> Phase.names
    ('EMPTY', 'STABLE')
    """

    __slots__ = ()
    names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = tuple(name for name, value in vars(cls).items() if isinstance(value, Value))
        cls.names = (*cls.names, *own)
        if not cls.names:
            raise ModelError(f"the enum {cls.__name__} has no values: write EMPTY = Value()")


class Range(Term):
    """Whole numbers from `low` to `high`, both included; `Offset(0)` is a literal.

    Arithmetic is exact; a result that does not fit when it is assigned is reported as too small a
    scope.

    >>> value(lambda: Offset(2) + 3)
    '5'
    """

    __slots__ = ()
    low: ClassVar[int | Bound]
    high: ClassVar[int | Bound]

    def __init__(self, value: int | Bound) -> None:
        self._value, self._place = type(self).literal(value), None

    @classmethod
    def literal(cls, value: object) -> Node:
        if isinstance(value, bool):
            raise ModelError(f"expected a number for {cls.__name__}, got {value}")
        if isinstance(value, int):
            return node("constant", cls, data=value)
        if isinstance(value, Bound):
            return node("bound", cls, data=(value.name, value.added))
        return super().literal(value)

    @classmethod
    def of(cls, number: Range) -> Self:
        """The same number as a term of this range."""
        return cls.of_node(number.node)

    def _number(self, operation: str, other: object) -> Self:
        cls = type(self)
        return cls.of_node(node(operation, cls, self.node, cls.literal(other)))

    def _compare(self, operation: str, other: object, swap: bool = False) -> Bool:
        one, two = self.node, type(self).literal(other)
        return Bool.of_node(node(operation, Bool, *((two, one) if swap else (one, two))))

    def __add__(self, other: int | Bound | Range) -> Self:
        return self._number("add", other)

    def __sub__(self, other: int | Bound | Range) -> Self:
        return self._number("subtract", other)

    def __lt__(self, other: int | Bound | Range) -> Bool:
        return self._compare("less", other)

    def __le__(self, other: int | Bound | Range) -> Bool:
        return self._compare("at_most", other)

    def __gt__(self, other: int | Bound | Range) -> Bool:
        return self._compare("less", other, swap=True)

    def __ge__(self, other: int | Bound | Range) -> Bool:
        return self._compare("at_most", other, swap=True)


class Count(Range):
    """How many of something: the number type of lengths and sizes, as wide as it must be."""

    __slots__ = ()
    low = 0
    high = 1 << 31


_parametrized: dict[tuple[type, Any], type] = {}


def with_items(cls: type, items: Any) -> type:
    """`Option[Broker]` as a class of its own, made once."""
    made = _parametrized.get((cls, items))
    if made is None:
        parts = items if isinstance(items, tuple) else (items,)
        names = ", ".join(getattr(part, "__name__", repr(part)) for part in parts)
        attributes = {"__slots__": (), **cls._attributes(parts)}  # type: ignore[attr-defined]
        made = _parametrized[cls, items] = type(f"{cls.__name__}[{names}]", (cls,), attributes)
    return made


def require_scalar(of: object, role: str) -> None:
    """Refuse what has parts: options, elements of sets and keys of maps are scalars."""
    if not (isinstance(of, type) and issubclass(of, Bool | Enum | Sort | Range)):
        raise ModelError(f"{role} must be a Sort, a Range, an Enum or Bool, not {name_of(of)}")


def name_of(of: object) -> str:
    """A type as it is written."""
    return getattr(of, "__name__", repr(of))


class Option(Term, Generic[T]):
    """A scalar or nothing: `none(Broker)` and `some(leader)`; compare with `==`.

    >>> value(lambda: some(Offset(5)).value + 1)
    '6'
    >>> value(lambda: none(Offset).is_some)
    'False'
    """

    __slots__ = ()
    item: ClassVar[type[Term]]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: type[Term]) -> type:
            return with_items(cls, item)

    @classmethod
    def _attributes(cls, parts: tuple[type[Term], ...]) -> dict[str, Any]:
        require_scalar(parts[0], "the value of an Option")
        return {"item": parts[0]}

    @classmethod
    def literal(cls, value: object) -> Node:
        if isinstance(value, cls.item):
            raise ModelError(
                f"expected {cls.__name__}, got a term of {cls.item.__name__}: write some(...)"
            )
        return super().literal(value)

    @property
    def is_some(self) -> Bool:
        """Is a value present."""
        return Bool.of_node(node("is_some", Bool, self.node))

    @property
    def is_none(self) -> Bool:
        """Is no value present."""
        return ~self.is_some

    @property
    def value(self) -> T:
        """The value; the lowest one of the type where none is present."""
        return self.item.of_node(node("unwrap", self.item, self.node))  # type: ignore[return-value]
