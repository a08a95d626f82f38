"""Brokers that let fetches wait too long, or forget in a fetch session what they should tell."""

from tests.conformance.mutants import Mutant

FETCHING = "impl.core.data.fetching"
SESSIONS = "impl.core.data.fetch_sessions"

ENOUGH = "return sum(len(p.records) for p in fetched.partitions) >= request.min_bytes"
NEWS = "if changed or each.records or each.error or each.diverging_epoch is not None:"
TOLD = "told = Told(each.high_watermark, each.log_start_offset)"
UNKNOWN_SESSION = "raise KafkaError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)"

MUTANTS = (
    Mutant(
        "WIRE-12/a_fetch_ends_when_its_time_is_over",
        FETCHING,
        old="now_ms + request.max_wait_ms",
        new="now_ms + 1000 * request.max_wait_ms",
    ),
    Mutant(
        "WIRE-12/a_fetch_that_need_not_wait_is_answered_at_once",
        FETCHING,
        old=ENOUGH,
        new=ENOUGH.replace("request.min_bytes", "max(request.min_bytes, 1)"),
    ),
    Mutant(
        "WIRE-12/data_that_is_there_is_delivered_at_once",
        FETCHING,
        old=ENOUGH,
        new=ENOUGH.replace("sum", "max"),
    ),
    Mutant(
        "WIRE-12/an_error_is_reported_at_once",
        FETCHING,
        old="if any(p.error or p.diverging_epoch for p in fetched.partitions):",
        new="if any(p.diverging_epoch for p in fetched.partitions):",
    ),
    Mutant(
        "WIRE-12/data_that_arrives_completes_a_waiting_fetch",
        "impl.core.data_plane",
        old="            outputs += self._fetching.changed(moved)\n",
        new="",
    ),
    Mutant(
        "WIRE-12/too_little_data_is_delivered_in_the_end",
        FETCHING,
        old="            self._reply(call, parked, self._read(parked.request, parked.session, "
        "parked.quiet))\n",
        new="            self._reply(call, parked, Fetched(tuple(replace(each, records=b'')"
        " for each in\n                self._read(parked.request, parked.session, parked.quiet)"
        ".partitions)))\n",
    ),
    Mutant(
        "WIRE-10/an_unknown_session_is_not_found",
        SESSIONS,
        old=UNKNOWN_SESSION,
        new="return request, None",
    ),
    Mutant(
        "WIRE-10/the_greatest_session_id_is_not_found_either",
        SESSIONS,
        old=f"if session is None:\n            {UNKNOWN_SESSION}",
        new=f"if not session and request.session_id < _INT_MAX:\n            {UNKNOWN_SESSION}",
    ),
    Mutant(
        "WIRE-10/a_wrong_session_epoch_is_refused",
        SESSIONS,
        old="if session.next_epoch != request.session_epoch:",
        new="if session.next_epoch > request.session_epoch:",
    ),
    Mutant(
        "WIRE-10/an_epoch_cannot_be_used_twice",
        SESSIONS,
        old="if session.next_epoch != request.session_epoch:",
        new="if session.next_epoch < request.session_epoch:",
    ),
    Mutant(
        "WIRE-10/a_closed_session_is_unknown",
        SESSIONS,
        old="            self._sessions.pop(request.session_id, None)\n            if request",
        new="            if request",
    ),
    Mutant(
        "WIRE-10/names_and_ids_do_not_mix",
        SESSIONS,
        old="raise KafkaError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)",
        new="raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)",
    ),
    Mutant(
        "WIRE-11/new_records_are_reported",
        SESSIONS,
        old="return replace(request, partitions=tuple(session.partitions.values())), session",
        new="return request, session",
    ),
    Mutant(
        "WIRE-11/records_are_delivered_until_the_position_moves",
        SESSIONS,
        old=NEWS,
        new=NEWS.replace(" or each.records", ""),
    ),
    Mutant(
        "WIRE-11/forgotten_partitions_leave_the_session",
        SESSIONS,
        old="            self.partitions.pop(key, None)\n",
        new="",
    ),
    Mutant(
        "WIRE-11/added_partitions_join_the_session",
        SESSIONS,
        old="            self.partitions[asked.topic, asked.partition] = asked\n",
        new="""\
            if not self.told or (asked.topic, asked.partition) in self.partitions:
                self.partitions[asked.topic, asked.partition] = asked
""",
    ),
    Mutant(
        "WIRE-11/a_new_log_start_is_reported",
        SESSIONS,
        old=TOLD,
        new="told = Told(each.high_watermark, 0)",
    ),
    Mutant(
        "WIRE-11/a_new_high_watermark_is_reported",
        SESSIONS,
        old=TOLD,
        new="told = Told(0, each.log_start_offset)",
    ),
    Mutant(
        "WIRE-11/an_error_is_reported_in_a_session",
        SESSIONS,
        old=NEWS,
        new=NEWS.replace(" or each.error", ""),
    ),
)
