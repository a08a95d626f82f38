"""Every API that the broker serves, and the one that tells which these are.

| API | versions | notes |
|---|---|---|
| ApiVersions | 0-4 | client's name and version since 3 (KIP-511); unknown versions get 0 |
"""

from __future__ import annotations

import re

from impl.api.configs import CONFIG_APIS
from impl.api.elections import ELECTION_APIS
from impl.api.fetch import FETCH_APIS
from impl.api.groups import GROUP_APIS
from impl.api.produce import PRODUCE_APIS
from impl.api.topics import TOPIC_APIS
from impl.api.translation import Translation
from impl.wire import Request, Struct
from spec.wire import api_keys
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


def is_served(request: Request) -> bool:
    if request.api_name == API_VERSIONS:
        return request.api_version in API_VERSIONS_VERSIONS
    translation = SERVED.get(request.api_name)
    return translation is not None and request.api_version in translation.versions


def _range(api_name: str, versions: range) -> Struct:
    return Struct(api_key=api_keys()[api_name], min_version=versions[0], max_version=versions[-1])


def api_versions(request: Request) -> Struct:
    """WIRE-05, WIRE-08: what is served and nothing else."""
    body = request.body
    if request.api_version >= CLIENT_SOFTWARE_SINCE and not (
        _SOFTWARE.fullmatch(body.client_software_name)
        and _SOFTWARE.fullmatch(body.client_software_version)
    ):
        return Struct(error_code=ErrorCode.INVALID_REQUEST)
    ranges = [_range(name, translation.versions) for name, translation in SERVED.items()]
    ranges.append(_range(API_VERSIONS, API_VERSIONS_VERSIONS))
    return Struct(api_keys=sorted(ranges, key=lambda each: int(each.api_key)))


def unsupported_api_versions() -> Struct:
    """WIRE-04: in the form of version 0, which every client reads."""
    return Struct(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[_range(API_VERSIONS, API_VERSIONS_VERSIONS)],
    )
