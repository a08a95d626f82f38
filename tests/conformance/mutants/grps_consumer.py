"""Brokers that let members of the consumer protocol own or commit what is not theirs."""

from tests.conformance.mutants import Mutant

ADMISSION = "impl.core.groups.consumer.admission"
RECONCILING = "impl.core.groups.consumer.reconciling"
CONSUMERS = "impl.core.groups.consumer.consumers"
GROUP = "impl.core.groups.consumer.group"

EPOCH_IS_RIGHT = "if received == JOINING or received == current.member_epoch:"
COMMITS = "if request.generation_id == member.current.member_epoch:"

MUTANTS = (
    Mutant(
        "GRPS-20/a_later_epoch_is_fenced",
        ADMISSION,
        old=EPOCH_IS_RIGHT,
        new="if received == JOINING or received >= current.member_epoch:",
    ),
    Mutant(
        "GRPS-20/an_earlier_epoch_is_fenced",
        ADMISSION,
        old="and request.owned is not None\n        and request.owned <= current.assigned",
        new="and (request.owned is None or request.owned <= current.assigned)",
    ),
    Mutant(
        "GRPS-20/an_answer_that_got_lost_is_repeated",
        ADMISSION,
        old="and request.owned <= current.assigned",
        new="and request.owned < current.assigned",
    ),
    Mutant(
        "GRPS-21/a_partition_has_one_owner_at_a_time",
        GROUP,
        old="for p in partitions if self.owners.get(p, member_id) != member_id",
        new="for p in partitions if self.owners.get(p, member_id) not in self.members",
    ),
    Mutant(
        "GRPS-22/who_has_to_give_up_stays_in_its_epoch",
        RECONCILING,
        old="epoch = current.member_epoch + row.epochs_confirmed",
        new="epoch = target.epoch",
    ),
    Mutant(
        "GRPS-22/commits_are_valid_until_all_is_given_up",
        ADMISSION,
        old=COMMITS,
        new=f"if not member.current.to_revoke and {COMMITS[3:]}",
    ),
    Mutant(
        "GRPS-23/a_commit_of_a_later_epoch_is_refused",
        ADMISSION,
        old=COMMITS,
        new="if request.generation_id >= member.current.member_epoch:",
    ),
    Mutant(
        "GRPS-23/who_lost_a_partition_does_not_commit_for_it",
        ADMISSION,
        old=COMMITS,
        new="if request.generation_id <= member.current.member_epoch:",
    ),
    Mutant(
        "GRPS-23/a_commit_of_a_stranger_is_refused",
        ADMISSION,
        old="if member is None:\n        return ErrorCode.UNKNOWN_MEMBER_ID\n    is_tr",
        new="if member is None:\n        return ErrorCode.NONE\n    is_tr",
    ),
    Mutant(
        "GRPS-23/older_commits_know_no_member_epoch",
        ADMISSION,
        old="COMMIT_WITH_MEMBER_EPOCH_SINCE = 9",
        new="COMMIT_WITH_MEMBER_EPOCH_SINCE = 8",
    ),
    Mutant(
        "GRPS-24/who_leaves_frees_its_partitions",
        CONSUMERS,
        old="        if request.member_epoch == LEAVING:\n",
        new="        if request.member_epoch == LEAVING and request.group_instance_id:\n",
    ),
    Mutant(
        "GRPS-24/who_leaves_for_a_while_keeps_its_partitions",
        CONSUMERS,
        old="        if request.member_epoch == LEAVING:\n",
        new="        if request.member_epoch in (LEAVING, LEAVING_FOR_A_WHILE):\n",
    ),
    Mutant(
        "GRPS-24/the_place_of_an_active_static_member_is_taken",
        ADMISSION,
        old="raise KafkaError(ErrorCode.UNRELEASED_INSTANCE_ID)",
        new="raise KafkaError(ErrorCode.FENCED_INSTANCE_ID)",
    ),
)
