"""Every API that a node serves, on which listener, and the one that tells which these are.

Apache Kafka's definition of a request says who serves it: clients are answered by `BROKER`, nodes
of the cluster and those who ask the quorum itself by `CONTROLLER`.

| API | versions | notes |
|---|---|---|
| ApiVersions | 0-4 | unknown versions get 0; since 3 client's name (KIP-511), features (KIP-584) |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from impl.api.brokers import BROKER_APIS
from impl.api.configs import CONFIG_APIS
from impl.api.elections import ELECTION_APIS
from impl.api.envelope import ENVELOPE, ENVELOPE_VERSIONS
from impl.api.fetch import FETCH_APIS
from impl.api.group_offsets import TRANSACTIONAL_GROUP_APIS
from impl.api.groups import GROUP_APIS
from impl.api.log_folders import LOG_FOLDER_APIS
from impl.api.produce import PRODUCE_APIS
from impl.api.quorum import QUORUM_APIS
from impl.api.reassignments import REASSIGNMENT_APIS
from impl.api.topic_partitions import TOPIC_PARTITION_APIS
from impl.api.topics import TOPIC_APIS
from impl.api.transaction_inspection import TRANSACTION_INSPECTION_APIS
from impl.api.transactions import TRANSACTION_APIS
from impl.api.translation import Translation
from impl.wire import Request, Struct
from spec.wire import api_keys
from spec.wire import request as request_of
from spec.wire.errors import ErrorCode

API_VERSIONS = "ApiVersions"
API_VERSIONS_VERSIONS = range(5)
CLIENT_SOFTWARE_SINCE = 3
LEVEL_ZERO_SINCE = 4  # before, clients stumble over a feature that may be absent (KAFKA-17492)

# Which levels this broker could work at; at which the cluster does is written in its metadata log.
SUPPORTED_FEATURES: Mapping[str, range] = {
    "eligible.leader.replicas.version": range(2),
    "group.version": range(2),
    "metadata.version": range(7, 26),
    "transaction.version": range(3),
}

SERVED: dict[str, Translation] = {
    **PRODUCE_APIS,
    **FETCH_APIS,
    **TOPIC_APIS,
    **LOG_FOLDER_APIS,
    **CONFIG_APIS,
    **ELECTION_APIS,
    **GROUP_APIS,
    **TRANSACTIONAL_GROUP_APIS,
    **BROKER_APIS,
    **QUORUM_APIS,
    **REASSIGNMENT_APIS,
    **TOPIC_PARTITION_APIS,
    **TRANSACTION_APIS,
    **TRANSACTION_INSPECTION_APIS,
}

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


BROKER, CONTROLLER = "broker", "controller"


class Features(NamedTuple):
    """The levels at which the cluster works, and the offset of the metadata that says so."""

    levels: Mapping[str, int]
    epoch: int = -1


@cache
def served_on(listener: str) -> Mapping[str, Translation]:
    """What the core is asked on one kind of listener."""
    return {name: each for name, each in SERVED.items() if listener in request_of(name).listeners}


@cache
def versions_on(listener: str) -> Mapping[str, range]:
    """WIRE-08: all that is answered on a listener, and nothing else."""
    versions = {name: each.versions for name, each in served_on(listener).items()}
    versions[API_VERSIONS] = API_VERSIONS_VERSIONS
    if listener == CONTROLLER:
        versions[ENVELOPE] = ENVELOPE_VERSIONS
    return versions


def is_served(request: Request, listener: str) -> bool:
    return request.api_version in versions_on(listener).get(request.api_name, ())


def _range(api_name: str, versions: range) -> Struct:
    return Struct(api_key=api_keys()[api_name], min_version=versions[0], max_version=versions[-1])


def api_versions(request: Request, listener: str, features: Features) -> Struct:
    """WIRE-05, WIRE-08."""
    body, version = request.body, request.api_version
    if version >= CLIENT_SOFTWARE_SINCE and not (
        _SOFTWARE.fullmatch(body.client_software_name)
        and _SOFTWARE.fullmatch(body.client_software_version)
    ):
        return Struct(error_code=ErrorCode.INVALID_REQUEST)
    ranges = [_range(name, versions) for name, versions in versions_on(listener).items()]
    return Struct(
        api_keys=sorted(ranges, key=lambda each: int(each.api_key)),
        supported_features=[
            Struct(name=name, min_version=levels[0], max_version=levels[-1])
            for name, levels in SUPPORTED_FEATURES.items()
            if levels[0] or version >= LEVEL_ZERO_SINCE
        ],
        finalized_features_epoch=features.epoch,
        finalized_features=[
            Struct(name=name, min_version_level=level, max_version_level=level)
            for name, level in sorted(features.levels.items())
            if level
        ],
    )


def unsupported_api_versions() -> Struct:
    """WIRE-04: in the form of version 0, which every client reads."""
    return Struct(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[_range(API_VERSIONS, API_VERSIONS_VERSIONS)],
    )
