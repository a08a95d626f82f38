"""Requests and responses as a client sends and reads them, without their size; and the reverse.

A client's side is `encode_request` and `decode_response`; a broker's side, for brokers that tests
play, `decode_request` and `encode_response`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.wire.read import MessageReader
from conformance.wire.values import Struct, Unreadable, Unwritable
from conformance.wire.write import TAGS, Fields, write_message
from spec.wire import Message, api_keys, api_names, request, response, table
from spec.wire.errors import ErrorCode

API_VERSIONS = "ApiVersions"
CORRELATION_ID_BYTES = 4


@dataclass(frozen=True)
class Request:
    """A request that was read, with what is odd in it."""

    api_name: str
    api_version: int
    correlation_id: int
    client_id: str | None
    body: Struct
    findings: tuple[str, ...]


def encode_message(name: str, version: int, fields: Fields) -> bytes:
    """One message of the table, such as `ConsumerProtocolSubscription`. Raises Unwritable."""
    return write_message(_message(name, version, Unwritable), version, fields)


def decode_message(name: str, version: int, data: bytes) -> tuple[Struct, list[str]]:
    """One message that fills `data`, and what is odd in it. Raises Unreadable."""
    reader = MessageReader(_message(name, version, Unreadable), version, bytes(data))
    struct = reader.read()
    reader.expect_end()
    return struct, reader.findings


def encode_request(
    api_name: str,
    version: int,
    correlation_id: int,
    client_id: str | None,
    fields: Fields | bytes,
    header_tags: Mapping[int, bytes] | None = None,
) -> bytes:
    """A request. `fields` as bytes is a body as it is, also for a version that the table has not.

    Raises Unwritable.
    """
    if api_name not in api_keys():
        raise Unwritable(f"there is no API {api_name}")
    header_version = request_header_version(api_name, version)
    header = {
        "request_api_key": api_keys()[api_name],
        "request_api_version": version,
        "correlation_id": correlation_id,
        "client_id": client_id,
    }
    tags = {TAGS: header_tags} if header_tags else {}
    body = fields if isinstance(fields, bytes) else _body(api_name, version, fields)
    return encode_message("RequestHeader", header_version, header | tags) + body


def decode_response(api_name: str, version: int, data: bytes) -> tuple[Struct, list[str]]:
    """The body of a response, and what is odd in the response. Raises Unreadable.

    A response to ApiVersions that says UNSUPPORTED_VERSION is in version 0, whatever was asked.
    """
    code = int.from_bytes(data[CORRELATION_ID_BYTES : CORRELATION_ID_BYTES + 2], "big")
    if api_name == API_VERSIONS and code == ErrorCode.UNSUPPORTED_VERSION:
        version = 0
    message = _message(f"{api_name}Response", version, Unreadable)
    header_version = response_header_version(api_name, version)
    header = MessageReader(table()["ResponseHeader"], header_version, bytes(data))
    header.read()
    body = MessageReader(message, version, bytes(data), header.position)
    struct = body.read()
    body.expect_end()
    return struct, [f"header: {finding}" for finding in header.findings] + body.findings


def decode_request(data: bytes) -> Request:
    """Raises Unreadable, also for an API or version that the table has not."""
    if len(data) < CORRELATION_ID_BYTES:
        raise Unreadable(f"a request of {len(data)} bytes")
    key, version = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    name = api_names().get(key, f"(API key {key})")
    message = _message(f"{name}Request", version, Unreadable)
    header_version = request_header_version(name, version)
    header = MessageReader(table()["RequestHeader"], header_version, bytes(data))
    head = header.read()
    body = MessageReader(message, version, bytes(data), header.position)
    struct = body.read()
    body.expect_end()
    findings = (*(f"header: {finding}" for finding in header.findings), *body.findings)
    return Request(name, version, head.correlation_id, head.client_id, struct, findings)


def encode_response(
    api_name: str, version: int, correlation_id: int, fields: Fields | bytes
) -> bytes:
    """A response. Raises Unwritable."""
    header_version = response_header_version(api_name, version)
    header = encode_message("ResponseHeader", header_version, {"correlation_id": correlation_id})
    if isinstance(fields, bytes):
        return header + fields
    return header + encode_message(f"{api_name}Response", version, fields)


def request_header_version(api_name: str, version: int) -> int:
    """2 from the first flexible version of the API on, also for versions still to come."""
    flexible = request(api_name).flexible_versions
    return 2 if flexible and version >= flexible.start else 1


def response_header_version(api_name: str, version: int) -> int:
    """One less; but 0 for ApiVersions, which is read before the versions are known."""
    flexible = response(api_name).flexible_versions
    return 1 if flexible and version >= flexible.start and api_name != API_VERSIONS else 0


def _body(api_name: str, version: int, fields: Fields) -> bytes:
    return encode_message(f"{api_name}Request", version, fields)


def _message(name: str, version: int, error: type[ValueError]) -> Message:
    message = table().get(name)
    if message is None:
        raise error(f"there is no message {name}")
    if version not in message.valid_versions:
        raise error(f"there is no version {version} of {name}")
    return message
