"""Which machines there are, by model and design. They are imported when they are asked for.

A machine of one's own is named by its file, which has it as `machine`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

from model.lang import Machine, ModelError

# Model, design: module. The first design of a model is the current one; the others are history.
MACHINES: Final = {
    ("replication", "kip-320"): "model.areas.replication.claims",
    ("replication", "truncate-to-high-watermark"): (
        "model.areas.replication.truncate_to_high_watermark"
    ),
    ("replication", "kip-101"): "model.areas.replication.kip_101",
    ("replication", "kip-279"): "model.areas.replication.kip_279",
    ("replication", "kip-320-first-try"): "model.areas.replication.kip_320_first_try",
    ("produce", "kafka-4"): "model.areas.produce.claims",
    ("quorum", "kraft"): "model.areas.quorum.proof",
    ("retention", "kafka-4"): "model.areas.retention.claims",
    ("group", "classic"): "model.areas.group.proof",
}

# Where proofs or contracts need ghosts: the modules of the machines that have them.
PROOFS: Final = {("replication", "kip-320"): "model.areas.replication.proof"}
CONTRACTS: Final = {"replication": "model.areas.replication.observed"}


def models() -> dict[str, list[str]]:
    """The designs of each model, the current one first."""
    found: dict[str, list[str]] = {}
    for model, design in MACHINES:
        found.setdefault(model, []).append(design)
    return found


def machine(model: str, design: str | None = None) -> Machine[Any]:
    """The machine of a model, by default in its current design, or of a file `NAME.py`."""
    if model.endswith(".py"):
        return _of_file(Path(model), design)
    designs = models().get(model)
    if designs is None:
        raise ModelError(f"there is no model {model!r}; there is {', '.join(models())}")
    design = design or designs[0]
    if design not in designs:
        raise ModelError(f"{model} has no design {design!r}; it has {', '.join(designs)}")
    found: Machine[Any] = importlib.import_module(MACHINES[model, design]).machine
    return found


def proof_machine(of: Machine[Any]) -> Machine[Any]:
    """The machine whose proofs speak for this one: itself, or the one with ghosts."""
    module = PROOFS.get((of.name, of.design))
    found: Machine[Any] = importlib.import_module(module).machine if module else of
    return found


def rests_on(of: Machine[Any]) -> dict[str, tuple[str, ...]]:
    """What each claim of a proof rests on, where that was found out: it only saves time."""
    module = PROOFS.get((of.name, of.design))
    found = importlib.import_module(module).RESTS_ON if module else {}
    return dict(found)


def observed_machine(of: Machine[Any]) -> Machine[Any]:
    """The machine whose contracts are those of this one: itself, or the one with ghosts."""
    module = CONTRACTS.get(of.name)
    found: Machine[Any] = importlib.import_module(module).observed(of) if module else of
    return found


def _of_file(path: Path, design: str | None) -> Machine[Any]:
    if design is not None:
        raise ModelError(f"{path} has one machine: leave out --design")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    except SyntaxError as error:
        raise ModelError(f"{path}, line {error.lineno}: {error.msg}") from None
    except ModelError:
        raise
    except Exception as error:
        lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f"{path}, line {lines[-1]}" if lines else str(path)
        raise ModelError(f"{where}: {type(error).__name__}: {error}") from None
    found = getattr(module, "machine", None)
    if not isinstance(found, Machine):
        raise ModelError(f"{path} has no machine: write `machine = Machine(NAME, STATE, TITLE)`")
    return found
