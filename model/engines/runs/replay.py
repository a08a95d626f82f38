"""A run done again from a list of calls, and a counterexample written as a program that does so.

A call names an action and its arguments as a trace shows them: `("fetch", {"follower": "broker2",
"epoch": 1})`. What cannot happen is refused, with the guard that forbids it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from model.engines.concrete import Stepper, evaluate
from model.engines.lowering.lower import Lowering
from model.engines.runs.trace import Trace
from model.lang.machine import Machine
from model.lang.parts import Action, Scope
from model.lang.places import ModelError
from model.lang.terms import Range

Call = tuple[str, Mapping[str, object]]


def run(machine: Machine[Any], scope: Scope, calls: Iterable[Call]) -> Trace:
    """The behaviour of these calls from the initial state on."""
    lowering = Lowering(machine, scope)
    stepper = Stepper(lowering)
    states, actions = [lowering.initial()], list[str]()
    for number, (name, arguments) in enumerate(calls, 1):
        if name not in machine.actions:
            raise ModelError(f"call {number}: {machine.name} has no action {name!r}")
        wanted = _text(number, machine.actions[name], arguments)
        following = dict(stepper.successors(states[-1]))
        if wanted not in following:
            raise ModelError(f"call {number}: {_why_not(stepper, states[-1], name, wanted)}")
        actions.append(wanted)
        states.append(following[wanted])
    return Trace(lowering.layout, states, actions)


def holds(machine: Machine[Any], scope: Scope, property_name: str, trace: Trace) -> bool:
    """Is the claim of a property true at the end of a behaviour."""
    claim = Lowering(machine, scope).truth(machine.properties[property_name].holds)
    return bool(evaluate(claim, trace.layout.unpack(trace.states[-1])))


def _text(number: int, action: Action, arguments: Mapping[str, object]) -> str:
    """A call as a trace shows it."""
    if arguments.keys() != action.parameters.keys():
        expected = ", ".join(action.parameters) or "no arguments"
        raise ModelError(f"call {number}: {action.name} needs {expected}")
    return f"{action.name}({', '.join(f'{p}={arguments[p]}' for p in action.parameters)})"


def _why_not(stepper: Stepper, state: int, name: str, wanted: str) -> str:
    numbers = stepper.layout.unpack(state)
    failing = [
        guards
        for position, (_, guards) in enumerate(stepper.failing_guards(state))
        if stepper.name(position, numbers) == wanted
    ]
    if failing:
        fewest = min(failing, key=len)
        return f"{wanted} cannot happen: {', '.join(fewest)} does not hold"
    possible = [text for text, _ in stepper.successors(state) if text.startswith(f"{name}(")]
    instead = f"possible are {', '.join(possible)}" if possible else f"{name} is not possible"
    return f"{wanted} cannot happen in this scope; {instead}"


def program(machine: Machine[Any], scope: Scope, property_name: str, trace: Trace) -> str:
    """A test, to be pasted into a file, that runs a trace and finds the property broken."""
    design, *broken = machine.design.split(", broken: ")
    source = f'catalogue.machine("{machine.name}", "{design}")'
    source += "".join(f'.mutated("{what}")' for what in broken)
    bounds = [f'    "{name}": {number},' for name, number in scope.bounds.items()]
    calls = [f"    {_call(machine.actions, action)}," for action in trace.actions]
    body = [
        f"machine = {source}",
        "bounds = {",
        *bounds,
        "}",
        f'scope = Scope("{scope.name}", bounds, "of a counterexample")',
        "calls: list[Call] = [",
        *calls,
        "]",
        "trace = run(machine, scope, calls)",
        f'assert not holds(machine, scope, "{property_name}", trace)',
    ]
    return "\n".join(
        [
            "from model import catalogue",
            "from model.engines.runs.replay import Call, holds, run",
            "from model.lang import Scope",
            "",
            "",
            f"def test_what_breaks_{property_name}() -> None:",
            *(f"    {line}" for line in body),
            "",
        ]
    )


def _call(actions: Mapping[str, Action], shown: str) -> str:
    """A step of a trace as the call that makes it."""
    action = actions[shown.partition("(")[0]]
    pattern = ", ".join(f"{re.escape(name)}=(.*)" for name in action.parameters)
    found = re.fullmatch(rf"{action.name}\({pattern}\)", shown)
    assert found is not None, shown
    arguments = {
        name: int(text) if issubclass(of, Range) and re.fullmatch(r"-?\d+", text) else text
        for (name, of), text in zip(action.parameters.items(), found.groups(), strict=True)
    }
    return f'("{action.name}", {json.dumps(arguments, ensure_ascii=False)})'
