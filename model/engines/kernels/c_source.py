"""The C text of one machine at one scope: what each vector of states is compared, combined and
packed with.

Decides which integer type the lanes have, from the intervals of all numbers, and writes every
operation once, for a whole group of states and without a branch. It refuses to know how states
are stored or found again: that is in `compiled_store.c` and `compiled_rounds.c`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from model.engines.kernels import Problem
from model.engines.lowering.layout import WORD, Layout
from model.engines.lowering.scalars import TRUE, Scalar
from model.lang.places import ModelError

# Longer functions cost the compiler more than their operations are worth.
MOST_NODES = 1200


def source(problem: Problem) -> str:
    """The definitions and functions that `compiled.h` asks for."""
    layout = problem.layout
    parts = [
        _definitions(problem),
        '#include "compiled.h"\n',
        _unpack(layout),
        *_look(problem),
        *_emit(problem),
        *_permute(problem),
        '#include "compiled_store.c"\n#include "compiled_rounds.c"\n',
    ]
    return "\n".join(parts)


def _definitions(problem: Problem) -> str:
    bits = _lane_bits(problem)
    numbers = {
        "WORDS": problem.layout.words,
        "SLOTS": len(problem.layout.slots),
        "STEPS": len(problem.steps),
        "WATCHED": len(problem.watched),
        "SYMMETRIES": len(problem.symmetries),
        "LANE_BITS": bits,
        "LANE": f"int{bits}_t",
        "UNSIGNED_LANE": f"uint{bits}_t",
    }
    return "".join(f"#define {name} {value}\n" for name, value in numbers.items())


def _lane_bits(problem: Problem) -> int:
    """The narrowest lane for every number that is computed on the way."""
    roots: list[Scalar] = [*problem.watched, problem.may_end]
    for step in problem.steps:
        roots += [*step.guards.values(), *step.updates.values(), step.fits]
    for values in problem.symmetries:
        roots += values
    limits = [(slot.low, slot.high) for slot in problem.layout.slots]
    limits += [(scalar.low, scalar.high) for scalar in _nodes(roots)]
    lowest = min((low for low, _ in limits), default=0)
    highest = max((high for _, high in limits), default=0)
    for bits in (8, 16, 32, 64):
        if -(1 << bits - 1) <= lowest and highest < 1 << bits - 1:
            return bits
    raise ModelError(
        f"the compiled kernel has 64 bits for a number, and this scope needs {lowest}..{highest}:"
        " choose smaller bounds or another kernel"
    )


def _operands(scalar: Scalar) -> Sequence[Scalar]:
    """What is computed for a scalar: of a look-up, only what can be reached."""
    if scalar.operation != "select":
        return scalar.arguments
    index, *choices, otherwise = scalar.arguments
    reached = choices[max(index.low, 0) : index.high + 1]
    outside = index.low < 0 or index.high >= len(choices)
    return [index, *reached, *([otherwise] if outside else [])]


def _nodes(roots: Iterable[Scalar]) -> Iterator[Scalar]:
    """All that has to be computed for some scalars, operands first, each once."""
    seen: set[int] = set()
    waiting = [(root, False) for root in reversed(list(roots))]
    while waiting:
        scalar, ready = waiting.pop()
        if ready:
            yield scalar
        elif id(scalar) not in seen:
            seen.add(id(scalar))
            waiting.append((scalar, True))
            waiting += [(operand, False) for operand in reversed(_operands(scalar))]


@dataclass
class _Function:
    """One function in the making: a line for each operation."""

    lines: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def text(self, scalar: Scalar) -> str:
        """The name of the vector that holds a scalar, computed here if it is not yet."""
        for node in _nodes([scalar]):
            if id(node) not in self.names:
                self.names[id(node)] = self._named(node)
        return self.names[id(scalar)]

    def _named(self, node: Scalar) -> str:
        if node.operation == "number":
            return f"all({node.data})"
        name = f"a{node.data}" if node.operation == "slot" else f"t{len(self.names)}"
        self.lines.append(f"const Vector {name} = {self._operation(node)};")
        return name

    def _operation(self, node: Scalar) -> str:
        parts = [self.names.get(id(argument), "") for argument in node.arguments]
        match node.operation:
            case "slot":
                return f"group->slot[{node.data}]"
            case "and":
                return " & ".join(parts) or "all(-1)"
            case "or":
                return " | ".join(parts) or "all(0)"
            case "select":
                return self._select(node)
            case "bit":
                return self._bit(node.arguments[0], node.high.bit_length())
            case "member":
                index, mask = node.arguments
                return f"(({self._bit(index, mask.high.bit_length())}) & {parts[1]}) != all(0)"
            case "count":
                width = node.arguments[0].high.bit_length()
                bits = (f"(({parts[0]} & all({1 << n})) != all(0))" for n in range(width))
                return "".join(f" - {bit}" for bit in bits)
        return TEMPLATES[node.operation].format(*parts)

    def _bit(self, index: Scalar, width: int) -> str:
        """A vector of 1 << index: not all processors shift each lane by another number."""
        if index.constant is not None:
            return f"all({1 << index.constant if index.constant < width else 0})"
        name = self.names[id(index)]
        cases = range(max(index.low, 0), min(index.high + 1, width))
        return " | ".join(f"(({name} == all({n})) & all({1 << n}))" for n in cases) or "all(0)"

    def _select(self, node: Scalar) -> str:
        index, *choices, otherwise = node.arguments
        cases = list(range(max(index.low, 0), min(index.high + 1, len(choices))))
        outside = index.low < 0 or index.high >= len(choices)
        text = self.names[id(otherwise if outside else choices[cases.pop()])]
        for n in reversed(cases):
            chosen = self.names[id(choices[n])]
            text = f"choose({self.names[id(index)]} == all({n}), {chosen}, {text})"
        return text


TEMPLATES = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "union": "{} | {}",
    "intersection": "{} & {}",
    "difference": "{} & ~{}",
    "truth": "{} != all(0)",
    "as_number": "{} & all(1)",
    "not": "~{}",
    "equal": "{} == {}",
    "less": "{} < {}",
    "if_else": "choose({}, {}, {})",
}


def _block(head: str, lines: Iterable[str]) -> str:
    return "\n".join([f"static void {head} {{", *(f"    {line}" for line in lines), "}\n"])


def _unpack(layout: Layout) -> str:
    lines = []
    for index, slot in enumerate(layout.slots):
        if slot.bits:
            word, shift = divmod(slot.shift, WORD)
            mask = (1 << slot.bits) - 1
            low = f" + {slot.low}" if slot.low else ""
            lines.append(
                f"for (int i = 0; i < LANES; i++) ((LANE *)&group->slot[{index}])[i] ="
                f" (LANE)(group->word[{word}][i] >> {shift} & {mask}ull){low};"
            )
    return _block("unpack(Group *group)", lines)


def _look(problem: Problem) -> Iterator[str]:
    """Functions that say what holds and what is enabled, each of a bearable length."""
    wanted: list[tuple[str, Sequence[Scalar]]] = [
        (f"holds[{n}]", (truth,)) for n, truth in enumerate(problem.watched)
    ]
    for number, step in enumerate(problem.steps):
        wanted.append((f"enabled[{number}]", tuple(step.guards.values())))
        wanted.append((f"misfit[{number}]", (step.fits,)))
    wanted.append(("may_end", (problem.may_end,)))
    names: list[str] = []
    function = _Function()
    for number, (place, truths) in enumerate(wanted):
        held = " & ".join(function.text(truth) for truth in truths) or "all(-1)"
        if place.startswith("misfit"):
            held = f"~({held})" if truths[0] is not TRUE else "all(0)"
        function.lines.append(f"view->{place} = lanes({held});")
        if len(function.lines) > MOST_NODES or number == len(wanted) - 1:
            names.append(f"look_{len(names)}")
            yield _block(f"{names[-1]}(const Group *group, View *view)", function.lines)
            function = _Function()
    yield _block(
        "look(const Group *group, View *view)", (f"{name}(group, view);" for name in names)
    )


@dataclass
class _Word:
    """How one word of a packed state is made: what is kept, fixed, and put in where."""

    kept: int = (1 << WORD) - 1
    fixed: int = 0
    fields: list[tuple[int, str]] = field(default_factory=list)

    def text(self, before: str) -> str:
        parts = [f"({before} & {self.kept:#x}ull)"] if self.kept else []
        parts += [f"{self.fixed:#x}ull"] if self.fixed else []
        parts += [f"(uint64_t){name}.lane[lane] << {shift}" for shift, name in self.fields]
        return " | ".join(parts) or "0"


def _words(
    function: _Function, layout: Layout, values: Mapping[int, Scalar], lane_bits: int
) -> list[_Word]:
    """How the words of a state come from the new numbers of some slots.

    Slots that are neighbours and not wider than a lane together are joined while they are vectors.
    """
    words = [_Word() for _ in range(layout.words)]
    joined: list[tuple[int, int, list[str]]] = []
    for index in sorted(values, key=lambda i: layout.slots[i].shift):
        slot, value = layout.slots[index], values[index]
        if not slot.bits:
            continue
        number, shift = divmod(slot.shift, WORD)
        words[number].kept &= ~(((1 << slot.bits) - 1) << shift)
        if value.constant is not None:
            words[number].fixed |= (value.constant - slot.low & (1 << slot.bits) - 1) << shift
            continue
        low = f" - all({slot.low})" if slot.low else ""
        text = f"(Unsigned)({function.text(value)}{low})"
        if joined and joined[-1][0] == number and shift + slot.bits - joined[-1][1] <= lane_bits:
            joined[-1][2].append(f"{text} << {shift - joined[-1][1]}")
        else:
            joined.append((number, shift, [text]))
    for count, (number, shift, texts) in enumerate(joined):
        name = f"f{count}"
        function.lines.append(f"const Field {name} = {{{' | '.join(texts)}}};")
        words[number].fields.append((shift, name))
    return words


def _emit(problem: Problem) -> Iterator[str]:
    """A function for each step that writes the states after it."""
    bits = _lane_bits(problem)
    arguments = (
        "const Group *group, Lanes enabled, uint32_t *place, Reached *reached, uint32_t first"
    )
    for number, step in enumerate(problem.steps):
        function = _Function()
        words = _words(function, problem.layout, step.updates, bits)
        function.lines += [
            "for (; enabled; enabled &= enabled - 1) {",
            "    int lane = __builtin_ctzll(enabled);",
            "    Reached *after = reached + place[lane]++;",
            *(
                f"    after->key[{n}] = {word.text(f'group->word[{n}][lane]')};"
                for n, word in enumerate(words)
            ),
            "    after->parent = first + lane;",
            "}",
        ]
        yield _block(f"step_{number}({arguments})", function.lines)
    yield _block(
        "emit(const Group *group, const Lanes *enabled, uint32_t *place, Reached *reached,"
        " uint32_t first)",
        (
            f"if (enabled[{n}]) step_{n}(group, enabled[{n}], place, reached, first);"
            for n in range(len(problem.steps))
        ),
    )


def _permute(problem: Problem) -> Iterator[str]:
    """A function for each symmetry that packs a group under it."""
    bits = _lane_bits(problem)
    for number, values in enumerate(problem.symmetries):
        function = _Function()
        words = _words(function, problem.layout, dict(enumerate(values)), bits)
        for n, word in enumerate(words):
            text = word.text(f"group->word[{n}][lane]")
            each = "for (int lane = 0; lane < LANES; lane++)"
            function.lines.append(f"{each} word[{n}][lane] = {text};")
        yield _block(
            f"permute_{number}(const Group *group, uint64_t word[WORDS][LANES])", function.lines
        )
    if problem.symmetries:
        yield _block(
            "permute(const Group *group, int which, uint64_t word[WORDS][LANES])",
            (
                f"if (which == {n}) permute_{n}(group, word);"
                for n in range(len(problem.symmetries))
            ),
        )
