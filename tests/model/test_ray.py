"""Explorations and runs that are spread over a local Ray of two workers come to what one process
comes to; and nothing of Ray stays.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from model import catalogue
from model.command import main
from model.engines.explore import Limits, explore
from model.engines.ray_workers import RayWorkers, ray_workers
from model.engines.runs.simulate import simulate
from model.lang import ModelError

# Ray is not imported here: how it is started depends on what is set before that.
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")

replication = catalogue.machine("replication")
LIGHT = '''
from model.lang import Bool, Bound, Machine, Map, Range, Record, Sort, every, needs

class Lamp(Sort):
    """A lamp."""
    size = Bound("lamps")

class Level(Range):
    """How bright it is."""
    low, high = 0, 2

class Room(Record):
    """A room with lamps."""
    level: Map[Lamp, Level]

machine = Machine("light", Room, "lamps in a room")

@machine.action()
def brighten(s: Room, lamp: Lamp) -> None:
    """One lamp is turned up."""
    needs(is_not_brightest=s.level[lamp] < 2)
    s.level[lamp] += 1

@machine.always(broken_by="brighten.is_not_brightest")
def one_is_dark(s: Room) -> Bool:
    """Never are all of them as bright as they can be."""
    return ~every(Lamp, lambda lamp: s.level[lamp] == 2)

machine.scope("default", why="small", lamps=4)
'''

POLL_INTERVAL_S = 0.05


def descendants() -> set[int]:
    """The processes that were started by this one, or by those, and have not ended."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,stat=,comm="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    parents = {int(r[0]): int(r[1]) for r in rows if "Z" not in r[2] and r[3] != "ps"}
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def alive(processes: set[int]) -> set[int]:
    """Those of some processes that have not ended, after what time they need for it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        listed = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True)
        rows = [line.split() for line in listed.stdout.splitlines()]
        left = processes & {int(pid) for pid, state in rows if "Z" not in state}
        if not left:
            break
        time.sleep(POLL_INTERVAL_S)
    return left


def test_the_command_counts_the_same_and_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, surroundings = descendants(), os.environ.get("RAY_USAGE_STATS_ENABLED")
    assert main(["replication", "--scope", "tiny", "--ray"]) == 0
    assert "957" in capsys.readouterr().out
    assert not alive(descendants() - before)
    assert os.environ.get("RAY_USAGE_STATS_ENABLED") == surroundings


def test_a_worker_that_is_lost_is_a_sentence_and_the_others_end() -> None:
    before, started = descendants(), set[int]()

    def lose_one() -> None:
        with ray_workers(count=2) as workers:
            started.update(descendants() - before)
            workers.ray.kill(workers.hosts[1])
            explore(replication, replication.scopes["tiny"], kernel=workers.kernel)

    with pytest.raises(ModelError, match="a worker of Ray was lost"):
        lose_one()
    assert started
    assert not alive(started)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("auto", "Ray at auto: "),
        ("127.0.0.1:1", "nobody answers at 127.0.0.1:1: "),
        ("ray://127.0.0.1:1", "nobody answers at ray://127.0.0.1:1: "),
        ("somewhere", "give HOST:PORT"),
    ],
)
def test_a_cluster_that_nobody_runs_is_a_sentence(address: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence), ray_workers(address):
        pass


@pytest.fixture(scope="module")
def workers() -> Iterator[RayWorkers]:
    with ray_workers(count=2) as found:
        yield found


def test_only_this_machine_can_reach_it(workers: RayWorkers) -> None:
    assert {node["NodeManagerAddress"] for node in workers.ray.nodes()} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("scope", "counts"), [("tiny", (957, 1819, 15)), ("two-brokers", (120_879, 261_017, 26))]
)
def test_counts_are_those_that_are_pinned(
    scope: str, counts: tuple[int, int, int], workers: RayWorkers
) -> None:
    expected = explore(replication, replication.scopes[scope], kernel="numpy")
    seen = explore(replication, replication.scopes[scope], kernel=workers.kernel)
    assert (seen.distinct, seen.generated, seen.depth) == counts
    assert seen.fired == expected.fired
    assert {n: v.outcome for n, v in seen.verdicts.items()} == {
        n: v.outcome for n, v in expected.verdicts.items()
    }
    assert len(seen.kernel.snapshot().states) == counts[0]
    seen.kernel.close()


def test_records_are_lost_in_as_few_steps_as_published(workers: RayWorkers) -> None:
    machine = catalogue.machine("replication", "kip-101")
    seen = explore(machine, machine.scopes["default"], kernel=workers.kernel)
    trace = seen.verdicts["committed_records_survive_election"].trace
    assert trace is not None
    assert len(trace) == 11


def test_it_goes_on_where_another_kernel_stopped(tmp_path: Path, workers: RayWorkers) -> None:
    scope, file = replication.scopes["tiny"], tmp_path / "known"
    first = explore(replication, scope, Limits(states=300, file=file, chunk=50))
    assert first.stopped
    seen = explore(replication, scope, Limits(file=file), kernel=workers.kernel)
    assert (seen.distinct, seen.generated, seen.depth) == (957, 1819, 15)


def test_runs_are_the_same_ones(workers: RayWorkers) -> None:
    machine = catalogue.machine("replication", "truncate-to-high-watermark")
    scope = machine.scopes["default"]
    alone = simulate(machine, scope, 200, 30, 7)
    together = simulate(machine, scope, 200, 30, 7, workers.tallies(machine, scope, 30, 7))
    assert (together.steps, together.fired) == (alone.steps, alone.fired)
    assert (together.reached, together.ended) == (alone.reached, alone.ended)
    assert {n: t.actions for n, t in together.broken.items()} == {
        n: t.actions for n, t in alone.broken.items()
    }


def test_a_machine_of_a_file_that_workers_cannot_import_is_sent(
    tmp_path: Path, workers: RayWorkers
) -> None:
    file = tmp_path / "light_of_a_file.py"
    file.write_text(LIGHT, encoding="utf-8")
    machine = catalogue.machine(str(file))
    scope = machine.scopes["default"]
    seen = explore(machine, scope, kernel=workers.kernel)
    assert (seen.distinct, seen.depth, list(seen.violations)) == (81, 9, ["one_is_dark"])
    runs = simulate(machine, scope, 10, 20, 0, workers.tallies(machine, scope, 20, 0))
    assert (runs.steps, list(runs.broken)) == (80, ["one_is_dark"])
