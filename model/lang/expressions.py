"""What an action or a property can say beside the operators of the types: logic, choice,
quantifiers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from model.lang.containers import Bag, Map, Set
from model.lang.nodes import Node, node
from model.lang.places import ModelError, current_trace
from model.lang.terms import Bool, Option, Range, Term

T = TypeVar("T", bound=Term)
V = TypeVar("V", bound=Term)
N = TypeVar("N", bound=Range)


def implies(condition: Bool, claim: Bool) -> Bool:
    """`claim` wherever `condition` holds.

    >>> value(lambda: implies(Bool(False), Bool(False)))
    'True'
    """
    return ~condition | claim


def if_else(condition: Bool, then: T, otherwise: T) -> T:
    """One of two values of a type.

    >>> value(lambda: if_else(Offset(1) < Offset(2), Offset(5), Offset(6)))
    '5'
    """
    of = type(then)
    parts = Bool.literal(condition), then.node, of.literal(otherwise)
    return of.of_node(node("if_else", of, *parts))


def least_of(one: N, other: Range) -> N:
    """The smaller of two numbers.

    >>> value(lambda: least_of(Offset(5), Offset(6)))
    '5'
    """
    return if_else(one <= other, one, type(one).of_node(other.node))


def greatest_of(one: N, other: Range) -> N:
    """The larger of two numbers.

    >>> value(lambda: greatest_of(Offset(5), Offset(6)))
    '6'
    """
    return if_else(one >= other, one, type(one).of_node(other.node))


def some(value: T) -> Option[T]:
    """The option that holds this value.

    >>> value(lambda: some(Offset(5)))
    '5'
    """
    of = cast("type[Option[T]]", Option[type(value)])  # type: ignore[misc]
    return of.of_node(node("some", of, value.node))


def none(of: type[T]) -> Option[T]:
    """The option of this type that holds nothing.

    >>> value(lambda: none(Offset))
    'none'
    """
    option = cast("type[Option[T]]", Option[of])  # type: ignore[valid-type]
    return option.of_node(node("default", option))


def set_of(*elements: T) -> Set[T]:
    """The set of these elements, at least one; `no_element(Broker)` is the empty one.

    >>> value(lambda: set_of(Offset(5), Offset(6)) - set_of(Offset(6)))
    '{5}'
    """
    if not elements:
        raise ModelError("set_of() needs an element: write no_element(TYPE) for the empty set")
    of = cast("type[Set[T]]", Set[type(elements[0])])  # type: ignore[misc]
    return of.of_node(node("set_of", of, *(type(elements[0]).literal(e) for e in elements)))


def no_element(of: type[T]) -> Set[T]:
    """The empty set.

    >>> value(lambda: no_element(Offset))
    '{}'
    """
    empty = cast("type[Set[T]]", Set[of])  # type: ignore[valid-type]
    return empty.of_node(node("default", empty))


def everything(of: type[T]) -> Set[T]:
    """The set of all values of a type.

    >>> value(lambda: everything(Broker))
    '{broker1, broker2, broker3}'
    """
    full = cast("type[Set[T]]", Set[of])  # type: ignore[valid-type]
    return full.of_node(node("everything", full))


def those(domain: type[T], claim: Callable[[T], Bool]) -> Set[T]:
    """The set of all values of a type for which the claim holds.

    >>> value(lambda: those(Offset, lambda o: o > 7))
    '{8, 9}'
    """
    of = cast("type[Set[T]]", Set[domain])  # type: ignore[valid-type]
    return of.of_node(_quantified("those", of, domain, claim))


def each(domain: type[T], value: Callable[[T], V]) -> Map[T, V]:
    """The map that holds a value for each key.

    >>> value(lambda: each(Broker, lambda b: Offset(0))[ANY_BROKER])
    '0'
    """
    made: list[type[V]] = []

    def body(key: T) -> Node:
        term = value(key)
        made.append(type(term))
        return term.node

    inner = _body("each", domain, body)
    of = cast("type[Map[T, V]]", Map[domain, made[0]])  # type: ignore[valid-type]
    return of.of_node(node("each", of, inner[0], data=inner[1]))


def every(domain: type[T] | Set[T] | Bag[T], claim: Callable[[T], Bool]) -> Bool:
    """The claim holds for all values of a type, or for all elements of a set or bag.

    >>> value(lambda: every(Offset, lambda o: o < 9))
    'False'
    """
    if isinstance(domain, Set):
        return every(_item(domain), lambda x: implies(domain.has(x), claim(x)))
    if isinstance(domain, Bag):
        return every(
            domain.position(), lambda i: implies(i < domain.size, claim(domain.element(i)))
        )
    return Bool.of_node(_quantified("every", Bool, domain, claim))


def exists(domain: type[T] | Set[T] | Bag[T], claim: Callable[[T], Bool]) -> Bool:
    """The claim holds for some value of a type, or for some element of a set or bag.

    >>> value(lambda: exists(set_of(Offset(5)), lambda o: o == 5))
    'True'
    """
    if isinstance(domain, Set):
        return exists(_item(domain), lambda x: domain.has(x) & claim(x))
    if isinstance(domain, Bag):
        return exists(domain.position(), lambda i: (i < domain.size) & claim(domain.element(i)))
    return Bool.of_node(_quantified("exists", Bool, domain, claim))


def largest(domain: type[N], claim: Callable[[N], Bool], otherwise: N) -> N:
    """The greatest value for which the claim holds, or `otherwise` where there is none.

    >>> value(lambda: largest(Offset, lambda o: o < 5, otherwise=Offset(0)))
    '4'
    """
    return domain.of_node(_quantified("largest", domain, domain, claim, otherwise.node))


def smallest(domain: type[N], claim: Callable[[N], Bool], otherwise: N) -> N:
    """The least value for which the claim holds, or `otherwise` where there is none.

    >>> value(lambda: smallest(Offset, lambda o: o > 9, otherwise=Offset(0)))
    '0'
    """
    return domain.of_node(_quantified("smallest", domain, domain, claim, otherwise.node))


def _item(domain: Set[T]) -> type[T]:
    return cast("type[T]", domain.item)


def _body(
    operation: str, domain: type[T], body: Callable[[T], Node]
) -> tuple[Node, tuple[type[T], int]]:
    """The body of a binder, and what it binds: (type, depth)."""
    trace = current_trace(operation)
    depth = trace.quantifiers_open
    variable = domain.of_node(node("bound_variable", domain, data=depth))
    trace.quantifiers_open += 1
    try:
        return body(variable), (domain, depth)
    finally:
        trace.quantifiers_open -= 1


def _quantified(
    operation: str, of: type[Term], domain: type[T], claim: Callable[[T], Bool], *rest: Node
) -> Node:
    body, bound = _body(operation, domain, lambda x: Bool.literal(claim(x)))
    return node(operation, of, body, *rest, data=bound)
