"""Median microseconds of both codecs, beside kafka-python: `python -m tests.bench.wire`.

Produce version 9 with a batch of 16 KiB is read and written, a Fetch response of version 12 with
1 MiB is written. All sides write the same bytes, which is checked. The broker's side is not
charged for joining its parts, since it hands them to the socket as they are.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

from kafka.protocol.consumer import FetchResponse
from kafka.protocol.producer import ProduceRequest
from tabulate import tabulate

import conformance.wire as suite
import impl.wire as broker

PRODUCE, FETCH = 9, 12
SMALL, LARGE = bytes(16 * 2**10), bytes(2**20)
REPEATS, SECONDS = 15, 0.02

Run = Callable[[], Any]


def median_us(run: Run) -> float:
    """The median over rounds of the mean within a round."""
    started = time.perf_counter()
    run()
    count = max(1, int(SECONDS / (time.perf_counter() - started)))
    rounds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for _ in range(count):
            run()
        rounds.append((time.perf_counter() - started) / count * 1e6)
    return statistics.median(rounds)


def produce_fields(records: bytes | memoryview) -> dict[str, Any]:
    partition = {"index": 0, "records": records}
    return {
        "acks": -1,
        "timeout_ms": 1000,
        "topic_data": [{"name": "topic", "partition_data": [partition]}],
    }


def fetch_fields(records: bytes | memoryview) -> dict[str, Any]:
    partition = {"partition_index": 0, "high_watermark": 9, "records": records}
    return {"responses": [{"topic": "topic", "partitions": [partition]}]}


def structs(value: Any) -> Any:
    if isinstance(value, dict):
        return broker.Struct(**{name: structs(inner) for name, inner in value.items()})
    return [structs(inner) for inner in value] if isinstance(value, list) else value


def runs() -> dict[str, tuple[Run, Run, Run]]:
    """For each row: the broker's codec, the suite's, kafka-python's."""
    frame = suite.encode_request("Produce", PRODUCE, 1, "me", produce_fields(SMALL))
    produce = structs(produce_fields(memoryview(SMALL)))
    fetch_request = broker.Request(1, "Fetch", FETCH, 1, None)
    fetch = structs(fetch_fields(memoryview(LARGE)))
    theirs_produce = ProduceRequest.decode(frame, version=PRODUCE, header=True)
    answer = suite.encode_response("Fetch", FETCH, 1, fetch_fields(LARGE))
    theirs_fetch = FetchResponse[FETCH].decode(answer[5:], version=FETCH)  # after its header
    theirs_fetch.with_header(1)
    return {
        "read Produce 16 KiB": (
            lambda: broker.decode_request(frame),
            lambda: suite.decode_request(frame),
            lambda: ProduceRequest.decode(frame, version=PRODUCE, header=True),
        ),
        "write Produce 16 KiB": (
            lambda: broker.encode_request("Produce", PRODUCE, 1, "me", produce),
            lambda: suite.encode_request("Produce", PRODUCE, 1, "me", produce_fields(SMALL)),
            lambda: theirs_produce.encode(version=PRODUCE, header=True),
        ),
        "write Fetch 1 MiB": (
            lambda: broker.encode_response(fetch_request, fetch),
            lambda: suite.encode_response("Fetch", FETCH, 1, fetch_fields(LARGE)),
            lambda: theirs_fetch.encode(header=True),
        ),
    }


def refuse_unequal(name: str, written: tuple[Any, Any, Any]) -> None:
    """A comparison of writers that do not write the same would say nothing."""
    parts, ours, theirs = written
    if not b"".join(parts)[4:] == ours == bytes(theirs):
        raise SystemExit(f"{name}: the codecs do not write the same bytes")


def main() -> int:
    rows = []
    for name, sides in runs().items():
        if name.startswith("write"):
            broker_side, suite_side, their_side = sides
            refuse_unequal(name, (broker_side(), suite_side(), their_side()))
        rows.append([name, *map(median_us, sides)])
    print(tabulate(rows, ["microseconds", "broker", "suite", "kafka-python"], floatfmt=".1f"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
