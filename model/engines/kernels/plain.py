"""The kernel that needs nothing but Python: one generated function walks a level of the state
graph.

What is generated: unpack the slots of a state, test each open property, then try every step,
sharing the tests that neighbouring steps have in common. A state is one integer, so a set of
states is a set of integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from model.engines.concrete import too_small
from model.engines.layout import Layout
from model.engines.lower import Step
from model.engines.scalars import TRUE, Scalar

INDENT = "    "
Found = Callable[[int, int], None]
Level = Callable[
    [Sequence[int], dict[int, int], list[int], list[bool], Found], tuple[list[int], int]
]
Moves = Callable[[int], list[tuple[int, int]]]
Watch = Callable[[int], list[int]]


def compile_level(
    layout: Layout, steps: Sequence[Step], watched: Sequence[Scalar], actions: Sequence[str]
) -> Level:
    """Compile `level(frontier, parents, fired, open, found) -> (next frontier, successors made)`.

    `watched` are truth values that end the watch when they hold in a state: `found(number, state)`
    is called once for each. `fired` counts the steps of each action; `parents` maps each known
    state to the one it was reached from.
    """
    level: Level = _compiled(_Source(layout, steps, list(actions)).level(watched), layout, steps)
    return level


def compile_moves(layout: Layout, steps: Sequence[Step]) -> Moves:
    """Compile `moves(state) -> [(number of an enabled step, state after it), ...]`."""
    moves: Moves = _compiled(_Source(layout, steps).moves(), layout, steps)
    return moves


def compile_watch(layout: Layout, watched: Sequence[Scalar]) -> Watch:
    """Compile `watch(state) -> [number of each truth value that holds, ...]`."""
    watch: Watch = _compiled(_Source(layout, ()).watch(watched), layout, ())
    return watch


def _compiled(source: str, layout: Layout, steps: Sequence[Step]) -> Any:
    def report(state: int, number: int) -> None:
        raise too_small(layout, steps[number], state)

    names: dict[str, Any] = {"too_small": report}
    exec(compile(source, "<generated kernel>", "exec"), names)
    return names["kernel"]


class _Source:
    """Writes the text of one generated function."""

    def __init__(self, layout: Layout, steps: Sequence[Step], actions: Sequence[str] = ()) -> None:
        self.layout = layout
        self.steps = steps
        self.actions = actions
        self.lines: list[str] = []
        self.local: dict[int, str] = {}

    def level(self, watched: Sequence[Scalar]) -> str:
        self._line(0, "def kernel(frontier, parents, fired, open_, found):")
        self._line(1, "following = []; made = 0; push = following.append")
        for number in range(len(watched)):
            self._line(1, f"w{number} = open_[{number}]")
        self._line(1, "for s in frontier:")
        self._unpack(2)
        for number, truth in enumerate(watched):
            self._line(2, f"if w{number} and {self._text(truth)}:")
            self._line(3, f"w{number} = open_[{number}] = False; found({number}, s)")
        self._branches([(n, self._conjuncts(step)) for n, step in enumerate(self.steps)], 2)
        self._line(1, "return following, made")
        return self._finished()

    def moves(self) -> str:
        self._line(0, "def kernel(s):")
        self._line(1, "following = []; push = following.append")
        self._unpack(1)
        self._branches([(n, self._conjuncts(step)) for n, step in enumerate(self.steps)], 1)
        self._line(1, "return following")
        return self._finished()

    def watch(self, watched: Sequence[Scalar]) -> str:
        self._line(0, "def kernel(s):")
        self._unpack(1)
        tests = ", ".join(self._text(truth) for truth in watched)
        self._line(1, f"return [n for n, holds in enumerate([{tests}]) if holds]")
        return self._finished()

    def _finished(self) -> str:
        return "\n".join(self.lines) + "\n"

    def _unpack(self, depth: int) -> None:
        for index, slot in enumerate(self.layout.slots):
            packed = f"s >> {slot.shift} & {(1 << slot.bits) - 1}"
            self._line(depth, f"a{index} = {f'({packed}) + {slot.low}' if slot.low else packed}")

    def _line(self, depth: int, text: str) -> None:
        self.lines.append(INDENT * depth + text)

    @staticmethod
    def _conjuncts(step: Step) -> list[Scalar]:
        """The guards of a step as a flat list of tests, in their order, each once."""
        flat: dict[int, Scalar] = {}
        for guard in step.guards.values():
            parts = guard.arguments if guard.operation == "and" else (guard,)
            flat.update((id(part), part) for part in parts if part is not TRUE)
        return list(flat.values())

    def _branches(self, steps: list[tuple[int, list[Scalar]]], depth: int) -> None:
        """Nested tests: neighbours that begin with the same test share it."""
        while steps:
            number, tests = steps[0]
            if not tests:
                self._successor(number, depth)
                steps = steps[1:]
                continue
            together = 0
            while together < len(steps) and steps[together][1][:1] == tests[:1]:
                together += 1
            # Blocks cannot be nested without end, so tests that all of them share are one line.
            shared = _shared_prefix([rest for _, rest in steps[:together]])
            self._line(depth, f"if {' and '.join(self._text(test) for test in tests[:shared])}:")
            self._branches([(n, rest[shared:]) for n, rest in steps[:together]], depth + 1)
            steps = steps[together:]

    def _successor(self, number: int, depth: int) -> None:
        step = self.steps[number]
        changed = {i: v for i, v in step.updates.items() if self.layout.slots[i].bits}
        self._share([*changed.values(), step.fits], depth)
        if step.fits is not TRUE:
            self._line(depth, f"if not {self._text(step.fits)}: too_small(s, {number})")
        kept, fixed, parts = (1 << self.layout.bits) - 1, 0, []
        for index, value in changed.items():
            slot = self.layout.slots[index]
            text = self._text(value)
            kept &= ~(((1 << slot.bits) - 1) << slot.shift)
            if value.constant is not None:
                fixed |= (value.constant - slot.low) << slot.shift
            else:
                offset = f"({text} - {slot.low})" if slot.low else f"({text})"
                parts.append(f"{offset} << {slot.shift}")
        self.local.clear()
        terms = [f"s & {kept}", *([str(fixed)] if fixed else []), *parts]
        self._line(depth, f"n = {' | '.join(f'({t})' for t in terms)}")
        if self.actions:
            self._line(depth, f"made += 1; fired[{self.actions.index(step.action.name)}] += 1")
            self._line(depth, "if n not in parents: parents[n] = s; push(n)")
        else:
            self._line(depth, f"push(({number}, n))")

    def _share(self, values: list[Scalar], depth: int) -> None:
        """Give a name to what the new values have in common."""
        uses: Counter[int] = Counter()
        order: list[Scalar] = []

        def visit(scalar: Scalar) -> None:
            uses[id(scalar)] += 1
            if uses[id(scalar)] == 1:
                for argument in scalar.arguments:
                    visit(argument)
                order.append(scalar)

        for value in values:
            visit(value)
        for scalar in order:
            if uses[id(scalar)] > 1 and scalar.arguments:
                text = self._text(scalar)
                self.local[id(scalar)] = name = f"t{len(self.local)}"
                self._line(depth, f"{name} = {text}")

    def _text(self, scalar: Scalar) -> str:
        named = self.local.get(id(scalar))
        if named is not None:
            return named
        operation, parts = scalar.operation, [self._text(a) for a in scalar.arguments]
        match operation:
            case "number":
                return str(scalar.data)
            case "slot":
                return f"a{scalar.data}"
            case "and" | "or":
                return f"({f' {operation} '.join(parts)})" if parts else str(operation == "and")
            case "if_else":
                return f"({parts[1]} if {parts[0]} else {parts[2]})"
            case "select":
                return self._select(scalar, parts)
        return "(" + TEMPLATES[operation].format(*parts) + ")"

    @staticmethod
    def _select(scalar: Scalar, parts: list[str]) -> str:
        index, *choices, otherwise = parts
        if all(c.constant is not None for c in scalar.arguments[1:-1]):
            text = f"({', '.join(choices)},)[{index}]"
        else:
            text = choices[-1]
            for number in range(len(choices) - 2, -1, -1):
                text = f"({choices[number]} if {index} == {number} else {text})"
        bounds = scalar.arguments[0]
        if bounds.low < 0 or bounds.high >= len(choices):
            text = f"({text} if 0 <= {index} < {len(choices)} else {otherwise})"
        return text


def _shared_prefix(rows: Sequence[Sequence[Scalar]]) -> int:
    """How many items all rows begin with."""
    length = min(len(row) for row in rows)
    return next((i for i in range(length) if any(r[i] is not rows[0][i] for r in rows)), length)


TEMPLATES = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "bit": "1 << {}",
    "union": "{} | {}",
    "intersection": "{} & {}",
    "difference": "{} & ~{}",
    "count": "({}).bit_count()",
    "truth": "{} != 0",
    "as_number": "1 if {} else 0",
    "not": "not {}",
    "equal": "{} == {}",
    "less": "{} < {}",
    "member": "{1} >> {0} & 1",
}
