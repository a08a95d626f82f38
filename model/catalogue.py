"""Which machines there are, by model and design. They are imported when they are asked for."""

from __future__ import annotations

import importlib
from typing import Any, Final

from model.lang import Machine, ModelError

# Model, design: module. The first design of a model is the current one; the others are history.
MACHINES: Final = {
    ("replication", "kip-320"): "model.areas.replication",
    ("replication", "truncate-to-high-watermark"): (
        "model.areas.replication_truncate_to_high_watermark"
    ),
    ("replication", "kip-101"): "model.areas.replication_kip_101",
    ("replication", "kip-279"): "model.areas.replication_kip_279",
    ("replication", "kip-320-first-try"): "model.areas.replication_kip_320_first_try",
}


def models() -> dict[str, list[str]]:
    """The designs of each model, the current one first."""
    found: dict[str, list[str]] = {}
    for model, design in MACHINES:
        found.setdefault(model, []).append(design)
    return found


def machine(model: str, design: str | None = None) -> Machine[Any]:
    """The machine of a model, by default in its current design."""
    designs = models().get(model)
    if designs is None:
        raise ModelError(f"there is no model {model!r}; there is {', '.join(models())}")
    design = design or designs[0]
    if design not in designs:
        raise ModelError(f"{model} has no design {design!r}; it has {', '.join(designs)}")
    found: Machine[Any] = importlib.import_module(MACHINES[model, design]).machine
    return found
