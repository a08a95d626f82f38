"""Brokers that get sizes, order and malformed requests wrong."""

from tests.conformance.mutants import Mutant

CONNECTION = "impl.shell.connection"
FRAMES = "impl.shell.frames"
SERVER = "impl.shell.server"

POSSIBLE_SIZE = "return 0 <= size <= self._maximum_size"
PRIMITIVES = "impl.wire.primitives"

MUTANTS = (
    Mutant(
        "WIRE-01/a_negative_size_closes_the_connection",
        FRAMES,
        old="        if not self._may_be(size):",
        new="        if size < 0:\n            return None\n        if not self._may_be(size):",
    ),
    Mutant(
        "WIRE-01/a_size_above_the_limit_closes_the_connection",
        FRAMES,
        old=POSSIBLE_SIZE,
        new="return 0 <= size",
    ),
    Mutant(
        "WIRE-01/the_limit_of_a_size_is_inclusive",
        FRAMES,
        old=POSSIBLE_SIZE,
        new="return 0 <= size < self._maximum_size",
    ),
    Mutant(
        "WIRE-02/answers_come_in_the_order_of_requests",
        "impl.shell.exchange",
        old="        if self.envelope is None:\n",
        new="""\
        if self.request.api_name == "ListOffsets":
            self.connection.is_busy = False
            self.connection._loop.call_later(0.05, self.connection.answer, parts)
        elif self.envelope is None:
""",
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
        FRAMES,
        old="            self._end += count\n",
        new="            self._start, self._end = self._end, self._end + count\n",
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
        FRAMES,
        old="        if start + size <= self._end:\n",
        new="""\
        if start + size <= self._end + 1:
            self._end = max(self._end, start + size)
""",
    ),
    Mutant(
        "WIRE-16/an_idle_connection_is_closed",
        SERVER,
        old="interval = min(self._idle_seconds / 2, 60)",
        new="interval = max(self._idle_seconds / 2, 60)",
    ),
)
