"""Brokers that get topics wrong: which can be created, and with what."""

from tests.conformance.mutants import Mutant

API = "impl.api.topics"
CONFIG = "impl.core.config"
DESCRIBING = "impl.core.cluster.describing"
NAMES = "impl.core.cluster.topics"
TOPICS = "impl.core.controller.topics"

MUTANTS = (
    Mutant(
        "TOPC-01/illegal_names_are_refused",
        NAMES,
        old='if name in (".", ".."):',
        new='if name == ".":',
    ),
    Mutant(
        "TOPC-01/legal_names_are_accepted",
        NAMES,
        old="if len(name) > MAXIMUM_NAME_LENGTH:",
        new="if len(name) >= MAXIMUM_NAME_LENGTH:",
    ),
    Mutant(
        "TOPC-01/upper_and_lower_case_differ",
        NAMES,
        old='return name.replace(".", "_")',
        new='return name.replace(".", "_").lower()',
    ),
    Mutant(
        "TOPC-01/metadata_knows_illegal_names",
        DESCRIBING,
        old="if name_problem(name):",
        new="if len(name) > 249:",
    ),
    Mutant(
        "TOPC-02/colliding_names_are_refused",
        TOPICS,
        old="if collision_key(other) == collision_key(name):",
        new="if other == collision_key(name):",
    ),
    Mutant(
        "TOPC-03/an_existing_topic_is_not_created_again",
        TOPICS,
        old="raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, ",
        new="raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, ",
    ),
    Mutant(
        "TOPC-03/that_a_topic_exists_is_said_before_other_errors",
        TOPICS,
        old="self._check_name(asked.name)\n        assignment = self._assignment(asked)",
        new="assignment = self._assignment(asked)\n        self._check_name(asked.name)",
    ),
    Mutant(
        "TOPC-03/a_name_that_stands_twice_in_a_request_is_refused",
        TOPICS,
        old="answers.append(CreatedTopic(asked.name, ErrorCode.INVALID_REQUEST, message))",
        new="answers.append(self._create(asked, request.validate_only))",
    ),
    Mutant(
        "TOPC-04/invalid_partition_counts_are_refused",
        TOPICS,
        old="count, factor = asked.num_partitions, asked.replication_factor",
        new="count, factor = asked.num_partitions or USE_DEFAULT, asked.replication_factor",
    ),
    Mutant(
        "TOPC-04/invalid_replication_factors_are_refused",
        TOPICS,
        old="count, factor = asked.num_partitions, asked.replication_factor",
        new="count, factor = asked.num_partitions, asked.replication_factor or USE_DEFAULT",
    ),
    Mutant(
        "TOPC-04/the_number_of_partitions_has_a_default",
        TOPICS,
        old="if count == 0 or count < USE_DEFAULT or",
        new="if count <= 0 or",
    ),
    Mutant(
        "TOPC-04/the_default_number_of_partitions_is_a_setting",
        TOPICS,
        old="defaults.num_partitions if count == USE_DEFAULT else count,",
        new="1 if count == USE_DEFAULT else count,",
    ),
    Mutant(
        "TOPC-05/assigned_partitions_count_from_zero",
        TOPICS,
        old="if len(by_partition) < len(asked.assignment):",
        new="if not by_partition:",
    ),
    Mutant(
        "TOPC-05/assigned_replicas_are_different_brokers_that_exist",
        TOPICS,
        old="if len(set(replicas)) < len(replicas):",
        new="if len(replicas) > replication_factor:",
    ),
    Mutant(
        "TOPC-05/an_assignment_and_counts_exclude_each_other",
        TOPICS,
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
        TOPICS,
        old="planned = self._plan(asked)",
        new="planned = self._plan(NewTopic(asked.name) if validate_only else asked)",
    ),
    Mutant(
        "TOPC-06/validation_adds_no_partitions",
        API,
        old="return CreatePartitions(topics, request.body.validate_only)",
        new="return CreatePartitions(topics)",
    ),
    Mutant(
        "TOPC-08/a_null_value_is_no_configuration",
        TOPICS,
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
