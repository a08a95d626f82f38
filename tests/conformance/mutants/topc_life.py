"""Brokers that let topics grow wrongly, or treat their own topics like any other."""

from tests.conformance.mutants import Mutant

ADMINISTRATION = "impl.core.cluster.administration"
DESCRIBING = "impl.core.cluster.describing"
PRODUCING = "impl.core.data.producing"
TOPICS = "impl.core.controller.topics"

MUTANTS = (
    Mutant(
        "TOPC-07/a_topic_grows_and_keeps_its_records",
        TOPICS,
        old="assignment = self._place(added, replication_factor)",
        new="assignment = self._place(asked.count, replication_factor)",
    ),
    Mutant(
        "TOPC-07/a_topic_does_not_shrink",
        TOPICS,
        old="if added <= 0 or",
        new="if added < 0 or",
    ),
    Mutant(
        "TOPC-07/an_unknown_topic_does_not_grow",
        TOPICS,
        old="if isinstance(reference, UUID):  # TOPC-10",
        new="if topic is None:",
    ),
    Mutant(
        "TOPC-07/each_new_partition_is_assigned",
        TOPICS,
        old="elif len(asked.assignments) != added:",
        new="elif len(asked.assignments) < added:",
    ),
    Mutant(
        "TOPC-07/a_topic_grows_once_in_a_request",
        TOPICS,
        old="answers.append(TopicOutcome(asked.name, ErrorCode.INVALID_REQUEST, message))",
        new="answers.append(TopicOutcome(asked.name))",
    ),
    Mutant(
        "TOPC-12/clients_do_not_write_to_internal_topics",
        PRODUCING,
        old="if partition.at.topic in INTERNAL_TOPICS:",
        new="if asked.topic in INTERNAL_TOPICS:",  # but newer versions give its id
    ),
    Mutant(
        "TOPC-13/metadata_creates_nothing_that_the_client_does_not_allow",
        ADMINISTRATION,
        old="if not may_create or not request.allow_auto_topic_creation or",
        new="if not may_create or",
    ),
    Mutant(
        "TOPC-13/metadata_creates_nothing_that_the_broker_does_not_allow",
        ADMINISTRATION,
        old="may_create = self._options.broker.auto_create_topics_enable",
        new="may_create = True",
    ),
    Mutant(
        "TOPC-14/metadata_marks_the_internal_topic",
        DESCRIBING,
        old="is_internal=topic.name in INTERNAL_TOPICS,",
        new="is_internal=False,",
    ),
    Mutant(
        "TOPC-14/metadata_does_not_mark_topics_of_users",
        DESCRIBING,
        old="is_internal=topic.name in INTERNAL_TOPICS,",
        new='is_internal=topic.name.startswith("__"),',
    ),
)
