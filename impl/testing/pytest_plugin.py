"""A fixture for pytest: `pytest_plugins = ["impl.testing.pytest_plugin"]` in conftest.py.

    @pytest.mark.kafka_cluster(brokers=3)
    def test_failover(kafka_cluster):
        kafka_cluster.kill(1)

The marker takes what `Cluster` takes; without it there is one broker. Each test has its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impl.testing.cluster import Cluster

MARKER = "kafka_cluster"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}(brokers=1, ...): how the fixture makes it")


@pytest.fixture
def kafka_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that lives as long as the test."""
    marker = request.node.get_closest_marker(MARKER)
    arguments, named = ((), {}) if marker is None else (marker.args, marker.kwargs)
    with Cluster(*arguments, **named) as cluster:
        yield cluster
