"""How soon a cluster of `impl.testing` is ready: `python -m tests.bench.double [ROUNDS]`.

Milliseconds from the call of `Cluster` until a client has an answer to Metadata, in a process that
has imported everything.
"""

import statistics
import sys
import time

from tabulate import tabulate

from impl.testing import Cluster
from tests.impl.testing_world import client

ROUNDS = 21


def ready_ms(brokers: int) -> float:
    started = time.perf_counter()
    with Cluster(brokers) as cluster, client(cluster) as asking:
        known = asking.ask("Metadata", 9, topics=[]).brokers
        took = time.perf_counter() - started
    assert len(known) == brokers
    return took * 1_000


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    rows = []
    for brokers in (1, 3):
        taken = [ready_ms(brokers) for _ in range(rounds)]
        rows.append([brokers, round(statistics.median(taken)), round(max(taken))])
    print(tabulate(rows, ["brokers", "median ms", "longest ms"]))


if __name__ == "__main__":
    main()
