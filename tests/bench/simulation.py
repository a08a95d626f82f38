"""How fast virtual time passes, and how many storms a minute end well.

`python -m tests.bench.simulation [SEEDS]`: simulated minutes in a minute of one core, by what the
three brokers have to do, and the seeds of each kind of storm that did not end well.
"""

import sys
import time
from collections.abc import Callable

from tabulate import tabulate

from impl.simulation.cluster import START_MS, Simulation
from tests.impl.cluster_storm import Weathered, storm
from tests.impl.groups_in_storms import group_storm
from tests.impl.transactions_in_storms import transaction_storm

IDLE_MS = 1_200_000
SEEDS = 20
MINUTE_MS = 60_000

STORMS: dict[str, Callable[[int], Weathered]] = {
    "storm, producers and consumers": storm,
    "storm, transactions": transaction_storm,
    "storm, groups": group_storm,
}


def idle() -> list[object]:
    """A cluster of which nobody wants anything."""
    simulation = Simulation(0)
    simulation.run(MINUTE_MS)
    started = time.process_time()
    simulation.run(IDLE_MS)
    return ["idle", 1, _rate(IDLE_MS, time.process_time() - started), "none"]


def stormy(name: str, run: Callable[[int], Weathered], seeds: int) -> list[object]:
    """Storms of a kind, one after the other."""
    simulated_ms, found = 0, []
    started = time.process_time()
    for seed in range(seeds):
        weathered = run(seed)
        simulated_ms += weathered.simulation.now_ms - START_MS
        if weathered.problems():
            found.append(str(seed))
    seconds = time.process_time() - started
    return [name, seeds, _rate(simulated_ms, seconds), ", ".join(found) or "none"]


def _rate(simulated_ms: int, seconds: float) -> int:
    return round(simulated_ms / 1000 / seconds)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    rows = [idle(), *(stormy(name, run, seeds) for name, run in STORMS.items())]
    print(tabulate(rows, ["run", "seeds", "simulated minutes a minute", "seeds with findings"]))


if __name__ == "__main__":
    main()
