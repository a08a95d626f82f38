"""Brokers that take offsets from the wrong members, or lose them."""

from tests.conformance.mutants import Mutant

GROUP = "impl.core.groups.group"
REQUESTS = "impl.core.groups.offsets_requests"
OFFSETS_API = "impl.api.group_offsets"
ADMINISTRATION = "impl.core.groups.administration"
LOADING = "impl.core.groups.coordination"

FENCED = "error = group.fence(*who, request.generation_id)"
COMMITS = "Operation.COMMIT: _row(_OK, _OK, _REBALANCE, _OK, _NO_GROUP)"
FROM_OUTSIDE = """\
    if request.generation_id < 0 and state_of(group) in (EMPTY, DEAD):
        return ErrorCode.NONE"""
DELETIONS = "Operation.DELETE_GROUP: _row(_OK, _NOT_EMPTY, _NOT_EMPTY, _NOT_EMPTY, _NO_GROUP)"
OFFSET_DELETIONS = (
    "Operation.DELETE_OFFSETS: _row(_OK, _NOT_EMPTY, _NOT_EMPTY, _NOT_EMPTY, _NO_GROUP)"
)

MUTANTS = (
    Mutant(
        "GRPS-10/a_wrong_generation_cannot_commit",
        REQUESTS,
        old=FENCED,
        new="error = group.membership_error(*who)",
    ),
    Mutant(
        "GRPS-10/an_unknown_member_cannot_commit",
        REQUESTS,
        old="    if claims:\n        who",
        new="    if claims and request.member_id in group.members:\n        who",
    ),
    Mutant(
        "GRPS-10/no_generation_of_an_unknown_group_can_commit",
        REQUESTS,
        old="COMMIT_GROUP_ID_NOT_FOUND_SINCE = 9",
        new="COMMIT_GROUP_ID_NOT_FOUND_SINCE = 0",
    ),
    Mutant(
        "GRPS-11/no_commit_while_the_assignment_is_awaited",
        GROUP,
        old=COMMITS,
        new="Operation.COMMIT: _row(_OK, _OK, _OK, _OK, _NO_GROUP)",
    ),
    Mutant(
        "GRPS-11/members_commit_before_they_join_again",
        GROUP,
        old=COMMITS,
        new="Operation.COMMIT: _row(_OK, _REBALANCE, _REBALANCE, _OK, _NO_GROUP)",
    ),
    Mutant(
        "GRPS-11/members_of_a_stable_group_commit",
        GROUP,
        old=COMMITS,
        new="Operation.COMMIT: _row(_OK, _OK, _REBALANCE, _REBALANCE, _NO_GROUP)",
    ),
    Mutant(
        "GRPS-12/anybody_commits_to_a_new_group",
        REQUESTS,
        old=FROM_OUTSIDE,
        new="    if group is None:\n        return ErrorCode.GROUP_ID_NOT_FOUND",
    ),
    Mutant(
        "GRPS-12/anybody_commits_to_a_group_that_became_empty",
        REQUESTS,
        old=FROM_OUTSIDE,
        new="    if group is not None and group.protocol_type and not group.members:\n"
        "        return ErrorCode.UNKNOWN_MEMBER_ID",
    ),
    Mutant(
        "GRPS-12/nobody_commits_from_outside_to_a_living_group",
        GROUP,
        old="Operation.COMMIT_AS_SIMPLE_CONSUMER: _row(_OK, _UNKNOWN, _UNKNOWN, _UNKNOWN, _OK)",
        new="Operation.COMMIT_AS_SIMPLE_CONSUMER: _row(_OK, _UNKNOWN, _UNKNOWN, _OK, _OK)",
    ),
    Mutant(
        "GRPS-12/a_member_commits_with_its_generation_only",
        REQUESTS,
        old=FENCED,
        new="error = group.fence(*who, max(request.generation_id, group.generation_id))",
    ),
    Mutant(
        "GRPS-13/too_long_metadata_is_refused",
        REQUESTS,
        old="if len(metadata) > self._config.offset_metadata_max_bytes:",
        new="if len(metadata) > self._config.offset_metadata_max_bytes + 1:",
    ),
    Mutant(
        "GRPS-13/the_longest_metadata_is_stored",
        REQUESTS,
        old="if len(metadata) > self._config.offset_metadata_max_bytes:",
        new="if len(metadata) >= self._config.offset_metadata_max_bytes:",
    ),
    Mutant(
        "GRPS-13/no_metadata_is_empty_metadata",
        REQUESTS,
        old='metadata=offset.metadata or "",',
        new="metadata=str(offset.metadata),",
    ),
    Mutant(
        "GRPS-14/every_version_returns_the_last_commit",
        OFFSETS_API,
        old="metadata=offset.metadata,",
        new='metadata="",',
    ),
    Mutant(
        "GRPS-14/the_leader_epoch_is_returned",
        OFFSETS_API,
        old="committed_leader_epoch=offset.leader_epoch,",
        new="committed_leader_epoch=-1,",
    ),
    Mutant(
        "GRPS-14/a_group_may_go_back",
        "impl.core.groups.offsets",
        old="        target.setdefault(group_id, {})[at] = ",
        new="""\
        known = target.get(group_id, {}).get(at)
        if known is not None and known.committed.offset > record.value.offset:
            return
        target.setdefault(group_id, {})[at] = """,
    ),
    Mutant(
        "GRPS-14/every_partition_has_its_own_offset",
        REQUESTS,
        old="at = TopicPartition(name, wanted.partition)",
        new="at = TopicPartition(name, 0)",
    ),
    Mutant(
        "GRPS-14/an_unknown_group_has_no_offsets",
        REQUESTS,
        old="        if committed is None:\n            return FetchedOffset()",
        new="        if committed is None:\n"
        "            return FetchedOffset(error=ErrorCode.GROUP_ID_NOT_FOUND)",
    ),
    Mutant(
        "GRPS-17/a_group_with_members_is_not_deleted",
        GROUP,
        old=DELETIONS,
        new="Operation.DELETE_GROUP: _row(_OK, _OK, _OK, _OK, _NO_GROUP)",
    ),
    Mutant(
        "GRPS-17/an_unknown_group_cannot_be_deleted",
        GROUP,
        old=DELETIONS,
        new="Operation.DELETE_GROUP: _row(_OK, _NOT_EMPTY, _NOT_EMPTY, _NOT_EMPTY, _OK)",
    ),
    Mutant(
        "GRPS-17/a_deleted_group_has_no_offsets",
        ADMINISTRATION,
        old="for at in shard.offsets.known_partitions(group_id)",
        new="for at in ()",
    ),
    Mutant(
        "GRPS-17/offsets_of_subscribed_topics_are_not_deleted",
        REQUESTS,
        old="if group.subscribes_to(at.topic):",
        new="if not group.members:",
    ),
    Mutant(
        "GRPS-17/offsets_of_other_topics_are_deleted",
        GROUP,
        old="return topic in self.subscribed_topics",
        new="return True",
    ),
    Mutant(
        "GRPS-17/offsets_of_an_empty_group_are_deleted",
        REQUESTS,
        old="gone = [at for reference, at in found.items()",
        new="gone = known or [at for reference, at in found.items()",
    ),
    Mutant(
        "GRPS-17/offsets_of_an_unknown_group_are_not_found",
        GROUP,
        old=OFFSET_DELETIONS,
        new="Operation.DELETE_OFFSETS: _row(_OK, _NOT_EMPTY, _NOT_EMPTY, _NOT_EMPTY, _OK)",
    ),
    Mutant(
        "GRPS-19/offsets_survive_a_restart",
        LOADING,
        old="in partition.log.batches():",
        new="in reversed(list(partition.log.batches())):",
    ),
    Mutant(
        "GRPS-19/offsets_survive_a_crash",
        LOADING,
        old="            if decoded is not None:",
        new="            if decoded is not None and value is None:",
    ),
    Mutant(
        "GRPS-19/members_survive_a_restart",
        GROUP,
        old="assignment=stored.assignment,",
        new='assignment=b"",',
    ),
    Mutant(
        "GRPS-19/deleted_offsets_stay_deleted_over_a_restart",
        LOADING,
        old="if record.key is None:",
        new="if record.key is None or record.value is None:",
    ),
)
