"""A client's request on its way to the active controller, and the answer on its way back.

| API | versions | notes |
|---|---|---|
| Envelope | 0 | KIP-590; carries the client's frame as it came, so that the answer fits it |

Decides which requests may travel so. There is no authentication, so all clients are one principal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from typing import NamedTuple

from impl.api.asking import Asking
from impl.core.storage import Bytes
from impl.wire import Request, Struct, WireError, decode_request, encode_message
from spec.wire.errors import ErrorCode

ENVELOPE = "Envelope"
ENVELOPE_VERSIONS = range(1)

# What Apache Kafka lets through: what changes the cluster, and what only a controller knows.
FORWARDABLE = frozenset(
    {
        "AddRaftVoter",
        "AlterClientQuotas",
        "AlterConfigs",
        "AlterPartitionReassignments",
        "AlterUserScramCredentials",
        "CreateAcls",
        "CreateDelegationToken",
        "CreatePartitions",
        "CreateTopics",
        "DeleteAcls",
        "DeleteTopics",
        "DescribeQuorum",
        "ElectLeaders",
        "ExpireDelegationToken",
        "IncrementalAlterConfigs",
        "ListPartitionReassignments",
        "RemoveRaftVoter",
        "RenewDelegationToken",
        "UnregisterBroker",
        "UpdateFeatures",
    }
)

_PRINCIPAL_VERSION = 0


@cache
def _anonymous() -> bytes:
    principal = Struct(type="User", name="ANONYMOUS")
    version = _PRINCIPAL_VERSION.to_bytes(2, "big")
    return version + encode_message("DefaultPrincipalData", _PRINCIPAL_VERSION, principal)


class Enclosed(NamedTuple):
    """A client's frame without its size, and where the client is."""

    frame: bytes | memoryview
    client_host: str


def open_envelope(envelope: Request) -> tuple[Request, Enclosed]:
    """What a node that is asked finds in an envelope. Raises WireError."""
    body = envelope.body
    request = decode_request(body.request_data)
    if request.api_name not in FORWARDABLE:
        raise WireError(f"{request.api_name} is not forwarded")
    try:
        client_host = f"/{ip_address(body.client_host_address)}"
    except ValueError as error:
        raise WireError(f"the address of a client: {error}") from None
    return request, Enclosed(body.request_data, client_host)


def answer_envelope(parts: Sequence[Bytes]) -> Struct:
    """`parts`: a response, its size first, which is left out."""
    return Struct(response_data=b"".join(parts[1:]))


def refuse_envelope(error: ErrorCode) -> Struct:
    return Struct(error_code=error)


def _write(enclosed: Enclosed) -> Struct:
    return Struct(
        request_data=bytes(enclosed.frame),
        request_principal=_anonymous(),
        client_host_address=ip_address(enclosed.client_host.removeprefix("/")).packed,
    )


def _read(body: Struct) -> bytes | ErrorCode:
    """The response without its size, or why there is none."""
    if body.error_code:
        return ErrorCode(body.error_code)
    if body.response_data is None:
        raise WireError("an envelope without error and without response")
    return bytes(body.response_data)


ENVELOPE_ASKED = Asking(ENVELOPE, ENVELOPE_VERSIONS[0], _write, _read)
