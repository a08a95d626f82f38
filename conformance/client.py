"""A raw client: one blocking TCP connection on which every byte is the check's own decision.

Requests may be sent ahead of their answers (`send` several, `receive` later), so that members of a
group need no threads. Every message is a step of the transcript. Answers are read leniently: what
is odd in them becomes a finding, and only what cannot be read at all raises.

What a client cannot know it does not claim: no answer in time is `Inconclusive`, unless the
caller says by `demanded` which sentence of the clause demands one. A connection that is closed or
an answer that is unreadable is `Broken`. The client knows nothing of topics, groups or leaders.
"""

import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from conformance.transcript import Transcript, of_version, show
from conformance.verdict import Broken, Inconclusive, Judgement, NotApplicable, Violation
from conformance.wire import Struct, Unreadable, decode_response, encode_request
from spec import wire

SIZE_BYTES = 4
CORRELATION_ID_BYTES = 4
GREATEST_ANSWER_BYTES = 256 * 2**20
PATIENCE_S = 10.0
"""How long to wait for anything of which the check does not say how long."""

Address = tuple[str, int]
Versions = Mapping[str, range]


class Closed(Broken):
    """The broker closed the connection (or reset it)."""


@dataclass(frozen=True)
class Pending:
    """A request that was sent and is not yet answered."""

    api: str
    version: int
    correlation_id: int

    def __str__(self) -> str:
        return f"{self.api} v{self.version} #{self.correlation_id}"


def violation(what: str, got: str, permitted: str, because: str) -> Violation:
    return Violation(Judgement(what, got, permitted, because))


class Client:
    """One connection. `versions` are those that both sides know; `deadline` is monotonic seconds.

    Raises OSError if the address cannot be reached.
    """

    def __init__(
        self,
        address: Address,
        versions: Versions,
        transcript: Transcript,
        deadline: float,
        client_id: str | None = "brokerspec",
        patience: float = PATIENCE_S,
        newest_usable: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.address = address
        self.versions = versions
        self.client_id = client_id
        self.patience = patience
        self.newest_usable = newest_usable
        self.pending: deque[Pending] = deque()
        self._transcript = transcript
        self._deadline = deadline
        self._correlation_id = 0
        self._buffer = bytearray()
        self.closed = False
        self._socket = socket.create_connection(address, timeout=patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.letter = transcript.open()
        self._note(f"connects to {address[0]}:{address[1]}")

    # Requests and answers

    def version(self, api: str, at_most: int | None = None) -> int:
        """The greatest version of an API that both sides know (if given, not above `at_most`)."""
        known = self.versions.get(api, range(0))
        limit = self.newest_usable.get(api) if at_most is None else at_most
        usable = [version for version in known if limit is None or version <= limit]
        if not usable:
            low = "" if limit is None else f" {limit} or lower"
            raise NotApplicable(f"the broker does not advertise {api}{low}")
        return usable[-1]

    def encode(
        self,
        api: str,
        version: int | None = None,
        /,
        *,
        body: bytes | None = None,
        header_tags: Mapping[int, bytes] | None = None,
        **fields: Any,
    ) -> bytes:
        """A request with its header, without its size, under the next correlation id; not sent.

        `body` in place of fields is written as it is, also for versions that nobody knows.
        """
        version = self.version(api) if version is None else version
        self._correlation_id += 1
        written = fields if body is None else body
        return encode_request(
            api, version, self._correlation_id, self.client_id, written, header_tags
        )

    def send(
        self, api: str, version: int | None = None, /, *, answered: bool = True, **fields: Any
    ) -> Pending:
        """Send a request and do not wait. Fields that are not given have their defaults.

        `answered=False` for a request that has no response, such as Produce with acks=0.
        """
        version = self.version(api) if version is None else version
        payload = self.encode(api, version, **fields)
        request = Pending(api, version, self._correlation_id)
        carried = of_version(fields, wire.request(api).fields, version)
        self._note(f"→ {request} {show(carried)}")
        self._write(len(payload).to_bytes(SIZE_BYTES, "big") + payload)
        if answered:
            self.pending.append(request)
        return request

    def receive(self, *, timeout: float | None = None, demanded: str = "") -> Struct:
        """The body of the answer to the oldest request that has none yet.

        No answer within `timeout` seconds is Inconclusive; with `demanded`, the sentence that
        demands an answer, it is a Violation.
        """
        request = self.pending[0]
        timeout = self._patience(timeout)
        try:
            frame = self.receive_frame(timeout=timeout)
        except TimeoutError:
            sentence = f"no response to {request} came within {timeout:g} s"
            self._note(f"  {sentence}")
            if demanded:
                what = f"the answer to {request}"
                raise violation(what, sentence, "a response", demanded) from None
            raise Inconclusive(sentence) from None
        self.pending.popleft()
        return self._decode(frame, request)

    def call(
        self,
        api: str,
        version: int | None = None,
        /,
        *,
        timeout: float | None = None,
        demanded: str = "",
        **fields: Any,
    ) -> Struct:
        """Send a request and receive its answer; no other may be waiting for one."""
        if self.pending:
            raise RuntimeError(f"receive the answer to {self.pending[0]} before a call of {api}")
        self.send(api, version, **fields)
        return self.receive(timeout=timeout, demanded=demanded)

    def receive_or_close(self, *, timeout: float | None = None) -> Struct | None:
        """The next answer, or None if the broker closes the connection instead."""
        try:
            return self.receive(timeout=timeout)
        except Closed:
            return None

    # What is not to come

    def expect_nothing(self, seconds: float, because: str) -> None:
        """A Violation if anything arrives, or the connection is closed, within `seconds`."""
        try:
            frame = self.receive_frame(timeout=seconds)
        except TimeoutError:
            self._note(f"  nothing arrives for {seconds:g} s")
            return
        except Closed:
            got = "the connection was closed"
        else:
            got = f"a response of {len(frame)} bytes"
            self._note(f"← {got}")
        what = f"what arrives on connection {self.letter}"
        raise violation(what, got, f"nothing for {seconds:g} s", because)

    def expect_close(self, because: str, *, timeout: float | None = None) -> None:
        """A Violation if the broker answers, or leaves the connection open for `timeout` s."""
        timeout = self._patience(timeout)
        try:
            frame = self.receive_frame(timeout=timeout)
        except Closed:
            return
        except TimeoutError:
            got = f"still open after {timeout:g} s"
            self._note(f"  the connection is {got}")
        else:
            got = f"open, with a response of {len(frame)} bytes"
            self._note(f"← a response of {len(frame)} bytes")
        raise violation(f"connection {self.letter}", got, "closed by the broker", because)

    # Raw bytes

    def send_frame(self, payload: bytes, what: str) -> None:
        """Send a payload of any kind behind its size; `what` says in the transcript what it is."""
        self._note(f"→ {what} ({len(payload)} bytes)")
        self._write(len(payload).to_bytes(SIZE_BYTES, "big") + payload)

    def send_bytes(self, data: bytes, what: str) -> None:
        """Send bytes as they are, without a size before them."""
        self._note(f"→ {what} ({len(data)} bytes, no frame)")
        self._write(data)

    def receive_frame(self, *, timeout: float | None = None) -> bytes:
        """The next frame without its size, unread.

        Raises TimeoutError, Closed, Broken, or Inconclusive when the time of the check is up.
        """
        until = time.monotonic() + self._patience(timeout)
        self._await(SIZE_BYTES, until)
        size = int.from_bytes(self._buffer[:SIZE_BYTES], "big", signed=True)
        if not CORRELATION_ID_BYTES <= size <= GREATEST_ANSWER_BYTES:
            raise Broken(f"a response claims a size of {size} bytes")
        self._await(SIZE_BYTES + size, until)
        frame = bytes(self._buffer[SIZE_BYTES : SIZE_BYTES + size])
        del self._buffer[: SIZE_BYTES + size]
        return frame

    def receive_as(self, api: str, version: int, *, timeout: float | None = None) -> Struct:
        """The next frame, read as the answer to a request that was sent as raw bytes."""
        timeout = self._patience(timeout)
        try:
            frame = self.receive_frame(timeout=timeout)
        except TimeoutError:
            raise Inconclusive(f"no response came within {timeout:g} s") from None
        correlation_id = int.from_bytes(frame[:CORRELATION_ID_BYTES], "big", signed=True)
        return self._decode(frame, Pending(api, version, correlation_id))

    def close(self) -> None:
        self.closed = True
        self._socket.close()

    # Inside

    def _decode(self, frame: bytes, request: Pending) -> Struct:
        correlation_id = int.from_bytes(frame[:CORRELATION_ID_BYTES], "big", signed=True)
        if correlation_id != request.correlation_id:
            self._note(f"← a response with correlation id {correlation_id}")
            raise Broken(f"the response to {request} has the correlation id {correlation_id}")
        try:
            body, findings = decode_response(request.api, request.version, frame)
        except Unreadable as error:
            self._note(f"← a response of {len(frame)} bytes that cannot be read: {error}")
            raise Broken(f"the response to {request} cannot be read: {error}") from None
        self._note(f"← {request} {show(body)}")
        for finding in findings:
            self._transcript.find(f"{request}: {finding}", self.letter)
        return body

    def _write(self, data: bytes) -> None:
        left = min(self.patience, self._deadline - time.monotonic())
        self._socket.settimeout(max(0.001, left))
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise Inconclusive("the broker does not take the request off the connection") from None
        except OSError as error:
            self._closed(error)

    def _await(self, count: int, until: float) -> None:
        """Wait until the buffer holds `count` bytes; a timeout leaves there what has come."""
        while len(self._buffer) < count:
            left = min(until, self._deadline) - time.monotonic()
            self._socket.settimeout(max(0.001, left))
            try:
                part = self._socket.recv(2**20)
            except TimeoutError:
                if until > self._deadline:
                    raise Inconclusive("the time that a check may take was up") from None
                raise
            except OSError as error:
                self._closed(error)
            if not part:
                self._closed(None)
            self._buffer += part

    def _closed(self, error: OSError | None) -> NoReturn:
        self.closed = True
        how = "resets" if isinstance(error, ConnectionError) else "closes"
        self._note(f"← the broker {how} the connection")
        due = f" where the response to {self.pending[0]} was due" if self.pending else ""
        raise Closed(f"the broker closed the connection{due}") from error

    def _patience(self, timeout: float | None) -> float:
        return self.patience if timeout is None else timeout

    def _note(self, text: str) -> None:
        self._transcript.note(text, self.letter)
