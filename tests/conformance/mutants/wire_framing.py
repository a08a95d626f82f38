"""Brokers that get sizes, order and malformed requests wrong."""

from tests.conformance.mutants import Mutant

CONNECTION = "impl.shell.connection"
SERVER = "impl.shell.server"

OUT_OF_RANGE = "if not 0 <= size <= self._maximum_size:  # WIRE-01\n            self.abort()"
MALFORMED = """\
            _log.info("closing a connection: %s", problem)
            connection.abort()"""


def silent_about_malformed(check: str) -> Mutant:
    """A broker that neither answers a malformed request nor closes the connection."""
    return Mutant(f"WIRE-14/{check}", SERVER, MALFORMED, "            connection.answer(None)")


MUTANTS = (
    Mutant(
        "WIRE-01/a_negative_size_closes_the_connection",
        CONNECTION,
        old=OUT_OF_RANGE,
        new=OUT_OF_RANGE.replace("self.abort()", "self.abort() if size > 0 else None"),
    ),
    Mutant(
        "WIRE-01/a_size_above_the_limit_closes_the_connection",
        CONNECTION,
        old="if not 0 <= size <= self._maximum_size:",
        new="if not 0 <= size:",
    ),
    Mutant(
        "WIRE-01/the_limit_of_a_size_is_inclusive",
        CONNECTION,
        old="if not 0 <= size <= self._maximum_size:",
        new="if not 0 <= size < self._maximum_size:",
    ),
    Mutant(
        "WIRE-02/answers_come_in_the_order_of_requests",
        SERVER,
        old="        else:\n            connection.answer(parts)",
        new="""\
        else:
            if request.api_name == "ListOffsets":
                connection.is_busy = False
                asyncio.get_running_loop().call_later(0.05, connection.answer, parts)
                return
            connection.answer(parts)""",
    ),
    Mutant(
        "WIRE-02/a_waiting_fetch_holds_up_what_follows",
        CONNECTION,
        old="while self._transport is not None and not self.is_busy and self._is_writable:",
        new="while self._transport is not None and self._is_writable:",
    ),
    Mutant(
        "WIRE-02/any_correlation_id_comes_back",
        "impl.wire.frames",
        old="header = Struct(correlation_id=request.correlation_id)",
        new="header = Struct(correlation_id=max(request.correlation_id, 0))",
    ),
    Mutant(
        "WIRE-02/pieces_of_requests_are_put_together",
        CONNECTION,
        old="        self._buffer += data\n",
        new="        self._buffer = bytearray(data)\n",
    ),
    silent_about_malformed("a_request_that_ends_too_early_is_not_executed"),
    silent_about_malformed("an_impossible_count_is_refused"),
    silent_about_malformed("a_length_past_the_end_is_refused"),
    silent_about_malformed("a_null_that_cannot_be_is_refused"),
    silent_about_malformed("a_request_shorter_than_its_header_is_refused"),
    Mutant(
        "WIRE-14/half_a_request_is_not_executed",
        CONNECTION,
        old="        self._buffer.clear()\n        self._on_lost(self)",
        new="""\
        if self._buffer:
            raise SystemExit("a client went away within a request")
        self._on_lost(self)""",
    ),
    Mutant(
        "WIRE-16/an_idle_connection_is_closed",
        SERVER,
        old="if not connection.is_busy and idle > self._idle_seconds:",
        new="if connection.is_busy and idle > self._idle_seconds:",
    ),
)
