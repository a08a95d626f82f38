"""A behaviour of a machine, as a person reads it: numbered steps, and what each one changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from model.engines.concrete import Stepper
from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Lowering


@dataclass(frozen=True)
class Trace:
    """States from the initial one on; `actions[i]` leads to `states[i + 1]`."""

    layout: Layout
    states: list[int]
    actions: list[str]

    def __len__(self) -> int:
        return len(self.states)

    def __str__(self) -> str:
        before = self.layout.show(self.states[0])
        width = len(str(len(self)))
        lines = [f"{1:{width}}  initial state"]
        lines += [
            f"{'':{width}}      {name} = {text}"
            for name, text in before.items()
            if not _bare(text)
        ]
        for number, (action, state) in enumerate(
            zip(self.actions, self.states[1:], strict=True), 2
        ):
            lines.append(f"{number:{width}}  {action}")
            after = self.layout.show(state)
            lines += [
                f"{'':{width}}      {name}: {before[name]} -> {after[name]}"
                for name in after
                if before[name] != after[name]
            ]
            before = after
        return "\n".join(lines)


def _bare(text: str) -> bool:
    return text in ("none", "{}", "[]", "0", "False")


def find_trace(lowering: Lowering, states: list[int]) -> Trace:
    """Name the steps between consecutive states."""
    stepper = Stepper(lowering)
    actions = [stepper.step_between(before, after) for before, after in pairwise(states)]
    return Trace(lowering.layout, states, actions)
