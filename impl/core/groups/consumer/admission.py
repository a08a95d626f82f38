"""Which heartbeats of the consumer protocol are refused, and with which error: GRPS-20, GRPS-24.

Every function looks at a request and a group, changes nothing, and raises KafkaError.
"""

from __future__ import annotations

from impl.core.groups.config import GroupConfig
from impl.core.groups.consumer.group import ConsumerGroup, Member
from impl.core.groups.consumer.messages import (
    JOINING,
    LEAVING,
    LEAVING_FOR_A_WHILE,
    ConsumerHeartbeat,
)
from impl.core.groups.consumer.topics import compile_regex
from impl.core.groups.messages import NO_GENERATION, CommitOffsets, OffsetsOfGroup
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

MEMBER_NAMES_ITSELF_SINCE = 1
COMMIT_WITH_MEMBER_EPOCH_SINCE = 9


def check_request(request: ConsumerHeartbeat, config: GroupConfig) -> None:
    """What can be told from the request alone."""
    is_joining = request.member_epoch == JOINING
    names_itself = request.api_version >= MEMBER_NAMES_ITSELF_SINCE
    well_formed = bool(
        request.group_id
        and request.group_instance_id != ""
        and request.rack_id != ""
        and (request.member_id or (is_joining and not names_itself))
        and request.member_epoch >= LEAVING_FOR_A_WHILE
    )
    if request.member_epoch == LEAVING_FOR_A_WHILE:
        well_formed = well_formed and request.group_instance_id is not None
    if is_joining:
        well_formed = bool(
            well_formed
            and request.rebalance_timeout_ms is not None
            and (request.topics or request.regex)
            and request.owned is not None
            and not request.owned
        )
    if not well_formed:
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    if request.assignor is not None and request.assignor not in config.group_consumer_assignors:
        raise KafkaError(ErrorCode.UNSUPPORTED_ASSIGNOR)


def check_subscription(request: ConsumerHeartbeat) -> None:
    if request.regex:
        compile_regex(request.regex)


def check_room(group: ConsumerGroup, request: ConsumerHeartbeat, max_size: int) -> None:
    """GRPS-04. Who takes the place of another takes no more room."""
    is_known = (
        request.member_id in group.members or request.group_instance_id in group.static_members
    )
    if len(group.members) >= max_size and not is_known:
        raise KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED)


def find_member(group: ConsumerGroup, request: ConsumerHeartbeat) -> Member:
    """The member that a heartbeat comes from, or that leaves."""
    instance_id = request.group_instance_id
    if instance_id is None:
        member = group.members.get(request.member_id)
    else:
        member = group.static_member(instance_id)
    if member is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
    if member.member_id != request.member_id:
        raise KafkaError(ErrorCode.FENCED_INSTANCE_ID)
    return member


def find_predecessor(group: ConsumerGroup, request: ConsumerHeartbeat) -> Member | None:
    """The static member whose place a joining member may take, if there is one."""
    instance_id = request.group_instance_id
    member = None if instance_id is None else group.static_member(instance_id)
    if member is None or member.current.member_epoch == LEAVING_FOR_A_WHILE:
        return member
    if member.member_id != request.member_id:  # GRPS-24
        raise KafkaError(ErrorCode.UNRELEASED_INSTANCE_ID)
    return None


def check_epoch(member: Member, request: ConsumerHeartbeat) -> None:
    """GRPS-20. A member that joins again gets what it has."""
    received, current = request.member_epoch, member.current
    if received == JOINING or received == current.member_epoch:
        return
    has_missed_answer = (
        LEAVING < received < current.member_epoch
        and received == current.previous_epoch
        and request.owned is not None
        and request.owned <= current.assigned
    )
    if not has_missed_answer:
        raise KafkaError(ErrorCode.FENCED_MEMBER_EPOCH)


# Offsets


def refuse_commit(group: ConsumerGroup, request: CommitOffsets) -> ErrorCode:
    """GRPS-23; GRPS-12 for commits from outside."""
    if request.generation_id < 0 and not group.members:
        return ErrorCode.NONE
    member = group.members.get(request.member_id)
    if member is None:
        return ErrorCode.UNKNOWN_MEMBER_ID
    is_transactional = request.producer is not None
    if not is_transactional and request.api_version < COMMIT_WITH_MEMBER_EPOCH_SINCE:
        return ErrorCode.UNSUPPORTED_VERSION
    if request.generation_id == member.current.member_epoch:
        return ErrorCode.NONE
    return ErrorCode.ILLEGAL_GENERATION if is_transactional else ErrorCode.STALE_MEMBER_EPOCH


def refuse_fetch(group: ConsumerGroup, wanted: OffsetsOfGroup) -> ErrorCode:
    """Who says which member it is has to be right; nobody has to say it."""
    if wanted.member_id is None and wanted.member_epoch == NO_GENERATION:
        return ErrorCode.NONE
    member = group.members.get(wanted.member_id or "")
    if member is None:
        return ErrorCode.UNKNOWN_MEMBER_ID
    if wanted.member_epoch != member.current.member_epoch:
        return ErrorCode.STALE_MEMBER_EPOCH
    return ErrorCode.NONE
