"""What goes wrong in a simulated run, as data: drawn from a seed, or given by who shrinks a
failure.

Each fault ends by itself, and `most_down` bounds how many machines are crashed or killed at one
time, so a run says what it depends on: with one of three down at a time nothing that was
acknowledged may be lost. Who has lost power counts until all replicas are in sync again: whoever
dies uncleanly leaves the in-sync replicas, and two of three may be all that have a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from impl.simulation.cluster import Simulation
from impl.simulation.node import Node

CRASH, KILL, PAUSE = "crash", "kill", "pause"
CUT, ISOLATION, NOISE = "cut", "isolation", "noise"
SLOW_DISK = "slow disk"
KINDS = (CRASH, KILL, PAUSE, CUT, ISOLATION, NOISE, SLOW_DISK)


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` happens to `node` (and `other`, for a cut), for a while.

    crash: loss of power, where all replicas are in sync, else as kill: of the process alone;
    pause: it stands still; cut: the two do not hear each other; isolation: no other node hears it,
    but clients do; noise: messages get lost and repeated everywhere; slow disk: each flush takes
    50 ms.
    """

    at_ms: int
    kind: str
    node: int
    duration_ms: int
    other: int = 0


def draw(
    random: Random,
    nodes: Sequence[int],
    duration_ms: int,
    *,
    kinds: Sequence[str] = KINDS,
    mean_pause_ms: int = 8_000,
) -> list[Fault]:
    """Faults over a stretch of time, one after the other, some overlapping."""
    faults: list[Fault] = []
    at_ms = 0
    while True:
        at_ms += int(random.expovariate(1 / mean_pause_ms))
        if at_ms >= duration_ms:
            return faults
        node, other = random.sample(list(nodes), 2)
        length_ms = int(random.choice((500, 3_000, 12_000, 30_000)) * random.uniform(0.5, 1.5))
        faults.append(Fault(at_ms, random.choice(list(kinds)), node, length_ms, other))


def inject(simulation: Simulation, faults: Iterable[Fault], *, most_down: int = 1) -> None:
    """Let the faults happen, counted from now. One too many is left out."""
    for fault in faults:
        simulation.schedule.after(fault.at_ms, partial(_begin, simulation, fault, most_down))


def _begin(simulation: Simulation, fault: Fault, most_down: int) -> None:
    node, conditions = simulation.nodes[fault.node], simulation.network.conditions
    later = simulation.schedule.after
    is_whole = simulation.is_whole
    if is_whole:
        for each in simulation.nodes.values():
            each.has_lost = False
    match fault.kind:
        case "crash" | "kill":
            others = [each for each in simulation.nodes.values() if each is not node]
            down = sum(not each.is_up or each.has_lost for each in others)
            if down >= most_down or not node.is_up:
                return
            (node.crash if fault.kind == CRASH and is_whole else node.kill)()
            later(fault.duration_ms, partial(_start, node))
        case "pause":
            node.pause()
            later(fault.duration_ms, node.resume)
        case "cut":
            simulation.network.cut(fault.node, fault.other)
            later(fault.duration_ms, lambda: simulation.network.mend(fault.node, fault.other))
        case "isolation":
            for other in sorted(simulation.nodes.keys() - {fault.node}):
                simulation.network.cut(fault.node, other)
                later(fault.duration_ms, partial(simulation.network.mend, fault.node, other))
        case "noise":
            conditions.loss, conditions.repetition = 0.05, 0.05
            later(fault.duration_ms, simulation.network.calm)
        case "slow disk":
            node.flush_ms = 50
            later(fault.duration_ms, lambda: setattr(node, "flush_ms", 0))
        case _:
            raise ValueError(f"there is no fault {fault.kind!r}")


def _start(node: Node) -> None:
    if not node.is_up:
        node.start()
