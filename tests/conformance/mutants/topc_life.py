"""Brokers that let topics grow wrongly, or treat their own topics like any other."""

from tests.conformance.mutants import Mutant

ADMINISTRATION = "impl.core.cluster.administration"
CONTROLLER = "impl.core.cluster.controller"
PRODUCING = "impl.core.data.producing"

MUTANTS = (
    Mutant(
        "TOPC-07/a_topic_grows_and_keeps_its_records",
        CONTROLLER,
        old="assignment = (self._place(replication_factor),) * added",
        new="assignment = (self._place(replication_factor),) * asked.count",
    ),
    Mutant(
        "TOPC-07/a_topic_does_not_shrink",
        CONTROLLER,
        old="if added <= 0 or",
        new="if added < 0 or",
    ),
    Mutant(
        "TOPC-07/an_unknown_topic_does_not_grow",
        CONTROLLER,
        old="if isinstance(reference, UUID):  # TOPC-10",
        new="if topic is None:",
    ),
    Mutant(
        "TOPC-07/each_new_partition_is_assigned",
        CONTROLLER,
        old="elif len(asked.assignments) != added:",
        new="elif len(asked.assignments) < added:",
    ),
    Mutant(
        "TOPC-07/a_topic_grows_once_in_a_request",
        ADMINISTRATION,
        old="Partitions:\n        times = Counter(topic.name for topic in request.topics)",
        new="Partitions:\n        times = Counter({topic.name for topic in request.topics})",
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
        old="request.allow_auto_topic_creation and self._properties.broker",
        new="self._properties.broker",
    ),
    Mutant(
        "TOPC-13/metadata_creates_nothing_that_the_broker_does_not_allow",
        ADMINISTRATION,
        old="and self._properties.broker.auto_create_topics_enable",
        new="",
    ),
    Mutant(
        "TOPC-14/metadata_marks_the_internal_topic",
        ADMINISTRATION,
        old="is_internal=topic.name in INTERNAL_TOPICS,",
        new="is_internal=False,",
    ),
    Mutant(
        "TOPC-14/metadata_does_not_mark_topics_of_users",
        ADMINISTRATION,
        old="is_internal=topic.name in INTERNAL_TOPICS,",
        new='is_internal=topic.name.startswith("__"),',
    ),
)
