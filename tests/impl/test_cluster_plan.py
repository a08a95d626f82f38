"""`brokerspec broker --cluster N`: what its brokers are given before they run."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from impl.core.config import ConfigError
from impl.shell.cluster import bound_to, plan_cluster
from impl.shell.java_properties import parse_java_properties
from impl.shell.network import Address
from impl.shell.node import Sockets
from impl.shell.properties import read_properties
from impl.shell.running import InputError, Plan, bind, plan

FREE = Address("127.0.0.1", 0)


@contextmanager
def planned(
    folder: Path,
    size: int = 3,
    first: Address = FREE,
    cluster_id: str | None = None,
    **given: str,
) -> Iterator[list[tuple[Plan, Sockets]]]:
    properties = {name.replace("_", "."): value for name, value in given.items()}
    brokers = plan_cluster(properties, size, first, folder, cluster_id)
    try:
        yield brokers
    finally:
        for _, sockets in brokers:
            sockets.close()


def ports(brokers: list[tuple[Plan, Sockets]]) -> list[tuple[int, int]]:
    found = []
    for _, sockets in brokers:
        assert sockets.controller is not None
        found.append((bound_to(sockets.clients).port, bound_to(sockets.controller).port))
    return found


def stored(file: Path) -> Mapping[str, str]:
    return parse_java_properties(file.read_text())


def test_brokers_have_ids_folders_and_ports_of_their_own(tmp_path: Path) -> None:
    with planned(tmp_path, num_partitions="4") as brokers:
        plans = [each for each, _ in brokers]
        assert [each.node_id for each in plans] == [1, 2, 3]
        assert [each.folder for each in plans] == [tmp_path / f"broker-{n}" for n in (1, 2, 3)]
        assert len({port for pair in ports(brokers) for port in pair}) == 6
        assert {each.node.properties.broker.num_partitions for each in plans} == {4}
        assert len({each.cluster_id for each in plans}) == 1


def test_all_know_the_same_voters_at_their_ports(tmp_path: Path) -> None:
    with planned(tmp_path) as brokers:
        heard = {
            node_id: controller for node_id, (_, controller) in enumerate(ports(brokers), start=1)
        }
        for each, _ in brokers:
            assert {n: voter.port for n, voter in each.network.voters.items()} == heard
            assert each.network.controller == Address("127.0.0.1", heard[each.node_id])


def two_free_ports() -> int:
    """The first of them."""
    for port in range(20_000 + os.getpid() % 20_000, 65_000):
        with suppress(OSError), ExitStack() as bound:
            for number in (port, port + 1):
                bound.enter_context(socket.create_server(("127.0.0.1", number)))
            return port
    raise AssertionError("no two ports in a row are free")


def test_clients_find_them_on_ports_in_a_row(tmp_path: Path) -> None:
    first = two_free_ports()
    with planned(tmp_path, size=2, first=Address("127.0.0.1", first)) as brokers:
        assert [clients for clients, _ in ports(brokers)] == [first, first + 1]
        assert [each.network.advertised.port for each, _ in brokers] == [first, first + 1]


def test_a_second_start_finds_the_same_cluster(tmp_path: Path) -> None:
    with planned(tmp_path) as brokers:
        before = [(each.cluster_id, each.network.voters) for each, _ in brokers]
    with planned(tmp_path) as brokers:
        assert [(each.cluster_id, each.network.voters) for each, _ in brokers] == before


def test_each_can_be_started_alone_by_its_properties(tmp_path: Path) -> None:
    with planned(tmp_path) as brokers:
        (together, _) = brokers[1]
    given = stored(tmp_path / "broker-2.properties")
    alone = plan(read_properties(given), Address("127.0.0.1", 9092), None, together.cluster_id)
    assert alone == together
    bind(alone).close()


def test_the_size_of_a_cluster_is_kept(tmp_path: Path) -> None:
    with planned(tmp_path, size=3):
        pass
    with pytest.raises(ConfigError, match=r"holds a cluster of 3 brokers, not 2\."):
        plan_cluster({}, 2, FREE, tmp_path, None)


def test_the_id_of_a_cluster_is_kept(tmp_path: Path) -> None:
    with planned(tmp_path, cluster_id="first"):
        pass
    with pytest.raises(ConfigError, match="holds cluster first, not second"):
        plan_cluster({}, 3, FREE, tmp_path, "second")


def test_a_port_of_the_quorum_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with planned(tmp_path), pytest.raises(InputError, match="cannot listen on"):
        plan_cluster({}, 3, FREE, tmp_path, None)


def test_what_the_cluster_sets_cannot_be_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"node\.id is not to be given with --cluster"):
        plan_cluster({"node.id": "7"}, 3, FREE, tmp_path, None)
