"""A machine as a TLA+ module, and a scope as the configuration that TLC wants beside it.

Decides what a module consists of: constants for the sorts and bounds, a variable for each field of
the state, an operator for each action and claim. A claim about single states becomes an invariant;
a witness X a claim NeverX, which TLC breaks with a behaviour that reaches X; a liveness claim a
temporal formula, with a specification of its own that has the fairness it assumes.

TLC counts in the module what `explore` counts: distinct states; states generated, one for the
first state and one for each choice of parameters that meets the guards, wherever it leads; and the
depth, in states, as long as it has one worker. Alone it would count a step again for each part of
a disjunction that holds in a guard; such a guard is written as one condition (`Holds`). A step for
which the scope has no room breaks TypeOK, or an Assert where TypeOK would not see it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from model.engines.export import formulas as f
from model.engines.export.formulas import Formula
from model.engines.export.intervals import Intervals
from model.engines.export.rewriting import Rewriting
from model.engines.export.tla_actions import ActionWriter, Operator, described
from model.engines.export.tla_library import OPERATORS
from model.engines.export.tla_names import Names
from model.engines.export.tla_terms import Terms
from model.engines.export.tla_words import Words, camel_case
from model.engines.lowering.layout import Sizes
from model.lang.machine import Machine
from model.lang.nodes import Node, node
from model.lang.parts import Liveness, Scope
from model.lang.places import ModelError


def module_name(machine: Machine[Any]) -> str:
    """The name of the module, which its file must have too: `Replication`, or
    `ReplicationKip101` for a design of the past.
    """
    words = re.split(r"[^A-Za-z0-9]+", f"{machine.name} {machine.design}")
    return camel_case("_".join(word for word in words if word != "current"))


def module_of(machine: Machine[Any], scope: Scope) -> str:
    """The text of the module, made for a scope: at another one a read may need the protection that
    it does not need here.
    """
    return _Module(machine, scope).text()


def config_of(
    machine: Machine[Any],
    scope: Scope,
    claims: Collection[str] | None = None,
    eventually: str | None = None,
) -> str:
    """The configuration for TLC: the sizes of a scope, and which claims to check.

    `claims` names properties, by default all but the witnesses; a witness among them is checked as
    NeverX. `eventually` names the liveness claim to check, under the fairness that it assumes.
    """
    module = _Module(machine, scope)
    module.text()
    return module.configuration(claims, eventually)


class _Module:
    """The parts of one module."""

    def __init__(self, machine: Machine[Any], scope: Scope) -> None:
        self.machine, self.scope = machine, scope
        self.words = Words(machine, Sizes(scope.bounds))
        self.rewriting = Rewriting()
        self.terms = Terms(self.words, Intervals(self.words.sizes), self.rewriting)
        self.claims: dict[str, str] = {}

    def text(self) -> str:
        """The module."""
        before = node("state", self.machine.state)
        types = [
            self.words.typed(of, self.terms.formula(node("field", of, before, data=name), Names()))
            for name, of in self.machine.state.fields().items()
        ]
        start = list(self._start())
        writer = ActionWriter(self.words, self.rewriting, self.machine.state)
        operators = {name: writer.operator(a) for name, a in self.machine.actions.items()}
        sections = [
            f.definition("TypeOK", f.junction("/\\", types)),
            ["Init ==", *start],
            *(operator.lines for operator in operators.values()),
            f.definition("Next", f.junction("\\/", [o.taken() for o in operators.values()])),
            ["Spec == Init /\\ [][Next]_vars"],
            *self._properties(),
            *self._liveness(operators),
            *self._ends(),
        ]
        heading = f"---- MODULE {module_name(self.machine)} ----"
        parts = [*self._opening(heading), *sections]
        closing = "=" * len(heading)
        return "\n\n".join("\n".join(part) for part in parts) + f"\n\n{closing}\n"

    def _opening(self, heading: str) -> Iterator[list[str]]:
        words, machine = self.words, self.machine
        title = machine.title[:1].upper() + machine.title[1:]
        yield [
            heading,
            *described(f"{title} (design: {machine.design}).", ()),
            f"\\* Made by brokerspec from its machine {machine.name!r}, at the scope "
            f"{self.scope.name!r}.",
            "EXTENDS " + ", ".join(sorted(words.modules)),
        ]
        names = [*words.sorts, *words.constants.values(), *sorted(words.models)]
        if names:
            yield ["CONSTANTS", *_names(names)]
        variables = [*words.variables.values()]
        yield ["VARIABLES", *_names(variables)]
        yield f.definition("vars", f.listed("<<", [*map(Formula, variables)], ">>"))
        for name, operator in OPERATORS.items():
            if name in words.operators:
                yield [*described(operator.meaning, ()), *operator.definition.split("\n")]
        if words.definitions:
            yield [line for lines in words.definitions.values() for line in lines]

    def _start(self) -> Iterator[str]:
        assert self.machine.start is not None
        start = self.rewriting.of(self.machine.start)
        for name, variable in self.words.variables.items():
            value = self.terms.formula(self.rewriting.field(start, name), Names())
            equation = f.infix(f.COMPARISON, Formula(variable), "=", value)
            yield from f.hanging("    /\\ ", equation.lines(f.WIDTH - 7))

    def _claim(self, name: str, holds: Node) -> list[str]:
        found = self.claims[name] = self.words.new(camel_case(name))
        return f.definition(found, self.terms.formula(self.rewriting.of(holds), Names()))

    def _properties(self) -> Iterator[list[str]]:
        for claim in self.machine.properties.values():
            lines = [
                *described(claim.summary, claim.clauses),
                *self._claim(claim.name, claim.holds),
            ]
            if claim.kind == "sometimes":
                never = self.words.new(f"Never{self.claims[claim.name]}")
                lines += [f"{never} == ~{self.claims[claim.name]}"]
                self.claims[claim.name] = never
            yield lines

    def _liveness(self, operators: dict[str, Operator]) -> Iterator[list[str]]:
        for claim in self.machine.liveness.values():
            when, then = (
                self.terms.formula(self.rewriting.of(part), Names())
                for part in (claim.when, claim.then)
            )
            found = self.claims[claim.name] = self.words.new(camel_case(claim.name))
            if when.flat == "TRUE":
                promised = f.listed("[]<>(", [then], ")")
            else:
                promised = f.infix(f.JUNCTION, when, "~>", then)
            fair = self.words.new(f"Fair{found}")
            entries = [Formula("Spec"), *self._fairness(claim, operators)]
            yield [
                *described(claim.summary, claim.clauses),
                *f.definition(fair, f.junction("/\\", entries)),
                *f.definition(found, promised),
            ]

    def _fairness(self, claim: Liveness, operators: dict[str, Operator]) -> Iterator[Formula]:
        for sign, entries in (("WF_vars", claim.fair), ("SF_vars", claim.strongly_fair)):
            for entry in entries:
                name, _, inside = entry.partition("(")
                chosen = [p.strip() for p in inside.removesuffix(")").split(",") if p.strip()]
                # A mutant of an action is as fair as the action.
                names = [
                    name,
                    *(m.name for m in self.machine.mutants.values() if m.replaces == name),
                ]
                taken = [operators[n] for n in names if n in operators]
                if taken:
                    steps = f.junction("\\/", [operator.taken(chosen) for operator in taken])
                    formula = f.call(sign, steps)
                    for parameter in reversed(chosen):
                        of = taken[0].ranges[parameter]
                        formula = f.headed(f"\\A {parameter} \\in {of.flat} :", formula)
                    yield formula

    def _ends(self) -> Iterator[list[str]]:
        if self.machine.may_end is not None:
            holds = self.terms.formula(self.rewriting.of(self.machine.may_end), Names())
            yield [
                "\\* A run may end only where this holds; any other state has a next step.",
                *f.definition("MayEnd", holds),
                "NoDeadlock == MayEnd \\/ ENABLED Next",
            ]

    def configuration(self, claims: Collection[str] | None, eventually: str | None) -> str:
        """The configuration of TLC."""
        machine, scope = self.machine, self.scope
        witnesses = [n for n, p in machine.properties.items() if p.kind == "sometimes"]
        wanted = [n for n in machine.properties if n not in witnesses]
        wanted = wanted if claims is None else list(claims)
        for name in (*wanted, *filter(None, [eventually])):
            if name not in self.claims:
                raise ModelError(f"{machine.name} has no property {name!r}")
        named = self.claims[eventually] if eventually else ""
        ends = ["NoDeadlock"] if machine.may_end is not None else []
        size = f"{machine.name}, {machine.design}, at the scope {scope.name!r}: {scope.why}."
        lines = [
            *described(size, ()),
            *self._constants(),
            f"SPECIFICATION {f'Fair{named}' if named else 'Spec'}",
            "INVARIANTS",
            *(f"    {name}" for name in ["TypeOK", *ends, *(self.claims[n] for n in wanted)]),
            *([f"PROPERTY {named}"] if named else []),
            *(
                f"\\* A witness, which TLC shows if told so: INVARIANT {self.claims[name]}"
                for name in witnesses
                if name not in wanted
            ),
            f"\\* To have no next step is {'judged by NoDeadlock' if ends else 'no error'}.",
            "CHECK_DEADLOCK FALSE",
        ]
        return "\n".join(lines) + "\n"

    def _constants(self) -> list[str]:
        words = self.words
        values = {name: self._values(name, of) for name, of in words.sorts.items()}
        values |= {words.constants[n]: str(self.scope.bounds[n]) for n in words.constants}
        values |= {name: name for name in sorted(words.models)}
        return ["CONSTANTS", *(f"    {n} = {v}" for n, v in values.items())] if values else []

    def _values(self, name: str, of: type[Any]) -> str:
        numbers = self.words.sizes.values(of)
        return "{" + ", ".join(f"{name.lower()}{number + 1}" for number in numbers) + "}"


def _names(names: Sequence[str]) -> list[str]:
    lines = f.listed("", [*map(Formula, names)], "").lines(f.WIDTH - f.INDENT)
    return f.hanging(" " * f.INDENT, lines)
