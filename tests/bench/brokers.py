"""The reference broker beside Apache Kafka, same clients: `python -m tests.bench.brokers`.

First one broker of each kind, then three with three replicas. Both kinds are up all the time, and
are measured in turns: a round of one, a round of the other. The first round warms up and does not
count; of the others the medians are printed, and their ratio, which is above 1 where the reference
is better. Each kind runs with the options that it is shipped with. Processor time is that of all
its brokers; memory is the resident set of one, the mean where there are three.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import ParamSpec, TypeVar

from tabulate import tabulate

from conformance.targets.apache_kafka import ApacheKafka
from conformance.targets.nodes import Nodes
from conformance.targets.reference import Reference
from tests.bench.clients import (
    MIB,
    Cluster,
    Load,
    Taken,
    consume,
    create_topic,
    delete_topic,
    produce,
    wait_for_answers,
)

SIZES = {100: "100 B", 10 << 10: "10 KiB"}
LARGE_FACTOR = 4  # so much more of the large records, for the same time or so
ANSWERS = 500
NOTHING: dict[str, str] = {}
# Apache Kafka's defaults of what the suite shortens, and small coordinators: nobody uses them.
SHIPPED = {
    "broker.heartbeat.interval.ms": "2000",
    "broker.session.timeout.ms": "9000",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
    "replica.fetch.wait.max.ms": "500",
    "replica.lag.time.max.ms": "30000",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
}
# Of Kafka's own script that starts a server.
JAVA_AS_SHIPPED = (
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
)

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Clocked(Nodes):
    """Knows since when its programs had but to be started: their folders are laid out."""

    laid_out_s = 0.0

    def prepare(self, properties: Path) -> None:
        super().prepare(properties)
        self.laid_out_s = time.perf_counter()


class ShippedReference(Clocked, Reference):
    program_settings = NOTHING


class ShippedKafka(Clocked, ApacheKafka):
    program_settings = NOTHING
    java_options = JAVA_AS_SHIPPED


@dataclass
class Side:
    """Brokers of one kind, and what was measured of them: by row, a figure for each round."""

    nodes: Clocked
    figures: dict[str, list[float]] = field(default_factory=dict)
    processor_ms: dict[str, list[float]] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        return Cluster(":".join(map(str, self.nodes.address)), tuple(self.nodes.process_ids))

    def note(self, row: str, figure: float) -> None:
        self.figures.setdefault(row, []).append(figure)

    def note_rate(self, row: str, mebibytes: int, taken: Taken) -> None:
        self.note(row, mebibytes / taken.seconds)
        self.processor_ms.setdefault(row, []).append(1000 * taken.processor_s / mebibytes)


def elsewhere(
    call: Callable[_Arguments, _Result], *given: _Arguments.args, **named: _Arguments.kwargs
) -> _Result:
    """Call it in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *given, **named).result()


# What is measured


def start_up(side: Side) -> None:
    """From the start of new nodes until each of them answers and knows of all."""
    side.nodes.revive()
    side.note("start-up s", time.perf_counter() - side.nodes.laid_out_s)


def one_round(side: Side, mebibytes: int) -> None:
    for size, shown in SIZES.items():
        amount = mebibytes if size < 1 << 10 else LARGE_FACTOR * mebibytes
        load = Load(f"bench-{size}", size, amount)
        for acks in ("1", "all"):
            create_topic(side.cluster, load.topic, side.nodes.count)
            taken = elsewhere(produce, side.cluster, load, acks)
            side.note_rate(f"produce MiB/s, {shown}, acks={acks}", amount, taken)
            if acks == "all":
                taken = elsewhere(consume, side.cluster, load)
                side.note_rate(f"consume MiB/s, {shown}", amount, taken)
            delete_topic(side.cluster, load.topic)
    latency(side)


def warm_up(side: Side, mebibytes: int) -> None:
    one_round(Side(side.nodes), mebibytes)


def latency(side: Side) -> None:
    topic = "bench-latency"
    create_topic(side.cluster, topic, side.nodes.count)
    for acks in ("1", "all"):
        taken_ms = elsewhere(wait_for_answers, side.cluster, topic, acks, ANSWERS)
        quantiles = statistics.quantiles(taken_ms, n=100)
        side.note(f"latency ms p50, acks={acks}", quantiles[49])
        side.note(f"latency ms p99, acks={acks}", quantiles[98])
    delete_topic(side.cluster, topic)


def memory(side: Side, when: str) -> None:
    sizes = [sum(map(resident_mebibytes, family(each))) for each in side.nodes.process_ids]
    side.note(f"memory MiB, {when}", statistics.mean(sizes))


def family(process_id: int) -> Iterator[int]:
    """A process and all that it started."""
    yield process_id
    for children in Path(f"/proc/{process_id}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def resident_mebibytes(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / MIB
    return 0.0


# All of it

LESS_IS_BETTER = ("start-up", "latency", "memory")


def ratio(ours: float, theirs: float, *, less_is_better: bool) -> float:
    return theirs / ours if less_is_better else ours / theirs


def table(count: int, reference: Side, kafka: Side) -> str:
    rows = []
    for row in reference.figures:
        ours, theirs = (statistics.median(side.figures[row]) for side in (reference, kafka))
        cells = [
            row,
            ours,
            theirs,
            ratio(ours, theirs, less_is_better=row.startswith(LESS_IS_BETTER)),
        ]
        if row in reference.processor_ms:
            ours, theirs = (
                statistics.median(side.processor_ms[row]) for side in (reference, kafka)
            )
            cells += [ours, theirs, ratio(ours, theirs, less_is_better=True)]
        rows.append(cells)
    brokers = "one broker" if count == 1 else f"{count} brokers"
    kinds = ["reference", "Kafka", "ratio"]
    headers = [brokers, *kinds, "CPU ms/MiB", *kinds[1:]]
    return tabulate(rows, headers, floatfmt=("", *[".2f"] * 6))


def bench(count: int, rounds: int, mebibytes: int) -> str:
    sides = reference, kafka = (
        Side(ShippedReference(SHIPPED, count)),
        Side(ShippedKafka(SHIPPED, count)),
    )
    try:
        for _, side in product(range(rounds), sides):
            start_up(side)
        for side in sides:
            memory(side, "after start-up")
            warm_up(side, mebibytes)
        for _, side in product(range(rounds), sides):
            one_round(side, mebibytes)
        for side in sides:
            memory(side, "after the load")
    finally:
        for side in sides:
            side.nodes.stop()
    return table(count, reference, kafka)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--brokers", type=int, nargs="+", default=[1, 3], help="how many of a kind"
    )
    parser.add_argument(
        "--mebibytes",
        type=int,
        default=32,
        help=f"of small records in each measurement; of large ones {LARGE_FACTOR} times as much",
    )
    options = parser.parse_args(arguments)
    for count in options.brokers:
        print(bench(count, options.rounds, options.mebibytes), end="\n\n")


if __name__ == "__main__":
    main()
