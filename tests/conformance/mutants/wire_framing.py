"""Brokers that get sizes, order and malformed requests wrong."""

from tests.conformance.mutants import Mutant

CONNECTION = "impl.shell.connection"
SERVER = "impl.shell.server"

OUT_OF_RANGE = "if not 0 <= size <= self._maximum_size:  # WIRE-01\n            self.abort()"
PRIMITIVES = "impl.wire.primitives"

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
    Mutant(
        "WIRE-14/a_request_that_ends_too_early_is_not_executed",
        "impl.wire.frames",
        old='f"{name}Request", version, frame, position)',
        new='f"{name}Request", version, bytes(frame) + bytes(64), position)',
    ),
    Mutant(
        "WIRE-14/an_impossible_count_is_refused",
        PRIMITIVES,
        old="    return checked(length, position + 4, end), position + 4",
        new="    return (length if length <= end - position else -1), position + 4",
    ),
    Mutant(
        "WIRE-14/a_length_past_the_end_is_refused",
        PRIMITIVES,
        old="    return checked(length, position + 2, end), position + 2",
        new="    return length, position + 2",
    ),
    Mutant(
        "WIRE-14/a_null_that_cannot_be_is_refused",
        "impl.wire.reader",
        old="""\
                self.source.line(f"raise null({field.name!r})")
            read(field, target, depth)""",
        new="""\
                self.source.line("length = 0")
            read(field, target, depth)""",
    ),
    Mutant(
        "WIRE-14/a_request_shorter_than_its_header_is_refused",
        CONNECTION,
        old="if frame is None:",
        new="if not frame:",
    ),
    Mutant(
        "WIRE-14/half_a_request_is_not_executed",
        CONNECTION,
        old="        if len(self._buffer) < end:\n            return None",
        new="""\
        if len(self._buffer) < end - 1:
            return None
        self._buffer = self._buffer.ljust(end, b"\\0")""",
    ),
    Mutant(
        "WIRE-16/an_idle_connection_is_closed",
        SERVER,
        old="interval = min(self._idle_seconds / 2, 60)",
        new="interval = max(self._idle_seconds / 2, 60)",
    ),
)
