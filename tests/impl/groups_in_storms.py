"""Groups of a simulated cluster in trouble, and what must be true of them afterwards.

Three members of each protocol share the partitions of a topic, commit offsets, leave and come
back. The network repeats nothing, because an offset that is committed by a request of before is
Kafka's too. When everything has settled:

- the offset of each partition is one that a member tried to commit, and none that was acknowledged
  is higher (GRPS-14, GRPS-19);
- in no generation two members were told to own the same partition, and in the consumer protocol
  nobody is given what another one may still use (GRPS-20 to GRPS-22);
- each partition is owned by one member.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

from impl.core.groups.messages import FetchOffsets, FetchReply, OffsetsOfGroup, PartitionReference
from impl.simulation.clients import CLIENT_LANE
from impl.simulation.faults import KINDS, NOISE, draw
from impl.simulation.members import (
    SESSION_TIMEOUT_MS,
    ClassicMember,
    ConsumerMember,
    GroupHistory,
    Member,
)
from tests.impl.cluster_storm import PROPERTIES, TOPIC, Weathered

GROUPS = {
    **PROPERTIES,
    "offsets.topic.num.partitions": "2",
    "group.min.session.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "500",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": str(SESSION_TIMEOUT_MS),
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "300",
}
WITHOUT_NOISE = tuple(kind for kind in KINDS if kind != NOISE)


class GroupStorm(Weathered):
    partitions = (0, 1, 2, 3)

    def start_clients(self, _pause_ms: int) -> None:
        self.members: dict[str, Sequence[Member]] = {}
        self.histories = [
            GroupHistory(name, TOPIC, self.partitions) for name in ("classic", "consumer")
        ]
        classic, consumer = self.histories
        self.members["classic"] = [
            ClassicMember(self.simulation, 1_001 + n, classic) for n in range(3)
        ]
        consumers = [ConsumerMember(self.simulation, 1_011 + n, consumer) for n in range(3)]
        for each in consumers:
            each.others = [other for other in consumers if other is not each]
        self.members["consumer"] = consumers

    def stop_clients(self) -> None:
        """First nobody leaves any more; then, with all partitions owned, all fall silent."""
        for member in self._all():
            member.leaving = 0
        self.simulation.run(3 * SESSION_TIMEOUT_MS)
        self.owned = {
            name: Counter(n for member in members for n in member.owned)
            for name, members in self.members.items()
        }
        for member in self._all():
            member.is_stopped = True
        self.simulation.run(1_000)
        self.offsets = {each.group_id: self._offsets(each) for each in self.histories}

    def _all(self) -> list[Member]:
        return [member for members in self.members.values() for member in members]

    def _offsets(self, history: GroupHistory) -> dict[int, int]:
        """What the coordinator, whoever it is, says of the group."""
        asked = tuple(PartitionReference(TOPIC, n) for n in self.partitions)
        request = FetchOffsets((OffsetsOfGroup(history.group_id, asked),))
        answers: list[Any] = []
        for node_id in self.simulation.nodes:
            self.simulation.network.ask(
                1_000, node_id, CLIENT_LANE, request, 1_000, answers.append
            )
        self.simulation.run(1_000)
        return {
            at.partition: fetched.offset
            for answer in answers
            if isinstance(answer, FetchReply) and not answer.groups[0].error
            for at, fetched in answer.groups[0].offsets.items()
        }

    def problems(self) -> list[str]:
        return [
            *self.unsettled(),
            *(f"{each.group_id}: {p}" for each in self.histories for p in self._problems(each)),
        ]

    def _problems(self, history: GroupHistory) -> list[str]:
        found = list(history.conflicts)
        owned = self.owned[history.group_id]
        if owned != Counter(self.partitions):
            found.append(f"in the end the partitions are owned so often: {dict(owned)}")
        owners: dict[tuple[int, int], set[str]] = defaultdict(set)
        for assigned in history.assigned:
            for n in assigned.partitions:
                owners[assigned.generation, n].add(assigned.member_id)
        found += [f"{at} is owned by {sorted(who)}" for at, who in owners.items() if len(who) > 1]
        for n in self.partitions:
            tried = [each for each in history.commits if each.partition == n]
            least = max((each.offset for each in tried if each.is_acknowledged), default=-1)
            offset = self.offsets[history.group_id].get(n, -1)
            if offset < least or offset not in {-1, *(each.offset for each in tried)}:
                found.append(f"partition {n}: {offset} is committed, and {least} was acknowledged")
        return found


def group_storm(
    seed: int, duration_ms: int = 25_000, kinds: Sequence[str] = WITHOUT_NOISE
) -> GroupStorm:
    faults = draw(Random(seed), (1, 2, 3), duration_ms, kinds=kinds, mean_pause_ms=4_000)
    return GroupStorm(seed, faults, duration_ms, properties=GROUPS)
