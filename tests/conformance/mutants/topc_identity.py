"""Brokers that confuse a topic with an earlier one of its name."""

from tests.conformance.mutants import Mutant

ADMINISTRATION = "impl.core.cluster.administration"
API = "impl.api.topics"
CATALOGUE = "impl.core.cluster.catalogue"
COORDINATION = "impl.core.groups.coordination"
DESCRIBING = "impl.core.cluster.describing"
FETCHING = "impl.core.data.fetching"
OFFSETS = "impl.core.groups.offsets_requests"
PARTITIONS = "impl.core.data.partitions"
TOPICS = "impl.core.controller.topics"

MUTANTS = (
    Mutant(
        "TOPC-09/a_topic_has_an_id",
        API,
        old="topic_id=topic.topic_id,\n        is_internal=",
        new="is_internal=",
    ),
    Mutant(
        "TOPC-09/creation_tells_the_id",
        TOPICS,
        old="topic_id=NO_TOPIC_ID if validate_only else planned.topic_id,",
        new="topic_id=NO_TOPIC_ID,",
    ),
    Mutant(
        "TOPC-09/a_topic_that_is_created_again_has_another_id",
        TOPICS,
        old="topic_id = self._new_topic_id()",
        new="topic_id = UUID(int=abs(hash(asked.name)))",
    ),
    Mutant(
        "TOPC-09/a_topic_that_is_created_again_is_empty",
        PARTITIONS,
        old="self._open.pop(at).close()\n            self._storage.delete(at.folder)\n",
        new="self._open.pop(at).close()\n",
    ),
    Mutant(
        "TOPC-09/a_topic_keeps_its_id_over_a_restart",
        DESCRIBING,
        old="topic.name,\n        topic.topic_id,\n",
        # A broker that starts leads in new epochs.
        new="topic.name,\n"
        "        NO_TOPIC_ID if topic.partitions[0].leader_epoch > 0 else topic.topic_id,\n",
    ),
    Mutant(
        "TOPC-10/fetch_of_a_vanished_id_says_so",
        CATALOGUE,
        old="topic = self._by_id.pop(topic_id)",
        new="topic = self._by_id[topic_id]",
    ),
    Mutant(
        "TOPC-10/fetch_of_a_vanished_id_does_not_spoil_others",
        FETCHING,
        old="answers.append(read)\n",
        new="answers.append(read)\n            if read.error:\n                break\n",
    ),
    Mutant(
        "TOPC-10/metadata_of_a_vanished_id_says_so",
        ADMINISTRATION,
        old="return DescribedTopic(None, reference, ErrorCode.UNKNOWN_TOPIC_ID)",
        new="return DescribedTopic(None, reference, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)",
    ),
    Mutant(
        "TOPC-10/deletion_by_a_vanished_id_says_so",
        TOPICS,
        old="raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)",
        new="raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)",
    ),
    Mutant(
        "TOPC-10/produce_to_a_vanished_id_says_so",
        PARTITIONS,
        old="raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)",
        new="raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)",
    ),
    Mutant(
        "TOPC-10/a_commit_for_a_vanished_id_says_so",
        OFFSETS,
        old="errors[reference] = ErrorCode.UNKNOWN_TOPIC_ID",
        new="errors[reference] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION",
    ),
    Mutant(
        "TOPC-10/committed_offsets_of_a_vanished_id_are_unknown",
        OFFSETS,
        old="return FetchedOffset(error=ErrorCode.UNKNOWN_TOPIC_ID)",
        new="return FetchedOffset(error=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)",
    ),
    Mutant(
        "TOPC-11/deletion_removes_committed_offsets",
        COORDINATION,
        old="partitions_deleted(at for at in gone if",
        new="partitions_deleted(at for at in () if",
    ),
)
