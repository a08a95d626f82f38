"""Brokers that do not serve what they offer, or answer in a way that nobody can read."""

from tests.conformance.mutants import Mutant

SERVER = "impl.shell.server"
FRAMES = "impl.wire.frames"
SERVED = "impl.api.served"

NOT_OFFERED = "        else:  # WIRE-07\n            connection.abort()"
SOFTWARE = 'r"[a-zA-Z0-9](?:[a-zA-Z0-9\\-.]*[a-zA-Z0-9])?"'


def without_a_version(check: str, module: str, function: str, version: int) -> Mutant:
    """A broker that offers a version of an API, and fails to answer it."""
    fault = f"assert _request.api_version != {version}"
    return Mutant(f"WIRE-08/{check}", module, function, f"{function}    {fault}\n")


def strict_about_tags(check: str) -> Mutant:
    """A broker that takes a tagged field that it does not know for an error."""
    return Mutant(
        f"WIRE-09/{check}",
        "impl.wire.primitives",
        old="        position = stop\n    return position",
        new='        raise WireError(f"tag {previous} is unknown")\n    return position',
    )


MUTANTS = (
    Mutant(
        "WIRE-04/an_unknown_api_versions_is_answered_in_version_0",
        SERVER,
        old="if request.api_name == API_VERSIONS:  # WIRE-04",
        new="if not request.api_name:",
    ),
    Mutant(
        "WIRE-04/an_unknown_api_versions_leaves_the_connection_open",
        SERVER,
        old="connection.answer(encode_response(readable, unsupported_api_versions()))",
        new="connection.answer(encode_response(readable, unsupported_api_versions()))\n"
        "            connection.close()",
    ),
    Mutant(
        "WIRE-04/an_unknown_api_versions_learns_the_known_ones",
        SERVED,
        old="api_keys=[_range(API_VERSIONS, API_VERSIONS_VERSIONS)],",
        new="api_keys=[],",
    ),
    Mutant(
        "WIRE-05/wrong_software_names_are_refused",
        SERVED,
        old=SOFTWARE,
        new='r"[a-zA-Z0-9](?:[a-zA-Z0-9\\-.]*[a-zA-Z0-9])?\\n?"',
    ),
    Mutant(
        "WIRE-05/right_software_names_are_accepted",
        SERVED,
        old=SOFTWARE,
        new='r"[a-zA-Z0-9][a-zA-Z0-9\\-.]*[a-zA-Z0-9]"',
    ),
    Mutant(
        "WIRE-06/api_versions_is_answered_under_the_old_header",
        FRAMES,
        old='    if api_name == "ApiVersions":\n        return 0\n',
        new="",
    ),
    Mutant(
        "WIRE-07/an_unknown_api_is_refused",
        SERVER,
        NOT_OFFERED,
        "        else:\n            connection.answer(None)",
    ),
    Mutant(
        "WIRE-07/an_unknown_version_is_not_executed",
        SERVER,
        NOT_OFFERED,
        "        else:\n            connection.answer(None)",
    ),
    without_a_version(
        "every_version_of_the_apis_for_data_is_served",
        "impl.api.fetch",
        "def _write_epochs(_request: Request, result: EpochEnds) -> Struct:\n",
        version=3,
    ),
    without_a_version(
        "every_version_of_the_apis_for_groups_is_served",
        "impl.api.groups",
        "def _write_heartbeat(_request: Request, reply: HeartbeatReply) -> Struct:\n",
        version=0,
    ),
    without_a_version(
        "every_version_of_the_apis_for_transactions_is_served",
        "impl.api.produce",
        "def _write_init_producer_id"
        "(_request: Request, result: ProducerIdentityGranted) -> Struct:\n",
        version=1,
    ),
    without_a_version(
        "every_version_of_the_apis_for_administration_is_served",
        "impl.api.topics",
        "def _write_create_topics(_request: Request, result: CreatedTopics) -> Struct:\n",
        version=4,
    ),
    Mutant(
        "WIRE-08/every_version_of_the_apis_about_the_cluster_is_served",
        "impl.api.topics",
        old="topic_id=topic.topic_id,\n        is_internal=topic.is_internal,",
        new="topic_id=topic.topic_id.hex if request.api_version == 11 else topic.topic_id,\n"
        "        is_internal=topic.is_internal,",
    ),
    Mutant(
        "WIRE-08/a_client_need_not_have_a_name",
        FRAMES,
        old="return Request(key, name, version, correlation_id, header.client_id, body)",
        new="return Request(key, name, version, correlation_id, header.client_id.strip(), body)",
    ),
    strict_about_tags("unknown_tags_in_the_header_are_ignored"),
    strict_about_tags("unknown_tags_in_the_body_are_ignored"),
    strict_about_tags("unknown_tags_in_api_versions_are_ignored"),
    Mutant(
        "WIRE-13/a_bad_partition_does_not_fail_a_fetch",
        "impl.api.fetch",
        old="        error_code=result.error,\n        session_id",
        new="        error_code=max([result.error, *(p.error for p in result.partitions)]),\n"
        "        session_id",
    ),
    Mutant(
        "WIRE-13/a_bad_partition_does_not_fail_list_offsets",
        "impl.core.offset_queries",
        old="return ListedOffset(asked.topic, asked.partition, refused.error)",
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
        "impl.core.offsets_requests",
        old="        if not found:\n            self._answer(token, CommitReply(errors))",
        new="""\
        if any(errors.values()):
            errors = dict.fromkeys(errors, max(errors.values()))
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
        "impl.core.offset_search",
        old="if record.timestamp >= timestamp and offset",
        new="if record.timestamp > timestamp and offset",
    ),
    Mutant(
        "WIRE-15/every_version_finds_both_ends",
        "impl.core.partition",
        old="return TimestampedOffset(NO_TIMESTAMP, log.log_start_offset, epoch)",
        new="return TimestampedOffset(0, log.log_start_offset, epoch)",
    ),
    Mutant(
        "WIRE-15/newer_special_times_need_newer_versions",
        "impl.core.offset_queries",
        old="MAXIMUM_TIMESTAMP: 7,",
        new="MAXIMUM_TIMESTAMP: 1,",
    ),
)
