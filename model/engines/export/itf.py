"""A trace as ITF, the Informal Trace Format of Apalache (its ADR-015), for tools that show traces.

Decides how a value of the language is written in JSON:

| value | JSON |
|---|---|
| number | `{"#bigint": "7"}` |
| truth value, name of an enum | `true`, `"STABLE"` |
| one of a sort | `"broker1"`, as it is shown everywhere |
| option | a variant: `{"tag": "Some", "value": 7}`, `{"tag": "None", "value": {"#tup": []}}` |
| record | `{"field": ...}` |
| sequence | `[...]` |
| set | `{"#set": [...]}` |
| map | `{"#map": [[key, value], ...]}` |
| bag | the map from each element to how often it is there |

The action that leads to a state, with its arguments, is `action` in the `#meta` of the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from model.engines.lowering.layout import LENGTH, Layout, Path, Sizes
from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.terms import Bool, Enum, Option, Sort, Term

FORMAT = "https://apalache-mc.org/docs/adr/015adr-trace.html"
Read = Callable[[Path], int]


class Run(Protocol):
    """A `Trace`, or a lasso, which has its `loop` besides."""

    @property
    def layout(self) -> Layout: ...
    @property
    def states(self) -> list[int]: ...
    @property
    def actions(self) -> list[str]: ...


def itf_of(trace: Run, loop: int | None = None) -> dict[str, Any]:
    """A trace as a JSON object; `loop` is the position, from 0, of the state after which it begins
    again. A trace that knows its own `loop`, a lasso, needs not be told.

    ITF wants the last state of a loop to be followed by the one at `loop`; a lasso ends where that
    one stands for the second time, so its last state is left out.
    """
    states, actions = list(trace.states), ["", *trace.actions]
    again = getattr(trace, "loop", loop)
    meta: dict[str, Any] = {
        "format": "ITF",
        "format-description": FORMAT,
        "description": "Created by brokerspec",
        "varTypes": {n: type_of(of) for n, of in trace.layout.state.fields().items()},
    }
    found: dict[str, Any] = {"#meta": meta, "vars": list(trace.layout.state.fields())}
    if again is not None:
        found["loop"] = again
        if again < len(states) - 1 and states[again] == states[-1]:
            meta["loop-action"] = actions.pop()
            states.pop()
    found["states"] = [
        {
            "#meta": {"index": index, **({"action": action} if action else {})},
            **state_of(trace.layout, state),
        }
        for index, (action, state) in enumerate(zip(actions, states, strict=True))
    ]
    return found


def state_of(layout: Layout, packed: int) -> dict[str, Any]:
    """A packed state as JSON: each field by its name."""
    numbers = layout.unpack(packed)
    value: dict[str, Any] = _value(
        layout.sizes, layout.state, (), lambda path: numbers[layout.index[path]]
    )
    return value


def type_of(of: type[Any]) -> str:
    """The type of a value, as Apalache writes it."""
    if issubclass(of, Record):
        return "{ " + ", ".join(f"{n}: {type_of(p)}" for n, p in of.fields().items()) + " }"
    if issubclass(of, Map):
        return f"({type_of(of.key)} -> {type_of(of.item)})"
    if issubclass(of, Bag):
        return f"({type_of(of.item)} -> Int)"
    if issubclass(of, Seq | Set):
        return f"{'Seq' if issubclass(of, Seq) else 'Set'}({type_of(of.item)})"
    if issubclass(of, Option):
        return f"None(UNIT) | Some({type_of(of.item)})"
    if issubclass(of, Sort):
        return of.__name__.upper()
    return "Bool" if issubclass(of, Bool) else "Str" if issubclass(of, Enum) else "Int"


def _value(sizes: Sizes, of: type[Any], path: Path, read: Read) -> Any:
    if issubclass(of, Record):
        return {n: _value(sizes, part, (*path, n), read) for n, part in of.fields().items()}
    if issubclass(of, Map):
        keys = enumerate(sizes.values(of.key))
        pairs = [
            [_scalar(sizes, of.key, k), _value(sizes, of.item, (*path, i), read)] for i, k in keys
        ]
        return {"#map": pairs}
    if issubclass(of, Seq | Bag):
        length = read((*path, LENGTH))
        elements = [_value(sizes, of.item, (*path, index), read) for index in range(length)]
        return elements if issubclass(of, Seq) else {"#map": _counted(elements)}
    return _scalar(sizes, of, read(path))


def _scalar(sizes: Sizes, of: type[Term], number: int) -> Any:
    if issubclass(of, Option):
        if not number:
            return {"tag": "None", "value": {"#tup": []}}
        return {"tag": "Some", "value": _scalar(sizes, of.item, sizes.values(of.item)[number - 1])}
    if issubclass(of, Set):
        values = enumerate(sizes.values(of.item))
        return {"#set": [_scalar(sizes, of.item, v) for i, v in values if number >> i & 1]}
    if issubclass(of, Bool):
        return bool(number)
    if issubclass(of, Sort | Enum):
        return sizes.show(of, number)
    return {"#bigint": str(number)}


def _counted(elements: list[Any]) -> list[list[Any]]:
    """Each element of a sorted bag, and how often it is there."""
    found: list[list[Any]] = []
    for element in elements:
        if not found or found[-1][0] != element:
            found.append([element, {"#bigint": str(elements.count(element))}])
    return found
