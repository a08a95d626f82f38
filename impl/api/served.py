"""Every API that a node serves, on which listener, and the one that tells which these are.

Apache Kafka's definition of a request says who serves it: clients are answered by `BROKER`, nodes
of the cluster and those who ask the quorum itself by `CONTROLLER`.

| API | versions | notes |
|---|---|---|
| ApiVersions | 0-4 | client's name and version since 3 (KIP-511); unknown versions get 0 |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from impl.api.configs import CONFIG_APIS
from impl.api.elections import ELECTION_APIS
from impl.api.envelope import ENVELOPE, ENVELOPE_VERSIONS
from impl.api.fetch import FETCH_APIS
from impl.api.groups import GROUP_APIS
from impl.api.produce import PRODUCE_APIS
from impl.api.topics import TOPIC_APIS
from impl.api.translation import Translation
from impl.wire import Request, Struct
from spec.wire import api_keys
from spec.wire import request as request_of
from spec.wire.errors import ErrorCode

API_VERSIONS = "ApiVersions"
API_VERSIONS_VERSIONS = range(5)
CLIENT_SOFTWARE_SINCE = 3

SERVED: dict[str, Translation] = {
    **PRODUCE_APIS,
    **FETCH_APIS,
    **TOPIC_APIS,
    **CONFIG_APIS,
    **ELECTION_APIS,
    **GROUP_APIS,
}

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


BROKER, CONTROLLER = "broker", "controller"


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


def api_versions(request: Request, listener: str) -> Struct:
    """WIRE-05, WIRE-08."""
    body = request.body
    if request.api_version >= CLIENT_SOFTWARE_SINCE and not (
        _SOFTWARE.fullmatch(body.client_software_name)
        and _SOFTWARE.fullmatch(body.client_software_version)
    ):
        return Struct(error_code=ErrorCode.INVALID_REQUEST)
    ranges = [_range(name, versions) for name, versions in versions_on(listener).items()]
    return Struct(api_keys=sorted(ranges, key=lambda each: int(each.api_key)))


def unsupported_api_versions() -> Struct:
    """WIRE-04: in the form of version 0, which every client reads."""
    return Struct(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[_range(API_VERSIONS, API_VERSIONS_VERSIONS)],
    )
