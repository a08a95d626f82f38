"""Between the wire and the core: replicas that move to other brokers.

| API | versions | notes |
|---|---|---|
| AlterPartitionReassignments | 0-1 | KIP-455; may keep the number of replicas since 1 |
| ListPartitionReassignments | 0 | KIP-455 |
"""

from __future__ import annotations

from itertools import groupby

from impl.api.translation import Translation
from impl.core.cluster.messages import (
    AlteredReassignments,
    AlterReassignments,
    ListedReassignments,
    ListReassignments,
    OngoingReassignment,
    Reassignment,
    ReassignmentOutcome,
)
from impl.wire import Request, Struct


def _read_alter(request: Request, _client_host: str) -> AlterReassignments:
    return AlterReassignments(
        tuple(
            Reassignment(
                topic.name,
                each.partition_index,
                None if each.replicas is None else tuple(each.replicas),
            )
            for topic in request.body.topics
            for each in topic.partitions
        ),
        request.body.allow_replication_factor_change,
    )


def _topic_of(each: ReassignmentOutcome | OngoingReassignment) -> str:
    return each.topic


def _write_altered(request: Request, result: AlteredReassignments) -> Struct:
    return Struct(
        allow_replication_factor_change=request.body.allow_replication_factor_change,
        responses=[
            Struct(
                name=name,
                partitions=[
                    Struct(
                        partition_index=each.partition,
                        error_code=each.error,
                        error_message=each.message,
                    )
                    for each in outcomes
                ],
            )
            for name, outcomes in groupby(result.outcomes, _topic_of)
        ],
    )


def _read_list(request: Request, _client_host: str) -> ListReassignments:
    asked = request.body.topics
    if asked is None:
        return ListReassignments(None)
    return ListReassignments(tuple((t.name, tuple(t.partition_indexes)) for t in asked))


def _write_listed(_request: Request, result: ListedReassignments) -> Struct:
    return Struct(
        topics=[
            Struct(
                name=name,
                partitions=[
                    Struct(
                        partition_index=each.partition,
                        replicas=list(each.replicas),
                        adding_replicas=list(each.adding_replicas),
                        removing_replicas=list(each.removing_replicas),
                    )
                    for each in ongoing
                ],
            )
            for name, ongoing in groupby(result.reassignments, _topic_of)
        ],
    )


REASSIGNMENT_APIS = {
    "AlterPartitionReassignments": Translation(_read_alter, _write_altered, range(2)),
    "ListPartitionReassignments": Translation(_read_list, _write_listed, range(1)),
}
