"""Topics of the double: what the brokers know of them, and what an administrator does to them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from impl.core.broker import Broker
from impl.core.cluster.catalogue import Assignment
from impl.testing.asking import ask
from impl.testing.assembly import Assembly
from impl.testing.machine import ClusterError, Machine, State
from impl.wire import Struct
from spec.wire.errors import ErrorCode, name_of

POLL_INTERVAL_S = 0.002
PATIENCE_S = 30.0
_REQUEST_TIMEOUT_MS = 10_000
_PREFERRED, _UNCLEAN = 0, 1


def wait_until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Try until it is true. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(POLL_INTERVAL_S)


class Topics:
    """To be used while nobody starts or stops brokers."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    # What is known

    def up(self) -> list[Machine]:
        return [each for each in self._assembly.machines.values() if each.state is State.UP]

    def controller(self) -> int | None:
        """The broker that most take for the active controller, if it does so itself."""
        beliefs = {each.node_id: each.look(_controller_of) for each in self.up()}
        for node_id, _ in Counter(beliefs.values()).most_common():
            if node_id is not None and beliefs.get(node_id) == node_id:
                return node_id
        return None

    def assignment(self, topic: str, partition: int) -> Assignment:
        """As the broker has it that has read the most. Raises ClusterError."""

        def look(core: Broker) -> tuple[int, Assignment | None]:
            known = core.catalogue.topics.get(topic)
            found = None if known is None else known.partitions.get(partition)
            return core.metadata_offset, found

        views = [machine.look(look) for machine in self.up()]
        if not views:
            raise ClusterError("no broker is up.")
        _, found = max(views, key=lambda view: view[0])
        if found is None:
            raise ClusterError(f"there is no partition {topic}-{partition}.")
        return found

    def know_each_other(self) -> bool:
        """Whether all that are up count all that are up as alive."""
        up = self.up()
        ids = [machine.node_id for machine in up]
        return all(each.look(lambda core: all(map(core.catalogue.is_active, ids))) for each in up)

    # What is done

    def create(
        self, name: str, partitions: int, replicas: int, configs: Mapping[str, object]
    ) -> None:
        topic = Struct(
            name=name,
            num_partitions=partitions,
            replication_factor=replicas,
            configs=[Struct(name=option, value=str(value)) for option, value in configs.items()],
        )
        answer = self._ask("CreateTopics", 7, topics=[topic], timeout_ms=_REQUEST_TIMEOUT_MS)
        _check(f"topic {name} was not created", answer.topics[0])
        wait_until(lambda: self._is_known(name))

    def _is_known(self, name: str) -> bool:
        """Whether all that hear the controller know the topic, and who leads its partitions."""

        def knows(core: Broker) -> bool:
            topic = core.catalogue.topics.get(name)
            return topic is not None and all(p.leader >= 0 for p in topic.partitions.values())

        controller = self.controller()
        return controller is not None and all(
            machine.look(knows)
            for machine in self.up()
            if self._assembly.network.hear_each_other(controller, machine.node_id)
        )

    def prefer(self, topic: str, partition: int, leader: int) -> None:
        """Make an in-sync replica the preferred one."""
        known = self.assignment(topic, partition)
        if leader not in known.isr:
            members = ", ".join(map(str, sorted(known.isr))) or "none"
            raise ClusterError(
                f"broker {leader} is not in sync with {topic}-{partition}: these are {members}."
            )
        if known.replicas[0] == leader:
            return
        replicas = [leader, *(each for each in known.replicas if each != leader)]
        wanted = Struct(partition_index=partition, replicas=replicas)
        answer = self._ask(
            "AlterPartitionReassignments",
            0,
            topics=[Struct(name=topic, partitions=[wanted])],
            timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        _check("the preferred leader was not changed", answer)
        _check("the preferred leader was not changed", answer.responses[0].partitions[0])

    def elect(self, topic: str, partition: int, *, unclean: bool) -> None:
        epoch = self.assignment(topic, partition).leader_epoch
        answer = self._ask(
            "ElectLeaders",
            2,
            election_type=_UNCLEAN if unclean else _PREFERRED,
            topic_partitions=[Struct(topic=topic, partitions=[partition])],
            timeout_ms=_REQUEST_TIMEOUT_MS,
        )
        _check("there was no election", answer)
        result = answer.replica_election_results[0].partition_result[0]
        if result.error_code != ErrorCode.ELECTION_NOT_NEEDED:
            _check(f"nobody was elected for {topic}-{partition}", result)
            wait_until(lambda: self.assignment(topic, partition).leader_epoch > epoch)

    def _ask(self, api_name: str, version: int, **fields: Any) -> Struct:
        """Ask the controller, once there is one."""
        wait_until(lambda: self.controller() is not None)
        port = self._assembly.machines[self.controller() or 0].port
        return ask(port, self._assembly.client_id("double"), api_name, version, **fields)


def _controller_of(core: Broker) -> int | None:
    return None if core.controller is None else core.controller.node_id


def _check(what: str, answer: Struct) -> None:
    """Raises ClusterError for an answer with an error."""
    if answer.error_code:
        said = f" ({answer.error_message})" if answer.error_message else ""
        raise ClusterError(f"{what}: {name_of(answer.error_code)}{said}")
