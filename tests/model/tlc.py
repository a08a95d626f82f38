"""TLC, where it is installed: what it says of an exported module.

It is looked for at $TLA2TOOLS and at ~/.cache/brokerspec/tla2tools.jar. It asks the network whom
to tell of its runs unless it is told not to, so it gets a home directory that says no.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model.engines.export.tla import config_of, module_name, module_of
from model.lang import Machine, Scope
from tests.model.tla_values import states_of_dump

JAR = Path(os.environ.get("TLA2TOOLS", "~/.cache/brokerspec/tla2tools.jar")).expanduser()


def _missing() -> str:
    if not shutil.which("java"):
        return "TLC needs java, which is not on the PATH"
    return (
        "" if JAR.is_file() else f"no TLC: put tla2tools.jar at {JAR}, or say where in $TLA2TOOLS"
    )


needs_tlc = pytest.mark.skipif(bool(_missing()), reason=_missing() or "TLC is there")


@dataclass(frozen=True)
class Verdict:
    """What TLC counted, which claim it saw broken, in how many states, whether a step had no room
    (an Assert failed), and the states, where they were asked for.
    """

    distinct: int
    generated: int
    depth: int
    broken: str | None
    length: int
    no_room: bool
    text: str
    states: list[dict[str, Any]]


def tlc(
    machine: Machine[Any],
    scope: Scope,
    folder: Path,
    claims: Collection[str] | None = None,
    eventually: str | None = None,
    *,
    states: bool = False,
) -> Verdict:
    """Export a machine into a folder and run TLC on it, breadth first, with one worker."""
    name = module_name(machine)
    config = config_of(machine, scope, claims, eventually)
    (folder / f"{name}.tla").write_text(module_of(machine, scope), encoding="utf-8")
    (folder / f"{name}.cfg").write_text(config, encoding="utf-8")
    home = folder / ".tlaplus"
    home.mkdir(exist_ok=True)
    (home / "esc.txt").write_text("NO_STATISTICS\n", encoding="utf-8")
    command = [
        "java", "-XX:+UseSerialGC", f"-Duser.home={folder}", f"-Djava.io.tmpdir={folder}",
        "-cp", str(JAR), "tlc2.TLC",
        "-workers", "1", "-metadir", str(folder / "states"), "-noGenerateSpecTE", name,
    ]  # fmt: skip
    if states:
        command[-1:] = ["-dump", str(folder / "all.dump"), name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    dump = (folder / "all.dump").read_text(encoding="utf-8") if states else ""
    return _read(done.stdout + done.stderr, list(states_of_dump(dump)))


def _read(text: str, states: list[dict[str, Any]]) -> Verdict:
    counts = re.findall(r"(\d+) states generated, (\d+) distinct states found", text)
    depth = re.findall(r"depth of the complete state graph search is (\d+)", text)
    broken = re.findall(r"Invariant (\w+) is violated", text)
    broken += re.findall(r"Temporal property (\w+) was violated", text)
    no_room = "has no room in this scope" in text
    assert no_room or broken or "No error has been found" in text, f"TLC stopped:\n{text}"
    generated, distinct = map(int, counts[-1]) if counts else (0, 0)
    return Verdict(
        distinct,
        generated,
        int(depth[-1]) if depth else 0,
        broken[0] if broken else None,
        len(re.findall(r"^State \d+:", text, re.MULTILINE)),
        no_room,
        text,
        states,
    )
