"""Brokers that get topics wrong: which can be created, and with what."""

from tests.conformance.mutants import Mutant

ADMINISTRATION = "impl.core.cluster.administration"
API = "impl.api.topics"
CONFIG = "impl.core.config"
CONTROLLER = "impl.core.cluster.controller"
TOPICS = "impl.core.cluster.topics"

MUTANTS = (
    Mutant(
        "TOPC-01/illegal_names_are_refused",
        TOPICS,
        old='if name in (".", ".."):',
        new='if name == ".":',
    ),
    Mutant(
        "TOPC-01/legal_names_are_accepted",
        TOPICS,
        old="if len(name) > MAXIMUM_NAME_LENGTH:",
        new="if len(name) >= MAXIMUM_NAME_LENGTH:",
    ),
    Mutant(
        "TOPC-01/upper_and_lower_case_differ",
        TOPICS,
        old='return name.replace(".", "_")',
        new='return name.replace(".", "_").lower()',
    ),
    Mutant(
        "TOPC-01/metadata_knows_illegal_names",
        ADMINISTRATION,
        old="if name_problem(reference):",
        new="if may_create and name_problem(reference):",
    ),
    Mutant(
        "TOPC-02/colliding_names_are_refused",
        CONTROLLER,
        old="if collision_key(other) == collision_key(name):",
        new="if other == collision_key(name):",
    ),
    Mutant(
        "TOPC-03/an_existing_topic_is_not_created_again",
        CONTROLLER,
        old="raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, ",
        new="raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, ",
    ),
    Mutant(
        "TOPC-03/that_a_topic_exists_is_said_before_other_errors",
        CONTROLLER,
        old="self._check_name(asked.name)\n        assignment = self._assignment(asked)",
        new="assignment = self._assignment(asked)\n        self._check_name(asked.name)",
    ),
    Mutant(
        "TOPC-03/a_name_that_stands_twice_in_a_request_is_refused",
        ADMINISTRATION,
        old="CreatedTopics:\n        times = Counter(topic.name for topic in request.topics)",
        new="CreatedTopics:\n        times = Counter({topic.name for topic in request.topics})",
    ),
    Mutant(
        "TOPC-04/invalid_partition_counts_are_refused",
        CONTROLLER,
        old="count, factor = asked.num_partitions, asked.replication_factor",
        new="count, factor = asked.num_partitions or USE_DEFAULT, asked.replication_factor",
    ),
    Mutant(
        "TOPC-04/invalid_replication_factors_are_refused",
        CONTROLLER,
        old="count, factor = asked.num_partitions, asked.replication_factor",
        new="count, factor = asked.num_partitions, asked.replication_factor or USE_DEFAULT",
    ),
    Mutant(
        "TOPC-04/the_number_of_partitions_has_a_default",
        CONTROLLER,
        old="if count == 0 or count < USE_DEFAULT or",
        new="if count <= 0 or",
    ),
    Mutant(
        "TOPC-04/the_default_number_of_partitions_is_a_setting",
        CONTROLLER,
        old="count = self._config.num_partitions",
        new="count = 1",
    ),
    Mutant(
        "TOPC-05/assigned_partitions_count_from_zero",
        CONTROLLER,
        old="if len(by_partition) < len(asked.assignment):",
        new="if not by_partition:",
    ),
    Mutant(
        "TOPC-05/assigned_replicas_are_different_brokers_that_exist",
        CONTROLLER,
        old="if len(set(replicas)) < len(replicas):",
        new="if len(replicas) > replication_factor:",
    ),
    Mutant(
        "TOPC-05/an_assignment_and_counts_exclude_each_other",
        CONTROLLER,
        old="if (asked.num_partitions, asked.replication_factor) != (USE_DEFAULT, USE_DEFAULT):",
        new="if asked.num_partitions != USE_DEFAULT:",
    ),
    Mutant(
        "TOPC-06/validation_creates_no_topic",
        API,
        old="return CreateTopics(topics, request.body.validate_only)",
        new="return CreateTopics(topics)",
    ),
    Mutant(
        "TOPC-06/validation_finds_the_same_errors",
        ADMINISTRATION,
        old="self._controller.create_topic(asked)\n            if",
        new="self._controller.create_topic("
        "NewTopic(asked.name) if validate_only else asked)\n            if",
    ),
    Mutant(
        "TOPC-06/validation_adds_no_partitions",
        API,
        old="return CreatePartitions(topics, request.body.validate_only)",
        new="return CreatePartitions(topics)",
    ),
    Mutant(
        "TOPC-08/a_null_value_is_no_configuration",
        CONTROLLER,
        old='raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {name} has no value.")',
        new="continue",
    ),
    Mutant(
        "TOPC-08/wrong_configurations_are_refused",
        CONFIG,
        old="min_insync_replicas: int = option(1, at_most=INT_MAX, at_least=1,",
        new="min_insync_replicas: int = option(1, at_most=INT_MAX, at_least=0,",
    ),
)
