"""Brokers that lose their way in a log."""

from tests.conformance.mutants import Mutant

PARTITION = "impl.core.data.partition"
FETCHING = "impl.core.data.fetching"
READING = "impl.core.data.reading"
LOG = "impl.core.log.log"
SEGMENT = "impl.core.log.segment"
SEARCH = "impl.core.log.offset_search"
QUERIES = "impl.core.data.offset_queries"

MUTANTS = (
    Mutant(
        "STOR-01/offsets_start_at_zero_and_follow",
        PARTITION,
        old="base_offset=self.log.log_end_offset, ",
        new="base_offset=self.log.log_end_offset + 1, ",
    ),
    Mutant(
        "STOR-01/offsets_survive_a_restart",
        LOG,
        old="                start = position\n                break\n            yield header",
        new=(
            "                start = position\n"
            "                break\n"
            "            if header.next_offset == recovery_point:\n"
            "                return\n"
            "            yield header"
        ),
    ),
    Mutant(
        "STOR-03/fetch_begins_with_the_batch_of_the_offset",
        SEGMENT,
        old="if header.last_offset >= from_offset:",
        new="if header.base_offset >= from_offset:",
    ),
    Mutant(
        "STOR-03/fetch_leaves_no_batch_out",
        LOG,
        old=(
            "for position, header in segment.batches(self._storage, offset):\n"
            "                length ="
        ),
        new=(
            "for position, header in segment.batches(self._storage, offset + (offset > "
            "0)):\n"
            "                length ="
        ),
    ),
    Mutant(
        "STOR-08/a_batch_larger_than_a_segment_is_refused",
        LOG,
        old="if header.size > self.config.segment_bytes:",
        new="if header.batch_length > self.config.segment_bytes:",
    ),
    Mutant(
        "STOR-08/a_batch_as_large_as_a_segment_is_accepted",
        LOG,
        old="if header.size > self.config.segment_bytes:",
        new="if header.size >= self.config.segment_bytes:",
    ),
    Mutant(
        "STOR-10/a_time_is_found_within_a_batch",
        SEARCH,
        old="if record.timestamp >= timestamp and",
        new="if record.timestamp > timestamp and",
    ),
    Mutant(
        "STOR-10/a_time_is_found_across_batches",
        SEARCH,
        old="if header.max_timestamp >= timestamp:",
        new="if header.max_timestamp > timestamp:",
    ),
    Mutant(
        "STOR-10/a_time_is_not_found_in_an_empty_log",
        SEARCH,
        old="                    return found\n    return NOTHING_FOUND",
        new=(
            "                    return found\n"
            "    return TimestampedOffset(NO_TIMESTAMP, end_offset, -1)"
        ),
    ),
    Mutant(
        "STOR-10/a_time_is_not_found_before_the_log_start",
        SEARCH,
        old="if record.timestamp >= timestamp and offset >= log.log_start_offset:",
        new="if record.timestamp >= timestamp:",
    ),
    Mutant(
        "STOR-10/the_leader_epoch_comes_with_the_time",
        QUERIES,
        old="leader_epoch=found.leader_epoch,",
        new="leader_epoch=-1,",
    ),
    Mutant(
        "STOR-11/earliest_is_the_log_start",
        QUERIES,
        old="return TimestampedOffset(NO_TIMESTAMP, log.log_start_offset, epoch)",
        new="return TimestampedOffset(NO_TIMESTAMP, log.segments[0].base_offset, epoch)",
    ),
    Mutant(
        "STOR-11/latest_is_the_visible_end",
        QUERIES,
        old="found = TimestampedOffset(NO_TIMESTAMP, end_offset, log.epochs.latest)",
        new="found = TimestampedOffset(NO_TIMESTAMP, end_offset - 1, log.epochs.latest)",
    ),
    Mutant(
        "STOR-11/the_largest_timestamp_is_found",
        SEARCH,
        old="position, header = max(visible, key=lambda entry: entry[1].max_timestamp)",
        new="position, header = visible[-1]",
    ),
    Mutant(
        "STOR-11/an_empty_log_has_no_largest_timestamp",
        SEARCH,
        old="    if best is None:\n        return NOTHING_FOUND",
        new=(
            "    if best is None:\n        return TimestampedOffset(NO_TIMESTAMP, end_offset, -1)"
        ),
    ),
    Mutant(
        "STOR-11/unknown_special_timestamps_are_refused",
        QUERIES,
        old="_SINCE.get(asked.timestamp, _NEVER)",
        new="_SINCE.get(asked.timestamp, 0)",
    ),
    Mutant(
        "STOR-12/beyond_the_end_is_out_of_range",
        READING,
        old="return log.log_start_offset <= asked.fetch_offset <= log.log_end_offset",
        new="return log.log_start_offset <= asked.fetch_offset",
    ),
    Mutant(
        "STOR-12/before_the_log_start_is_out_of_range",
        READING,
        old="return log.log_start_offset <= asked.fetch_offset <= log.log_end_offset",
        new="return asked.fetch_offset <= log.log_end_offset",
    ),
    Mutant(
        "STOR-12/the_end_is_in_range",
        READING,
        old="return log.log_start_offset <= asked.fetch_offset <= log.log_end_offset",
        new="return log.log_start_offset <= asked.fetch_offset < log.log_end_offset",
    ),
    Mutant(
        "STOR-13/a_batch_larger_than_the_limits_is_delivered",
        FETCHING,
        old="at_least_one = True",
        new="at_least_one = False",
    ),
    Mutant(
        "STOR-13/the_first_partition_with_data_delivers",
        FETCHING,
        old="at_least_one = at_least_one and not read.records",
        new="at_least_one = False",
    ),
    Mutant(
        "STOR-14/a_torn_batch_is_the_beginning_of_the_next",
        LOG,
        old="return memoryview(window)[: whole_batches(window, end_offset)]",
        new="return window[: whole_batches(window, end_offset)] + bytes(8)",
    ),
)
