"""Brokers that let the wrong members in, or deal out the wrong generations."""

from tests.conformance.mutants import Mutant

GROUP = "impl.core.groups.group"
MEMBERSHIP = "impl.core.groups.membership"
REBALANCE = "impl.core.groups.rebalance"
GROUPS_API = "impl.api.groups"

SESSION_BOUNDS = "if not shortest_ms <= request.session_timeout_ms <= longest_ms:"
HEARTBEATS = "Operation.HEARTBEAT: _row(_UNKNOWN, _REBALANCE, _OK, _OK, _UNKNOWN)"
FENCED_HEARTBEAT = """\
        error = group.fence(member_id, instance_id, request.generation_id)
        if error:
            return error"""
FENCED_SYNC = """\
    error = group.fence(request.member_id, request.group_instance_id, request.generation_id)
    if error:
        return error"""

MUTANTS = (
    Mutant(
        "GRPS-27/the_coordinator_is_a_broker_of_the_cluster",
        GROUPS_API,
        old='"node_id": -1 if broker is None else broker.node_id,',
        new='"node_id": -1 if broker is None else broker.node_id + 1,',
    ),
    Mutant(
        "GRPS-27/several_coordinators_are_found_at_once",
        GROUPS_API,
        old="**_coordinator(each)) for each in reply.coordinators]",
        new="**_coordinator(each)) for each in reply.coordinators[:1]]",
    ),
    Mutant(
        "GRPS-27/the_coordinator_accepts_requests_of_the_group",
        MEMBERSHIP,
        old="            return refusal(Operation.HEARTBEAT, group)\n",
        new="            return ErrorCode.NOT_COORDINATOR\n",
    ),
    Mutant(
        "GRPS-01/a_new_member_gets_an_id_first",
        MEMBERSHIP,
        old="JOIN_NEEDS_MEMBER_ID_SINCE = 4",
        new="JOIN_NEEDS_MEMBER_ID_SINCE = 99",
    ),
    Mutant(
        "GRPS-01/handing_out_an_id_starts_no_rebalance",
        MEMBERSHIP,
        old="        group.pending_joins.add(member_id)\n",
        new="""\
        group.pending_joins.add(member_id)
        if group.members:
            self._rebalances.rebalance(group)
""",
    ),
    Mutant(
        "GRPS-01/a_member_joins_with_the_id_it_was_given",
        MEMBERSHIP,
        old="self._add(token, group, request, request.member_id)",
        new="self._add(token, group, request, self._new_id())",
    ),
    Mutant(
        "GRPS-01/old_versions_join_at_once",
        MEMBERSHIP,
        old="JOIN_NEEDS_MEMBER_ID_SINCE = 4",
        new="JOIN_NEEDS_MEMBER_ID_SINCE = 0",
    ),
    Mutant(
        "GRPS-01/a_static_member_joins_at_once",
        MEMBERSHIP,
        old="if known is None:\n                self._add(",
        new="if known is None:\n                self._ask_to_come_again(",
    ),
    Mutant(
        "GRPS-01/a_member_id_of_ones_own_is_unknown",
        MEMBERSHIP,
        old="return JoinReply(ErrorCode.UNKNOWN_MEMBER_ID, request.member_id)",
        new="return JoinReply(ErrorCode.GROUP_ID_NOT_FOUND, request.member_id)",
    ),
    Mutant(
        "GRPS-02/a_session_timeout_below_the_bound_is_refused",
        MEMBERSHIP,
        old=SESSION_BOUNDS,
        new="if not request.session_timeout_ms <= longest_ms:",
    ),
    Mutant(
        "GRPS-02/a_session_timeout_above_the_bound_is_refused",
        MEMBERSHIP,
        old=SESSION_BOUNDS,
        new="if not shortest_ms <= request.session_timeout_ms:",
    ),
    Mutant(
        "GRPS-02/the_bounds_of_session_timeouts_are_allowed",
        MEMBERSHIP,
        old=SESSION_BOUNDS,
        new="if not shortest_ms < request.session_timeout_ms < longest_ms:",
    ),
    Mutant(
        "GRPS-03/another_protocol_type_is_refused",
        GROUP,
        old="if self.protocol_type != protocol_type:",
        new="if not protocol_type:",
    ),
    Mutant(
        "GRPS-03/a_member_without_a_common_protocol_is_refused",
        GROUP,
        old="return not self.members or not names.isdisjoint(self._supported_by_all())",
        new="return True",
    ),
    Mutant(
        "GRPS-03/joining_without_any_protocol_is_refused",
        GROUP,
        old='return protocol_type != "" and bool(names)',
        new='return protocol_type != ""',
    ),
    Mutant(
        "GRPS-03/joining_without_a_protocol_type_is_refused",
        GROUP,
        old='return protocol_type != "" and bool(names)',
        new="return bool(names)",
    ),
    Mutant(
        "GRPS-04/a_full_group_takes_nobody_in",
        MEMBERSHIP,
        old="group.has_room_for(request.member_id, self._config.group_max_size)",
        new="group.has_room_for(request.member_id, self._config.group_max_size + 1)",
    ),
    Mutant(
        "GRPS-05/a_rebalance_raises_the_generation_by_one",
        REBALANCE,
        old="group.generation_id += 1\n        group.protocol_name = group.select_protocol()",
        new="group.generation_id += 2\n        group.protocol_name = group.select_protocol()",
    ),
    Mutant(
        "GRPS-05/all_members_learn_of_one_leader",
        REBALANCE,
        old='leader=group.leader or "",',
        new="leader=member_id,",
    ),
    Mutant(
        "GRPS-05/the_protocol_is_one_that_all_offered",
        GROUP,
        old="return votes.most_common(1)[0][0]",
        new="return list(self.members.values())[-1].protocols[0].name",
    ),
    Mutant(
        "GRPS-05/the_protocol_is_the_one_that_most_prefer",
        GROUP,
        old="return votes.most_common(1)[0][0]",
        new="return votes.most_common()[-1][0]",
    ),
    Mutant(
        "GRPS-05/only_the_leader_gets_the_members",
        REBALANCE,
        old="members=group.joined_members() if leads else (),",
        new="members=group.joined_members(),",
    ),
    Mutant(
        "GRPS-06/every_member_gets_its_own_assignment",
        REBALANCE,
        old='member.assignment = assignments.get(member.member_id, b"")',
        new='member.assignment = next(iter(assignments.values()), b"")',
    ),
    Mutant(
        "GRPS-06/followers_wait_for_the_leader",
        MEMBERSHIP,
        old="        if group.state is STABLE:\n            self._answer(",
        new="""\
        if group.state is STABLE or not group.is_leader(member.member_id):
            self._answer(""",
    ),
    Mutant(
        "GRPS-06/a_member_that_is_left_out_gets_nothing",
        REBALANCE,
        old='member.assignment = assignments.get(member.member_id, b"")',
        new="""\
everything = next(iter(assignments.values()), b"")
            member.assignment = assignments.get(member.member_id, everything)""",
    ),
    Mutant(
        "GRPS-06/a_follower_assigns_nothing",
        MEMBERSHIP,
        old="        if group.is_leader(member.member_id):\n            self._rebalances.store",
        new="""\
        if group.is_leader(member.member_id) or request.assignments:
            self._rebalances.store""",
    ),
    Mutant(
        "GRPS-06/a_stable_group_keeps_its_assignments",
        MEMBERSHIP,
        old="        if group.state is STABLE:\n            self._answer(",
        new="""\
        if group.state is STABLE:
            member.assignment = request.assignments.get(member.member_id, member.assignment)
            self._answer(""",
    ),
    Mutant(
        "GRPS-06/an_unknown_member_cannot_synchronise",
        MEMBERSHIP,
        old=FENCED_SYNC,
        new=FENCED_SYNC.replace("return error", "return ErrorCode.ILLEGAL_GENERATION"),
    ),
    Mutant(
        "GRPS-06/another_generation_cannot_synchronise",
        MEMBERSHIP,
        old=FENCED_SYNC,
        new=FENCED_SYNC.replace("if error:", "if error is ErrorCode.UNKNOWN_MEMBER_ID:"),
    ),
    Mutant(
        "GRPS-06/another_protocol_cannot_synchronise",
        MEMBERSHIP,
        old="and actual is not None and claimed != actual:",
        new="and actual is None:",
    ),
    Mutant(
        "GRPS-06/a_rebalancing_group_cannot_synchronise",
        GROUP,
        old="Operation.SYNC: _row(_UNKNOWN, _REBALANCE, _OK, _OK, _UNKNOWN)",
        new="Operation.SYNC: _row(_UNKNOWN, _UNKNOWN, _OK, _OK, _UNKNOWN)",
    ),
    Mutant(
        "GRPS-06/a_waiting_member_learns_of_the_next_rebalance",
        REBALANCE,
        old="self._withdraw_assignments(group, ErrorCode.REBALANCE_IN_PROGRESS)",
        new="self._withdraw_assignments(group, ErrorCode.NONE)",
    ),
    Mutant(
        "GRPS-07/nobody_is_known_in_an_unknown_group",
        GROUP,
        old=HEARTBEATS,
        new="Operation.HEARTBEAT: _row(_UNKNOWN, _REBALANCE, _OK, _OK, _NO_GROUP)",
    ),
    Mutant(
        "GRPS-07/a_stranger_is_told_so",
        MEMBERSHIP,
        old=FENCED_HEARTBEAT,
        new=FENCED_HEARTBEAT.replace("return error", "return ErrorCode.ILLEGAL_GENERATION"),
    ),
    Mutant(
        "GRPS-07/a_member_that_left_is_unknown",
        MEMBERSHIP,
        old="self._rebalances.dismiss(group, group.members[member_id])",
        new="self._rebalances.restart_session(group, group.members[member_id])",
    ),
    Mutant(
        "GRPS-07/a_wrong_generation_is_told_so",
        GROUP,
        old="if not error and generation_id != self.generation_id:",
        new="if not error and generation_id < self.generation_id:",
    ),
    Mutant(
        "GRPS-07/heartbeats_tell_of_a_rebalance",
        GROUP,
        old=HEARTBEATS,
        new="Operation.HEARTBEAT: _row(_UNKNOWN, _OK, _OK, _OK, _UNKNOWN)",
    ),
    Mutant(
        "GRPS-07/heartbeats_are_good_while_the_assignment_is_awaited",
        GROUP,
        old=HEARTBEATS,
        new="Operation.HEARTBEAT: _row(_UNKNOWN, _REBALANCE, _REBALANCE, _OK, _UNKNOWN)",
    ),
    Mutant(
        "GRPS-07/heartbeats_are_good_in_a_stable_group",
        GROUP,
        old=HEARTBEATS,
        new="Operation.HEARTBEAT: _row(_UNKNOWN, _REBALANCE, _OK, _REBALANCE, _UNKNOWN)",
    ),
    Mutant(
        "GRPS-08/a_silent_member_is_removed",
        REBALANCE,
        old="if member is not None and not member.is_excused_from_heartbeats:",
        new="if member is not None and member.is_static:",
    ),
    Mutant(
        "GRPS-08/a_member_that_waits_is_not_silent",
        GROUP,
        old="return waits and not self.is_new",
        new="return waits and self.is_new",
    ),
    Mutant(
        "GRPS-09/who_does_not_join_again_is_left_out",
        REBALANCE,
        old="if member.parked_join is None and not member.is_static:",
        new="if member.parked_join is None and member.is_new:",
    ),
    Mutant(
        "GRPS-09/the_longest_rebalance_timeout_counts",
        GROUP,
        old="return max((m.rebalance_timeout_ms",
        new="return min((m.rebalance_timeout_ms",
    ),
    Mutant(
        "GRPS-18/a_static_member_gets_a_new_member_id",
        MEMBERSHIP,
        old='member_id = f"{request.group_instance_id}-{self._new_id()}"',
        new='member_id = f"{request.group_instance_id}-member"',
    ),
    Mutant(
        "GRPS-18/a_static_member_comes_back_without_a_rebalance",
        MEMBERSHIP,
        old="if group.state is STABLE and group.select_protocol() == group.protocol_name:",
        new="if group.state is EMPTY:",
    ),
    Mutant(
        "GRPS-18/a_static_member_gets_its_assignment_again",
        MEMBERSHIP,
        old="member_id=member_id, parked_join=None, parked_sync=None)",
        new='member_id=member_id, parked_join=None, parked_sync=None, assignment=b"")',
    ),
    Mutant(
        "GRPS-18/the_former_member_id_is_fenced",
        GROUP,
        old="return ErrorCode.FENCED_INSTANCE_ID",
        new="return ErrorCode.UNKNOWN_MEMBER_ID",
    ),
    Mutant(
        "GRPS-18/the_former_member_id_cannot_commit",
        "impl.core.groups.offsets_requests",
        old="who = (request.member_id, request.group_instance_id)",
        new="who = (request.member_id, None)",
    ),
    Mutant(
        "GRPS-18/the_former_member_id_alone_is_unknown",
        GROUP,
        old="self.members = {m.member_id: m for m in in_order}",
        new="self.members |= {m.member_id: m for m in in_order}",
    ),
    Mutant(
        "GRPS-18/an_unknown_instance_with_a_member_id_is_unknown",
        GROUP,
        old="            if known is None:\n                return ErrorCode.UNKNOWN_MEMBER_ID\n",
        new="",
    ),
)
