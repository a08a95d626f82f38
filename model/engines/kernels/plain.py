"""The kernel that needs nothing but Python, and begins at once: the oracle of the others.

What is generated: unpack the slots of a state, test each open property, then try every step,
sharing the tests that neighbouring steps have in common. A state is one integer.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from model.engines.concrete import too_small
from model.engines.kernels import Problem, Snapshot
from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Step
from model.engines.lowering.scalars import TRUE, Scalar

INDENT = "    "
Moves = Callable[[int], list[tuple[int, int]]]
Watch = Callable[[int], list[int]]
Values = Callable[[int], tuple[int, ...]]


class Plain:
    """A `Kernel` of plain Python: a list of the states, and a dictionary of their positions."""

    def __init__(self, problem: Problem, snapshot: Snapshot | None = None) -> None:
        self._layout = layout = problem.layout
        self._canonical = compile_canonical(layout, problem.symmetries)
        source = _Source(layout, problem.steps, list(problem.actions))
        text = source.chunk(problem.watched, problem.may_end, bool(problem.symmetries))
        self._chunk = _compiled(text, layout, problem.steps, self._canonical)
        self._open = [True] * len(problem.watched)
        first = self._canonical(problem.first)
        self._order, self._parents = [first], array("I", [0])
        self.expanded, self.level_end, self.depth, self.generated = 0, 0, 0, 1
        self.fired = [0] * len(problem.actions)
        self.found: dict[int, int] = {}
        self.deadlock: int | None = None
        if snapshot is not None:
            self._restore(snapshot)
        self._positions = {state: position for position, state in enumerate(self._order)}

    @property
    def distinct(self) -> int:
        """How many states are known."""
        return len(self._order)

    @property
    def bytes(self) -> int:
        """The memory that is held, nearly: an integer stands in a list and in a dictionary."""
        each = sys.getsizeof(self._order[-1]) + sys.getsizeof(self.distinct) + 8 + 4
        return self.distinct * each + sys.getsizeof(self._positions)

    def expand(self, most: int) -> None:
        """Expand at most this many more states of the current level."""
        if self.expanded == self.level_end < self.distinct:
            self.level_end = self.distinct
            self.depth += 1
        stop = min(self.expanded + most, self.level_end)
        made, fired, dead = self._chunk(
            range(self.expanded, stop), self._order, self._positions, self._parents, self._open,
            self.found,
        )  # fmt: skip
        self.expanded, self.generated = stop, self.generated + made
        self.fired = [a + b for a, b in zip(self.fired, fired, strict=True)]
        self.deadlock = dead if self.deadlock is None else self.deadlock

    def state(self, position: int) -> int:
        """A state, packed."""
        return self._order[position]

    def parent(self, position: int) -> int:
        """The position from which a state was first reached."""
        return self._parents[position]

    def snapshot(self) -> Snapshot:
        """All that is known, to be kept."""
        import numpy as np

        words, size = self._layout.words, 8 * self._layout.words
        data = b"".join(state.to_bytes(size, "little") for state in self._order)
        states = np.frombuffer(data, dtype="<u8").reshape(-1, words)
        return Snapshot(
            states, np.array(self._parents, dtype=np.uint32), self.expanded, self.level_end,
            self.depth, self.generated, list(self.fired), dict(self.found), self.deadlock,
        )  # fmt: skip

    def close(self) -> None:
        """Forget everything."""
        self._order, self._positions = [], {}

    def _restore(self, snapshot: Snapshot) -> None:
        rows = snapshot.states.astype("<u8")
        self._order = [int.from_bytes(row.tobytes(), "little") for row in rows]
        self._parents = array("I", snapshot.parents.tolist())
        self.expanded, self.level_end = snapshot.expanded, snapshot.level_end
        self.depth, self.generated = snapshot.depth, snapshot.generated
        self.fired, self.found = list(snapshot.fired), dict(snapshot.found)
        self.deadlock = snapshot.deadlock
        for number in self.found:
            self._open[number] = False


def identity(problem: Problem) -> str:
    """A digest of all that decides an exploration: two problems of one identity are the same."""
    source = _Source(problem.layout, problem.steps, list(problem.actions))
    text = source.chunk(problem.watched, problem.may_end, bool(problem.symmetries))
    names = [(slot.path, slot.low, slot.high) for slot in problem.layout.slots]
    whole = f"{names} {problem.first} {len(problem.symmetries)} {text}"
    return hashlib.sha256(whole.encode()).hexdigest()


def compile_moves(layout: Layout, steps: Sequence[Step]) -> Moves:
    """Compile `moves(state) -> [(number of an enabled step, state after it), ...]`."""
    moves: Moves = _compiled(_Source(layout, steps).moves(), layout, steps)
    return moves


def compile_watch(layout: Layout, watched: Sequence[Scalar]) -> Watch:
    """Compile `watch(state) -> [number of each truth value that holds, ...]`."""
    watch: Watch = _compiled(_Source(layout, ()).watch(watched), layout, ())
    return watch


def compile_values(layout: Layout, values: Sequence[Scalar]) -> Values:
    """Compile `values(state) -> (the number of each scalar, ...)`."""
    compiled: Values = _compiled(_Source(layout, ()).values(values), layout, ())
    return compiled


def compile_canonical(
    layout: Layout, symmetries: Sequence[Sequence[Scalar]]
) -> Callable[[int], int]:
    """Compile the function from a state to the least state of its orbit."""
    canonical: Callable[[int], int] = _compiled(_Source(layout, ()).orbit(symmetries), layout, ())
    return canonical


def _compiled(
    source: str, layout: Layout, steps: Sequence[Step], canonical: Callable[[int], int] = int
) -> Any:
    def report(state: int, number: int) -> None:
        raise too_small(layout, steps[number], state)

    names: dict[str, Any] = {"too_small": report, "canonical": canonical}
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
        self.symmetric = False

    def chunk(self, watched: Sequence[Scalar], may_end: Scalar, symmetric: bool) -> str:
        """`kernel(positions to expand, order, positions, parents, open, found) -> (successors
        made, steps of each action, the first deadlock)`.
        """
        self.symmetric = symmetric
        self._line(0, "def kernel(chunk, order, positions, parents, open_, found):")
        self._line(1, f"made = 0; fired = [0] * {len(self.actions)}; dead = None")
        for number in range(len(watched)):
            self._line(1, f"w{number} = open_[{number}]")
        self._line(1, "for p in chunk:")
        self._line(2, "s = order[p]; before = made")
        self._unpack(2)
        for number, truth in enumerate(watched):
            self._line(2, f"if w{number} and {self._text(truth)}:")
            self._line(3, f"w{number} = open_[{number}] = False; found[{number}] = p")
        self._branches([(n, self._conjuncts(step)) for n, step in enumerate(self.steps)], 2)
        if may_end is not TRUE:
            allowed = self._text(may_end)
            self._line(2, f"if made == before and dead is None and not {allowed}: dead = p")
        self._line(1, "return made, fired, dead")
        return self._finished()

    def orbit(self, symmetries: Sequence[Sequence[Scalar]]) -> str:
        """`kernel(state) -> the least of its images`."""
        self._line(0, "def kernel(s):")
        if symmetries:
            self._unpack(1)
        images = ["s"]
        for values in symmetries:
            parts = [self._placed(i, value) for i, value in enumerate(values)]
            images.append(" | ".join(part for part in parts if part) or "0")
        self._line(1, f"return min({', '.join(images)}, s)")
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

    def values(self, values: Sequence[Scalar]) -> str:
        self._line(0, "def kernel(s):")
        self._unpack(1)
        self._share(list(values), 1)
        self._line(1, f"return ({''.join(self._text(value) + ', ' for value in values)})")
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
            kept &= ~(((1 << slot.bits) - 1) << slot.shift)
            if value.constant is not None:
                fixed |= (value.constant - slot.low) << slot.shift
            else:
                parts.append(self._placed(index, value))
        self.local.clear()
        terms = [f"s & {kept}", *([str(fixed)] if fixed else []), *parts]
        self._line(depth, f"n = {' | '.join(f'({t})' for t in terms)}")
        if self.actions:
            self._line(depth, f"made += 1; fired[{self.actions.index(step.action.name)}] += 1")
            if self.symmetric:
                self._line(depth, "n = canonical(n)")
            self._line(depth, "if n not in positions:")
            self._line(depth + 1, "positions[n] = len(order); order.append(n); parents.append(p)")
        else:
            self._line(depth, f"push(({number}, n))")

    def _placed(self, index: int, value: Scalar) -> str:
        """The new value of a slot, where it stands in a packed state; "" for nothing."""
        slot = self.layout.slots[index]
        if not slot.bits:
            return ""
        text = self._text(value)
        return (
            f"(({text} - {slot.low}) << {slot.shift})"
            if slot.low
            else f"(({text}) << {slot.shift})"
        )

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
