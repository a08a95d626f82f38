"""What becomes of a request that no broker should take: it is refused, and nobody else notices."""

from collections.abc import Iterator
from typing import Any

from conformance.client import Client, Closed
from conformance.judge import Condition
from conformance.session import Session
from conformance.wire import Struct, decode_response
from spec.wire.errors import ErrorCode, name_of

CODE_BYTES = 2

CLOSED = "a closed connection"
SILENCE = "neither an answer nor a closed connection"
CAUSES = {ErrorCode.INVALID_REQUEST, ErrorCode.CORRUPT_MESSAGE, ErrorCode.UNKNOWN_SERVER_ERROR}


def error_codes(answer: Any) -> Iterator[int]:
    """Every error code that stands anywhere in an answer."""
    if isinstance(answer, list):
        for item in answer:
            yield from error_codes(item)
    elif isinstance(answer, Struct):
        for name, value in vars(answer).items():
            if name == "error_code":
                yield value
            else:
                yield from error_codes(value)


def outcome(client: Client) -> bytes | str:
    """The frame that comes next, or CLOSED or SILENCE."""
    try:
        return client.receive_frame()
    except Closed:
        return CLOSED
    except TimeoutError:
        return SILENCE


def permit_refused(session: Session, client: Client, api: str, version: int) -> None:
    """Judge what follows a malformed request: an end or an error, and nothing for bystanders."""
    got = outcome(client)
    if isinstance(got, bytes):
        codes = set(error_codes(decode_response(api, version, got)[0])) - {ErrorCode.NONE}
        got = "an answer with " + (", ".join(sorted(map(name_of, codes))) or "no error")
        permitted = bool(codes) and codes <= CAUSES
    else:
        permitted = got == CLOSED
    session.permit(
        "what comes back",
        got,
        Condition(
            f"{CLOSED}, or an answer with {', '.join(sorted(cause.name for cause in CAUSES))}",
            lambda _: permitted,
        ),
        "A request that cannot be parsed is not executed.",
    )
    permit_others_served(session)


def permit_unsupported(session: Session, client: Client) -> None:
    """Judge what follows a request that the broker does not offer."""
    got = outcome(client)
    code = ErrorCode.UNSUPPORTED_VERSION.to_bytes(CODE_BYTES, "big")
    session.permit(
        "what comes back",
        got,
        Condition(
            f"{CLOSED}, or an answer with UNSUPPORTED_VERSION",
            lambda frame: frame == CLOSED or (isinstance(frame, bytes) and code in frame),
        ),
        "The broker does not offer this.",
    )
    permit_others_served(session)


def permit_others_served(session: Session) -> None:
    """Judge that a connection from before still is of use."""
    session.broker.call("Metadata", topics=[], demanded="Other connections are not disturbed.")


def topic_exists(session: Session, name: str) -> bool:
    answer = session.broker.call(
        "Metadata", topics=[{"name": name}], allow_auto_topic_creation=False
    )
    return bool(answer.topics[0].error_code == ErrorCode.NONE)
