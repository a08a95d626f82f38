"""Brokers that do not serve what they offer, or answer in a way that nobody can read."""

from tests.conformance.mutants import Mutant

SERVER = "impl.shell.server"
FRAMES = "impl.wire.frames"
PRIMITIVES = "impl.wire.primitives"
SERVED = "impl.api.served"

NOT_OFFERED = "        else:  # WIRE-07\n            connection.abort()"
SOFTWARE = 'r"[a-zA-Z0-9](?:[a-zA-Z0-9\\-.]*[a-zA-Z0-9])?"'


MUTANTS = (
    Mutant(
        "WIRE-04/an_unknown_api_versions_is_answered_in_version_0",
        SERVER,
        old="readable = replace(request, api_version=0)",
        new="readable = replace(request, api_version=4)",
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
        new='r"[a-zA-Z0-9](?:[a-zA-Z0-9.]*[a-zA-Z0-9])?"',
    ),
    Mutant(
        "WIRE-06/api_versions_is_answered_under_the_old_header",
        FRAMES,
        old='    if api_name == "ApiVersions":\n        return 0\n',
        new='    if api_name == "ApiVersions" and api_version != 3:\n        return 0\n',
    ),
    Mutant(
        "WIRE-07/an_unknown_api_is_refused",
        SERVER,
        NOT_OFFERED,
        "        else:\n            connection.answer(None)",
    ),
    Mutant(
        "WIRE-07/an_unknown_version_is_not_executed",
        FRAMES,
        old='    name = api_names().get(key, "")\n',
        new="""\
    name = api_names().get(key, "")
    if name:
        version = min(version, request(name).valid_versions[-1])
""",
    ),
    Mutant(
        "WIRE-08/every_version_of_the_apis_for_data_is_served",
        "impl.api.fetch",
        old="body, by_id = request.body, request.api_version >= TOPIC_IDS_SINCE",
        new="body, by_id = request.body, request.api_version > TOPIC_IDS_SINCE",
    ),
    Mutant(
        "WIRE-08/every_version_of_the_apis_for_groups_is_served",
        "impl.api.groups",
        old="may_be_null = request.api_version >= 7",
        new="may_be_null = request.api_version >= 6",
    ),
    Mutant(
        "WIRE-08/every_version_of_the_apis_for_transactions_is_served",
        "impl.api.transactions",
        old="InitProducerId(\n        body.transactional_id,",
        new="InitProducerId(\n        body.transactional_id.strip(),",
    ),
    Mutant(
        "WIRE-08/every_version_of_the_apis_for_administration_is_served",
        "impl.api.topics",
        old="""\
            assignments=None
            if topic.assignments is None
            else tuple(""",
        new="            assignments=tuple(",
    ),
    Mutant(
        "WIRE-08/every_version_of_the_apis_about_the_cluster_is_served",
        "impl.api.topics",
        old="broker_id=each.node_id,",
        new="node_id=each.node_id,",
    ),
    Mutant(
        "WIRE-08/a_client_need_not_have_a_name",
        FRAMES,
        old="return Request(key, name, version, correlation_id, header.client_id, body)",
        new="return Request(key, name, version, correlation_id, header.client_id.strip(), body)",
    ),
    Mutant(
        "WIRE-09/unknown_tags_in_the_header_are_ignored",
        FRAMES,
        old="""\
    header, position = decode_prefix("RequestHeader", request_header_version(name, version), frame)
""",
        new="""\
    header, position = decode_prefix("RequestHeader", 1, frame)
    position += request_header_version(name, version) - 1
""",
    ),
    Mutant(
        "WIRE-09/unknown_tags_in_the_body_are_ignored",
        PRIMITIVES,
        old="        position = stop\n    return position",
        new='        raise WireError(f"tag {previous} is unknown")\n    return position',
    ),
    Mutant(
        "WIRE-09/unknown_tags_in_api_versions_are_ignored",
        PRIMITIVES,
        old="if tag <= previous:",
        new="if tag != previous + 1:",
    ),
)
