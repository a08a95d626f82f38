"""Writes apache_kafka.txt: what Apache Kafka's own classes make of every message of the table.

    python -m tests.golden.wire.capture CLASSPATH

It runs ApacheKafka.java on a Java class path that holds Kafka's jars and Jackson's. Kafka reads
each sample of `tests.wire_values`, and what it read must be, name by name, what the sample says;
then it writes the sample and a message of defaults, and these bytes are the golden ones.
"""

import base64
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from impl.wire import encode_message
from spec.wire.generate import snake_case
from tests.wire_values import EVERY_VERSION, sample, structs

HERE = Path(__file__).parent
RECORDS = {"records", "unaligned_records"}


def main(class_path: str) -> None:
    samples = "".join(
        f"{name} {version} {encode_message(name, version, structs(sample(name, version))).hex()}\n"
        for name, version in EVERY_VERSION
    )
    command = ["java", "-cp", class_path, str(HERE / "ApacheKafka.java")]
    done = subprocess.run(command, input=samples, capture_output=True, text=True, check=True)
    golden = []
    for line in done.stdout.splitlines():
        name, version, defaults, written, read = line.split(" ", 4)
        expected = as_json(sample(name, int(version)))
        seen = renamed(json.loads(read))
        if seen != expected:
            raise SystemExit(f"{name} {version}: Kafka read {seen}, and the sample is {expected}")
        golden.append(f"{name} {version} {defaults} {written}\n")
    (HERE / "apache_kafka.txt").write_text("".join(golden), encoding="ascii")


def as_json(value: Any) -> Any:
    """Plain data as Kafka shows it, without records, of which it gives the size alone."""
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items() if name not in RECORDS}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    if isinstance(value, uuid.UUID):
        return base64.urlsafe_b64encode(value.bytes).decode().rstrip("=")
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def renamed(value: Any) -> Any:
    """Kafka's JSON with names in snake case, and without the sizes of records."""
    if isinstance(value, dict):
        names = {snake_case(name[0].upper() + name[1:]): inner for name, inner in value.items()}
        return {
            name: renamed(inner)
            for name, inner in names.items()
            if not name.endswith("records_size_in_bytes")
        }
    return [renamed(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main(*sys.argv[1:])
