"""Brokers that put errors in the wrong place, and offsets of the wrong time."""

from tests.conformance.mutants import Mutant

MUTANTS = (
    Mutant(
        "WIRE-13/a_bad_partition_does_not_fail_a_fetch",
        "impl.api.fetch",
        old="        error_code=result.error,\n        session_id",
        new="        error_code=max([result.error, *(p.error for p in result.partitions)]),\n"
        "        session_id",
    ),
    Mutant(
        "WIRE-13/a_bad_partition_does_not_fail_list_offsets",
        "impl.core.data.offset_queries",
        old="return ListedOffset(asked.topic, asked.partition, error)",
        new="raise",
    ),
    Mutant(
        "WIRE-13/a_missing_topic_does_not_fail_metadata",
        "impl.api.topics",
        old="topics=[_write_topic(request, topic) for topic in cluster.topics],",
        new="topics=[_write_topic(request, t) for t in cluster.topics if not t.error],",
    ),
    Mutant(
        "WIRE-13/a_bad_partition_does_not_fail_a_commit",
        "impl.core.groups.offsets_requests",
        old="        if not found:\n            self._answer(token, CommitReply(errors))",
        new="""\
        if any(errors.values()):
            self._answer(token, CommitReply(errors))""",
    ),
    Mutant(
        "WIRE-13/error_codes_are_those_of_the_protocol",
        "impl.api.groups",
        old="Struct(group_id=group_id, error_code=error, error_message",
        new="Struct(group_id=group_id, error_code=1000 + error, error_message",
    ),
    Mutant(
        "WIRE-15/every_version_finds_the_first_record_of_a_time",
        "impl.core.log.offset_search",
        old="if record.timestamp >= timestamp and offset",
        new="if record.timestamp > timestamp and offset",
    ),
    Mutant(
        "WIRE-15/every_version_finds_both_ends",
        "impl.core.data.offset_queries",
        old="return TimestampedOffset(NO_TIMESTAMP, log.log_start_offset, epoch)",
        new="return TimestampedOffset(0, log.log_start_offset, epoch)",
    ),
    Mutant(
        "WIRE-15/newer_special_times_need_newer_versions",
        "impl.core.data.offset_queries",
        old="MAXIMUM_TIMESTAMP: 7,",
        new="MAXIMUM_TIMESTAMP: 1,",
    ),
)
