"""Brokers that get the offsets, the timestamps or the content of records wrong."""

from tests.conformance.mutants import Mutant

PARTITION = "impl.core.data.partition"
PRODUCING = "impl.core.data.producing"
RULES = "impl.core.log.batch_rules"
SURVEY = "impl.core.log.record_survey"
BATCH = "impl.core.log.batch"
CONFIG = "impl.core.config"

MUTANTS = (
    Mutant(
        "RECB-14/the_answer_names_the_base_offset",
        PRODUCING,
        old="base_offset=appended.base_offset,",
        new="base_offset=appended.required_offset - 1,",
    ),
    Mutant(
        "RECB-15/a_batch_is_appended_as_a_whole",
        PARTITION,
        old=(
            "        header, payload = accept_batch(sent, records, self.log.config, "
            "self.platform, now_ms)\n"
        ),
        new=(
            "        payload = memoryview(records)[HEADER_SIZE : sent.size]\n"
            "        try:\n"
            "            header, payload = accept_batch(sent, records, self.log.config, "
            "self.platform, now_ms)\n"
            "        except KafkaError:\n"
            "            self._write(sent, payload, now_ms)\n"
            "            raise\n"
        ),
    ),
    Mutant(
        "RECB-15/batches_of_two_producers_do_not_mix",
        PARTITION,
        old="base_offset=self.log.log_end_offset, ",
        new="base_offset=max(self.log.log_end_offset - 1, 0), ",
    ),
    Mutant(
        "RECB-07/create_times_are_kept",
        RULES,
        old="        return header._replace(max_timestamp=max(timestamps))\n    return header",
        new=(
            "        return header._replace(max_timestamp=max(timestamps))\n"
            "    return header._replace(base_timestamp=now_ms)"
        ),
    ),
    Mutant(
        "RECB-07/a_record_may_have_no_timestamp",
        RULES,
        old="if timestamp != NO_TIMESTAMP and not earliest <= timestamp <= latest:",
        new="if not max(earliest, 0) <= timestamp <= latest:",
    ),
    Mutant(
        "RECB-07/the_max_timestamp_is_the_largest",
        RULES,
        old="if max(timestamps) != header.max_timestamp:",
        new="if max(timestamps) > header.max_timestamp:",
    ),
    Mutant(
        "RECB-07/timestamps_too_old_are_refused",
        RULES,
        old="earliest = now_ms - config.message_timestamp_before_max_ms",
        new="earliest = 0",
    ),
    Mutant(
        "RECB-08/append_time_is_stored_and_reported",
        PARTITION,
        old=(
            "log_append_time_ms = header.max_timestamp if header.is_log_append_time else "
            "NO_TIMESTAMP"
        ),
        new="log_append_time_ms = NO_TIMESTAMP",
    ),
    Mutant(
        "RECB-08/append_time_knows_no_bounds",
        RULES,
        old="if append_time:",
        new="if append_time and max(timestamps) <= now_ms:",
    ),
    Mutant(
        "RECB-08/create_time_reports_no_append_time",
        PARTITION,
        old=(
            "log_append_time_ms = header.max_timestamp if header.is_log_append_time else "
            "NO_TIMESTAMP"
        ),
        new="log_append_time_ms = header.max_timestamp",
    ),
    Mutant(
        "RECB-10/headers_are_kept_in_order",
        BATCH,
        old=(
            '        if key is None:\n            raise MalformedRecordsError("the key of a header'
        ),
        new=('        if not key:\n            raise MalformedRecordsError("the key of a header'),
    ),
    Mutant(
        "RECB-10/a_header_has_a_name",
        BATCH,
        old=(
            '        if key is None:\n            raise MalformedRecordsError("the key of a header'
        ),
        new=(
            "        if key is None and count < 0:\n"
            '            raise MalformedRecordsError("the key of a header'
        ),
    ),
    Mutant(
        "RECB-11/null_is_not_empty",
        SURVEY,
        old="if position > end:",
        new="if position > end or value_size & 1:",
    ),
    Mutant(
        "RECB-12/the_producers_codec_is_kept",
        CONFIG,
        old=('        if self.compression_type == "producer":\n            return None'),
        new=('        if self.compression_type == "producer":\n            return 0'),
    ),
    Mutant(
        "RECB-12/the_topics_codec_is_used",
        RULES,
        old="if config.codec not in (None, header.compression):",
        new="if config.codec and header.compression == NOT_COMPRESSED:",
    ),
)
