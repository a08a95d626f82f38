"""Requests and responses: a size, a header, a body. A frame here is what follows the size.

The header of a request is version 2 in the flexible versions of its body and else version 1; that
of a response likewise is version 1 or 0, except that the response to ApiVersions always has
version 0, so that it can be read before the versions are agreed on.
"""

from dataclasses import dataclass, field
from struct import Struct as Format

from impl.wire.codec import decode_message, decode_prefix, encode_parts
from impl.wire.values import Struct, WireError
from impl.wire.writer import Part
from spec.wire import api_keys, api_names, request, response

_START = Format(">hhi")  # of every request header: API key, API version, correlation id
SIZE = Format(">i")


@dataclass(frozen=True, slots=True)
class Request:
    api_key: int
    api_name: str
    api_version: int
    correlation_id: int
    client_id: str | None
    body: Struct = field(default_factory=Struct)


class UnsupportedVersion(WireError):  # noqa: N818 (as Kafka names the error)
    """A request of an API or a version that the table has not; `request` has an empty body.

    Its `api_name` is empty if there is no such API. Such a request to ApiVersions is to be
    answered in version 0, all others cannot be answered.
    """

    def __init__(self, request: Request) -> None:
        name = request.api_name or f"the API with key {request.api_key}"
        super().__init__(f"version {request.api_version} of {name} is not known")
        self.request = request


def decode_request(frame: bytes | memoryview) -> Request:
    """Raises UnsupportedVersion, or WireError for a frame that is no request of its version.

    Bytes after the body are ignored, as Apache Kafka does: librdkafka sends one with Metadata.
    """
    if len(frame) < _START.size:
        raise WireError(f"a request of {len(frame)} bytes is shorter than any header")
    key, version, correlation_id = _START.unpack_from(frame)
    name = api_names().get(key, "")
    if not name or version not in request(name).valid_versions:
        raise UnsupportedVersion(Request(key, name, version, correlation_id, None))
    header, position = decode_prefix("RequestHeader", request_header_version(name, version), frame)
    body, _ = decode_prefix(f"{name}Request", version, frame, position)
    return Request(key, name, version, correlation_id, header.client_id, body)


def encode_response(request: Request, body: Struct) -> list[Part]:
    """The parts of a response, its size first; records are parts of their own, as given."""
    version = response_header_version(request.api_name, request.api_version)
    header = Struct(correlation_id=request.correlation_id)
    return sized(
        encode_parts("ResponseHeader", version, header)
        + encode_parts(f"{request.api_name}Response", request.api_version, body)
    )


def encode_request(
    api_name: str, api_version: int, correlation_id: int, client_id: str | None, body: Struct
) -> list[Part]:
    """The parts of a request, its size first."""
    header = Struct(
        request_api_key=api_keys()[api_name],
        request_api_version=api_version,
        correlation_id=correlation_id,
        client_id=client_id,
    )
    version = request_header_version(api_name, api_version)
    return sized(
        encode_parts("RequestHeader", version, header)
        + encode_parts(f"{api_name}Request", api_version, body)
    )


def decode_response(
    api_name: str, api_version: int, frame: bytes | memoryview
) -> tuple[int, Struct]:
    """The correlation id and the body of a response."""
    version = response_header_version(api_name, api_version)
    header, position = decode_prefix("ResponseHeader", version, frame)
    body = decode_message(f"{api_name}Response", api_version, memoryview(frame)[position:])
    return header.correlation_id, body


def request_header_version(api_name: str, api_version: int) -> int:
    return 2 if api_version in request(api_name).flexible_versions else 1


def response_header_version(api_name: str, api_version: int) -> int:
    if api_name == "ApiVersions":
        return 0
    return 1 if api_version in response(api_name).flexible_versions else 0


def sized(parts: list[Part]) -> list[Part]:
    return [SIZE.pack(sum(map(len, parts))), *parts]
