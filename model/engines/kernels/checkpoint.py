"""An exploration in a file: all that a kernel knows, and of what.

A file is written beside its place and then put there, so that a stop in between loses nothing.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from model.engines.kernels import Problem, Snapshot
from model.engines.kernels.plain import identity
from model.lang.places import ModelError


def save(file: Path, problem: Problem, snapshot: Snapshot) -> None:
    """Write a checkpoint; ModelError where it cannot be written."""
    known = asdict(snapshot)
    states, parents = known.pop("states"), known.pop("parents")
    about = json.dumps({**known, "identity": identity(problem)})
    new = file.with_name(file.name + ".new")
    try:
        with new.open("wb") as opened:
            np.savez(opened, about=np.array(about), states=states, parents=parents)
        os.replace(new, file)
    except OSError as error:
        raise ModelError(f"{file} cannot be written: {error.strerror}") from None


def load(file: Path, problem: Problem) -> Snapshot | None:
    """Read a checkpoint of this problem; None where there is no such file yet.

    ModelError where the file is something else, or of another machine, scope or version.
    """
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as kept:
            about = json.loads(str(kept["about"]))
            states, parents = kept["states"], kept["parents"]
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from None
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile):
        raise ModelError(f"{file} is no checkpoint") from None
    if about.pop("identity") != identity(problem):
        raise ModelError(
            f"{file} is the checkpoint of another machine, scope or version: name another file, "
            "or remove it"
        )
    about["found"] = {int(number): position for number, position in about["found"].items()}
    return Snapshot(states=states, parents=parents, **about)
