"""Brokers that take batches which they must refuse, or refuse those that they must take."""

from tests.conformance.mutants import Mutant

PARTITION = "impl.core.data.partition"
RULES = "impl.core.log.batch_rules"
SURVEY = "impl.core.log.record_survey"

MUTANTS = (
    Mutant(
        "RECB-01/a_damaged_batch_is_refused",
        RULES,
        old="if not checksum_is_right(header, batch, platform.checksum):",
        new="if header.checksum == 0:",
    ),
    Mutant(
        "RECB-01/a_length_that_no_batch_has_is_refused",
        RULES,
        old='raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"No batch',
        new='raise KafkaError(ErrorCode.INVALID_REQUEST, f"No batch',
    ),
    Mutant(
        "RECB-01/bytes_after_the_batch_are_ignored",
        RULES,
        old=(
            "if rest >= LENGTH_OFFSET and _length_of_batch(records, size - rest) + "
            "LENGTH_OFFSET <= rest:"
        ),
        new="if rest > 0:",
    ),
    Mutant(
        "RECB-02/the_leader_stamps_its_epoch",
        PARTITION,
        old=", partition_leader_epoch=self.leader_epoch\n",
        new="",
    ),
    Mutant(
        "RECB-03/data_without_a_complete_batch_is_refused",
        RULES,
        old='raise _invalid("The record batch is cut short.")',
        new="raise KafkaError(ErrorCode.CORRUPT_MESSAGE)",
    ),
    Mutant(
        "RECB-03/two_batches_are_refused",
        RULES,
        old='raise _invalid("There is more than one record batch.")',
        new="pass",
    ),
    Mutant(
        "RECB-03/other_magic_is_refused",
        RULES,
        old="if records[_MAGIC_OFFSET] != MAGIC:",
        new="if records[_MAGIC_OFFSET] > MAGIC:",
    ),
    Mutant(
        "RECB-03/another_base_offset_is_refused",
        RULES,
        old="if header.base_offset != 0:",
        new="if header.base_offset < 0:",
    ),
    Mutant(
        "RECB-04/the_record_count_and_the_last_offset_agree",
        RULES,
        old=(
            "if header.record_count <= 0 or header.last_offset_delta + 1 != header.record_count:"
        ),
        new="if header.record_count <= 0:",
    ),
    Mutant(
        "RECB-04/a_batch_has_records",
        RULES,
        old=(
            "if header.record_count <= 0 or header.last_offset_delta + 1 != header.record_count:"
        ),
        new=(
            "if header.record_count == 0:\n"
            "        raise KafkaError(ErrorCode.CORRUPT_MESSAGE)\n"
            "    if header.last_offset_delta + 1 != header.record_count:"
        ),
    ),
    Mutant(
        "RECB-04/as_many_records_follow_as_are_told",
        SURVEY,
        old="if position != end_of_payload:",
        new="if position > end_of_payload:",
    ),
    Mutant(
        "RECB-05/clients_do_not_write_control_batches",
        RULES,
        old="if header.is_control:  # RECB-05",
        new="if header.is_control and header.is_transactional:",
    ),
    Mutant(
        "RECB-06/a_batch_above_the_limit_is_refused",
        RULES,
        old="if header.size > config.max_message_bytes:  # RECB-06",
        new="if header.batch_length > config.max_message_bytes:",
    ),
    Mutant(
        "RECB-06/a_batch_at_the_limit_is_accepted",
        RULES,
        old="if header.size > config.max_message_bytes:  # RECB-06",
        new="if header.size >= config.max_message_bytes:",
    ),
    Mutant(
        "RECB-06/the_compressed_size_is_what_counts",
        RULES,
        old="    _check_size(accepted, config)\n    if accepted is header:",
        new=(
            "    if len(_plain(header, payload, platform)) > config.max_message_bytes:\n"
            "        raise KafkaError(ErrorCode.MESSAGE_TOO_LARGE)\n"
            "    if accepted is header:"
        ),
    ),
    Mutant(
        "RECB-09/producers_do_not_claim_append_time",
        RULES,
        old="if header.is_log_append_time:  # RECB-09",
        new=('if header.is_log_append_time and config.message_timestamp_type == "CreateTime":'),
    ),
    Mutant(
        "RECB-13/zstd_is_refused_in_old_requests",
        RULES,
        old="if header.compression > ZSTD or (header.compression == ZSTD and not may_use_zstd):",
        new="if header.compression > ZSTD:",
    ),
    Mutant(
        "RECB-13/zstd_is_accepted_and_delivered",
        RULES,
        old="if header.compression > ZSTD or (header.compression == ZSTD and not may_use_zstd):",
        new="if header.compression >= ZSTD:",
    ),
)
