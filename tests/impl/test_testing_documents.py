"""What the documents show of the test double works when it is copied."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import impl
from tests.impl.broker_process import PATIENCE_S

README = Path(impl.__file__).parents[1] / "README.md"
PLUGIN = """
import pytest

@pytest.mark.kafka_cluster(brokers=3, properties={"num.partitions": 2})
def test_with_a_marker(kafka_cluster):
    assert len(kafka_cluster.brokers) == 3
    kafka_cluster.create_topic("orders", partitions=-1)
    assert kafka_cluster.leader("orders", 1) is not None

def test_without(kafka_cluster):
    assert len(kafka_cluster.brokers) == 1
"""


def passed(folder: Path, *arguments: str) -> str:
    """The last line of a run of pytest over a folder, by a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, str(folder)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout.strip().splitlines()[-1]


def test_the_test_in_the_readme_passes(tmp_path: Path) -> None:
    (section,) = re.findall(r"^## In your tests\n(.*?)^## ", README.read_text(), re.M | re.S)
    code = [line for line in section.splitlines() if line.startswith("    ") or not line]
    (tmp_path / "test_readme.py").write_text(textwrap.dedent("\n".join(code)))
    assert "1 passed" in passed(tmp_path)


def test_the_fixture_takes_what_a_cluster_takes(tmp_path: Path) -> None:
    (tmp_path / "test_plugin.py").write_text(PLUGIN)
    assert "2 passed" in passed(tmp_path, "-p", "impl.testing.pytest_plugin", "--strict-markers")
