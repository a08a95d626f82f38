"""Between the wire and the core: elections that an operator asks for.

| API | versions | notes |
|---|---|---|
| ElectLeaders | 0-2 | preferred only in 0; the type of election since 1 (KIP-460) |
"""

from __future__ import annotations

from impl.api.translation import Translation
from impl.core.cluster.electing import Elections, ElectLeaders, PartitionElection
from impl.wire import Request, Struct


def _read_elect_leaders(request: Request, _client_host: str) -> ElectLeaders:
    asked = request.body.topic_partitions
    topics = None if asked is None else [(each.topic, each.partitions) for each in asked]
    return ElectLeaders(request.body.election_type, topics)


def _write_elect_leaders(_request: Request, result: Elections) -> Struct:
    return Struct(
        error_code=result.error,
        replica_election_results=[
            Struct(topic=name, partition_result=[_write_partition(each) for each in partitions])
            for name, partitions in result.topics
        ],
    )


def _write_partition(outcome: PartitionElection) -> Struct:
    return Struct(
        partition_id=outcome.partition,
        error_code=outcome.error,
        error_message=outcome.error.name if outcome.error else None,
    )


ELECTION_APIS = {"ElectLeaders": Translation(_read_elect_leaders, _write_elect_leaders, range(3))}
