"""What somebody saw of a behaviour: events, and parts of states in plain Python values.

Decides how a recorded value is written: a number or a `range` of numbers for a range, a position
from 0 or the name that traces show (`"broker1"`) for a sort or an enum, None for an option that
holds nothing, a set for a set, a list for a sequence or a bag, a mapping for a record or a map.
Records and maps may be given in part. It refuses values that the scope has no room for: they are
neither possible nor impossible there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from model.engines.lowering.layout import LENGTH, Layout, Path, Sizes
from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.places import ModelError
from model.lang.terms import Bool, Enum, Option, Range, Sort, Term

Limits = tuple[int, int]
Part = tuple[Path, int, int]  # A scalar part, the lowest and the highest number that was seen.
Limited = tuple[int, int, int]  # The same of a slot of the state.

PART = re.compile(r"\.?([A-Za-z_]\w*)|\[([^\]]*)\]")


@dataclass(frozen=True)
class Event:
    """A visible step, as far as it was seen: some or all arguments, and parts of the state just
    before and just after it, by path.
    """

    action: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        seen = [f"{path} = {value} before it" for path, value in self.before.items()]
        seen += [f"{path} = {value} after it" for path, value in self.after.items()]
        return f"{self.action}({given})" + (" with " + ", ".join(seen) if seen else "")


@dataclass(frozen=True)
class Look:
    """Parts of the state that were seen at one moment, by path; no step belongs to it."""

    seen: Mapping[str, object]

    def __str__(self) -> str:
        return "a look at " + ", ".join(f"{path} = {value}" for path, value in self.seen.items())


@dataclass(frozen=True)
class Operation:
    """What a client asked for between two times, in any unit; `returned` is None where no answer
    came and it may have happened or not.
    """

    what: Event | Look
    called: float
    returned: float | None
    client: str = ""

    def __str__(self) -> str:
        ended = "no answer" if self.returned is None else f"{self.returned:g}"
        who = f"{self.client}, " if self.client else ""
        return f"{self.what} ({who}{self.called:g} to {ended})"


def scalar_limits(sizes: Sizes, of: type[Term], value: object) -> Limits:
    """The lowest and highest number that a scalar of this type may have to be this value."""
    low, high = _numbers(sizes, of, value)
    lowest, highest = sizes.limits(of)
    if not lowest <= low <= high <= highest:
        raise ModelError(f"this scope has no room for {value!r} in {of.__name__}")
    return low, high


def _numbers(sizes: Sizes, of: type[Term], value: object) -> Limits:
    if isinstance(value, str):
        named = [n for n in sizes.values(of) if sizes.show(of, n) == value]
        if not named:
            raise ModelError(f"{value!r} is no {of.__name__} in this scope")
        return named[0], named[0]
    if issubclass(of, Option):
        if value is None:
            return 0, 0
        first = sizes.limits(of.item)[0]
        low, high = scalar_limits(sizes, of.item, value)
        return low - first + 1, high - first + 1
    if issubclass(of, Set) and isinstance(value, Collection):
        mask = _mask(sizes, of.item, value)
        return mask, mask
    if isinstance(value, range) and issubclass(of, Range) and value.step == 1:
        return value.start, value.stop - 1
    if isinstance(value, int) and isinstance(value, bool) == issubclass(of, Bool):
        return int(value), int(value)
    raise ModelError(f"{value!r} is no {of.__name__}")


def _mask(sizes: Sizes, of: type[Term], elements: Collection[object]) -> int:
    first, mask = sizes.limits(of)[0], 0
    for element in elements:
        low, high = scalar_limits(sizes, of, element)
        if low != high:
            raise ModelError(f"{element!r} is not one element of a set")
        mask |= 1 << (low - first)
    return mask


def limits_on(layout: Layout, seen: Mapping[str, object]) -> tuple[Limited, ...]:
    """What a partial observation asks of a state: (slot, lowest, highest number), each once.

    A path is written as traces show it: `replica[broker1].high_watermark`, `log[2].epoch`,
    `log.length`; an element of a sequence is there, so the sequence is longer than its index.
    """
    found: dict[int, Limits] = {}
    for text, value in seen.items():
        for path, low, high in _at(layout.sizes, layout.state, text, value):
            slot = layout.index[path]
            before = found.get(slot, (low, high))
            found[slot] = max(low, before[0]), min(high, before[1])
    return tuple((slot, low, high) for slot, (low, high) in found.items())


def value_limits(sizes: Sizes, of: Any, value: object, path: Path = ()) -> Iterator[Part]:
    """The limits that a value of any type puts on the scalar parts of it, below a path."""
    if issubclass(of, Record) and isinstance(value, Mapping):
        for name, part in value.items():
            if name not in of.fields():
                raise ModelError(f"{of.__name__} has no field {name!r}")
            yield from value_limits(sizes, of.fields()[name], part, (*path, name))
    elif issubclass(of, Map) and isinstance(value, Mapping):
        for name, part in value.items():
            yield from value_limits(sizes, of.item, part, (*path, _key(sizes, of, name)))
    elif issubclass(of, Seq | Bag) and isinstance(value, list | tuple):
        yield (*path, LENGTH), *_length(sizes, of, len(value))
        parts = [list(value_limits(sizes, of.item, part)) for part in value]
        if issubclass(of, Bag):
            # A bag is laid out sorted, so its elements have to be known as a whole.
            whole = [leaf for leaf, *_ in sizes.leaves(of.item)]
            if any([leaf for leaf, *_ in part] != whole for part in parts):
                raise ModelError(f"{value!r} does not say all of each element of a {of.__name__}")
            parts.sort()
        for index, part in enumerate(parts):
            yield from (((*path, index, *leaf), low, high) for leaf, low, high in part)
    elif issubclass(of, Bool | Enum | Sort | Range | Option | Set):
        yield path, *scalar_limits(sizes, of, value)
    else:
        raise ModelError(f"{value!r} is no {of.__name__}")


def _at(sizes: Sizes, of: Any, text: str, value: object) -> Iterator[Part]:
    """The limits that a value at a path puts on the scalar parts of a state of this type."""
    path: Path = ()
    steps = [a or b for a, b in PART.findall(text)]
    if "".join(match.group(0) for match in PART.finditer(text)) != text or not steps:
        raise ModelError(f"{text!r} is no path such as replica[broker1].high_watermark")
    for number, step in enumerate(steps):
        if issubclass(of, Record) and step in of.fields():
            path, of = (*path, step), of.fields()[step]
        elif issubclass(of, Map):
            key = _key(sizes, of, int(step) if step.isdigit() else step)
            path, of = (*path, key), of.item
        elif issubclass(of, Seq | Bag) and step == LENGTH and number == len(steps) - 1:
            yield (*path, LENGTH), *_length(sizes, of, value)
            return
        elif issubclass(of, Seq) and step.isdigit():
            _, longest = _length(sizes, of, range(int(step) + 1, sizes.number(of.capacity) + 1))
            yield (*path, LENGTH), int(step) + 1, longest
            path, of = (*path, int(step)), of.item
        else:
            raise ModelError(f"{text!r}: {of.__name__} has no part {step!r}")
    yield from value_limits(sizes, of, value, path)


def _key(sizes: Sizes, of: Any, value: object) -> int:
    return scalar_limits(sizes, of.key, value)[0] - sizes.limits(of.key)[0]


def _length(sizes: Sizes, of: Any, value: object) -> Limits:
    low, high = _numbers(sizes, Range, value)
    if not 0 <= low <= high <= sizes.number(of.capacity):
        raise ModelError(f"this scope has no room for a {of.__name__} of that length: {value!r}")
    return low, high
