"""How an answer is held against what a clause permits.

`permit` raises Violation with everything that a report needs; what is permitted is a collection of
values or a named `Condition`. No knowledge of any API.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.transcript import show_value
from conformance.verdict import Judgement, Violation
from spec.wire.errors import ErrorCode, name_of


@dataclass(frozen=True)
class Condition:
    """Permitted values that are too many to list: a sentence for people, a predicate for us."""

    sentence: str
    holds: Callable[[Any], bool]


def at_least(bound: float) -> Condition:
    return Condition(f"{bound} or more", lambda value: value >= bound)


def at_most(bound: float) -> Condition:
    return Condition(f"{bound} or less", lambda value: value <= bound)


def other_than(*values: object) -> Condition:
    """Anything but these values.

    >>> other_than(ErrorCode.NONE).sentence
    'anything but NONE'
    """
    listed = " and ".join(describe(value) for value in values)
    return Condition(f"anything but {listed}", lambda value: value not in values)


def permit(what: str, got: Any, permitted: Collection[Any] | Condition, because: str) -> None:
    """Raise Violation unless `got` is one of the permitted values.

    - `what` came back, as a noun: "the error code of partition 1".
    - `permitted`: a collection, or a Condition. Error codes given as ErrorCode are shown by name.
    - `because`: the rule that forbids everything else, as a sentence.

    >>> permit("the error code", 21, {ErrorCode.INVALID_REQUIRED_ACKS}, "acks is -1, 0 or 1.")
    >>> permit("the offset", 5, [4], "Offsets are assigned in order.")
    Traceback (most recent call last):
    conformance.verdict.Violation: the offset is 5; permitted: 4
    """
    if isinstance(permitted, Condition):
        if permitted.holds(got):
            return
        allowed = permitted.sentence
    else:
        if got in permitted:
            return
        if permitted and all(isinstance(value, ErrorCode) for value in permitted):
            got = name_of(got) if isinstance(got, int) else got
        allowed = " or ".join(sorted(describe(value) for value in permitted)) or "nothing"
    raise Violation(
        Judgement(what, got if isinstance(got, str) else describe(got), allowed, because)
    )


def describe(value: Any) -> str:
    """A value in the words of the reports; of a mapping every entry, also zeros.

    >>> describe({0: -1, 99: ErrorCode.NONE})
    '{0: -1, 99: NONE}'
    """
    if isinstance(value, Mapping):
        entries = (f"{key}: {describe(entry)}" for key, entry in value.items())
        return "{" + ", ".join(entries) + "}"
    return show_value("", value)
