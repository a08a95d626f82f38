"""One group of the classic protocol: its states, its members, and what is legal when.

Decides which state follows which, which request is refused with which error in which state, who
leads, and which protocol wins the vote. Knows nothing of deadlines, of the log, or of what a
subscription means.

A group that does not exist is Dead, so the row `DEAD` of a table also answers for unknown groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Any

from impl.core.groups.messages import JoinedMember, Protocol
from impl.core.groups.records import StoredGroup, StoredMember
from spec.wire.errors import ErrorCode

CONSUMER_PROTOCOL_TYPE = "consumer"


class GroupState(StrEnum):
    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


EMPTY, PREPARING_REBALANCE, COMPLETING_REBALANCE, STABLE, DEAD = GroupState

NEXT_STATES: dict[GroupState, frozenset[GroupState]] = {
    EMPTY: frozenset({PREPARING_REBALANCE, DEAD}),
    PREPARING_REBALANCE: frozenset({COMPLETING_REBALANCE, EMPTY, DEAD}),
    COMPLETING_REBALANCE: frozenset({STABLE, PREPARING_REBALANCE, DEAD}),
    STABLE: frozenset({PREPARING_REBALANCE, DEAD}),
    DEAD: frozenset(),
}


class Operation(Enum):
    """A request as the tables see it: the same API may be several operations."""

    REJOIN = auto()
    SYNC = auto()
    HEARTBEAT = auto()
    LEAVE = auto()
    COMMIT = auto()
    COMMIT_AS_SIMPLE_CONSUMER = auto()
    COMMIT_IN_TRANSACTION = auto()
    DELETE_GROUP = auto()
    DELETE_OFFSETS = auto()
    DELETE_OFFSETS_OF_CONSUMERS = auto()


def _row(
    empty: ErrorCode,
    preparing: ErrorCode,
    completing: ErrorCode,
    stable: ErrorCode,
    dead: ErrorCode,
) -> dict[GroupState, ErrorCode]:
    return dict(zip(GroupState, (empty, preparing, completing, stable, dead), strict=True))


_OK = ErrorCode.NONE
_UNKNOWN = ErrorCode.UNKNOWN_MEMBER_ID
_REBALANCE = ErrorCode.REBALANCE_IN_PROGRESS
_NOT_EMPTY = ErrorCode.NON_EMPTY_GROUP
_NO_GROUP = ErrorCode.GROUP_ID_NOT_FOUND

# GRPS-07, GRPS-11, GRPS-12, GRPS-17. Columns: Empty, PreparingRebalance, CompletingRebalance,
# Stable, Dead. Whoever needs a member id and a generation was fenced before (`Group.fence`).
REFUSALS: dict[Operation, dict[GroupState, ErrorCode]] = {
    Operation.REJOIN: _row(_UNKNOWN, _OK, _OK, _OK, _UNKNOWN),
    Operation.SYNC: _row(_UNKNOWN, _REBALANCE, _OK, _OK, _UNKNOWN),
    Operation.HEARTBEAT: _row(_UNKNOWN, _REBALANCE, _OK, _OK, _UNKNOWN),
    Operation.LEAVE: _row(_OK, _OK, _OK, _OK, _UNKNOWN),
    Operation.COMMIT: _row(_OK, _OK, _REBALANCE, _OK, _NO_GROUP),
    Operation.COMMIT_AS_SIMPLE_CONSUMER: _row(_OK, _UNKNOWN, _UNKNOWN, _UNKNOWN, _OK),
    Operation.COMMIT_IN_TRANSACTION: _row(_OK, _OK, _OK, _OK, ErrorCode.ILLEGAL_GENERATION),
    Operation.DELETE_GROUP: _row(_OK, _NOT_EMPTY, _NOT_EMPTY, _NOT_EMPTY, _NO_GROUP),
    Operation.DELETE_OFFSETS: _row(_OK, _NOT_EMPTY, _NOT_EMPTY, _NOT_EMPTY, _NO_GROUP),
    Operation.DELETE_OFFSETS_OF_CONSUMERS: _row(_OK, _OK, _OK, _OK, _NO_GROUP),
}


def state_of(group: Group | None) -> GroupState:
    return DEAD if group is None else group.state


def refusal(operation: Operation, group: Group | None) -> ErrorCode:
    return REFUSALS[operation][state_of(group)]


@dataclass(slots=True)
class Member:
    """A member, and the tokens of its requests that wait for an answer."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[Protocol, ...]
    assignment: bytes = b""
    is_new: bool = False
    parked_join: Any | None = None
    parked_sync: Any | None = None

    @property
    def is_static(self) -> bool:
        return self.group_instance_id is not None

    @property
    def is_excused_from_heartbeats(self) -> bool:
        """Who waits for an answer lives, but for first joiners: those may be gone for good."""
        waits = self.parked_join is not None or self.parked_sync is not None
        return waits and not self.is_new

    def metadata(self, protocol_name: str | None) -> bytes:
        return next((p.metadata for p in self.protocols if p.name == protocol_name), b"")

    def vote(self, candidates: frozenset[str]) -> str:
        return next(p.name for p in self.protocols if p.name in candidates)

    def stored(self, protocol_name: str | None, assignment: bytes) -> StoredMember:
        return StoredMember(
            member_id=self.member_id,
            group_instance_id=self.group_instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            session_timeout_ms=self.session_timeout_ms,
            subscription=self.metadata(protocol_name),
            assignment=assignment,
        )


@dataclass(slots=True)
class Group:
    group_id: str
    state_timestamp_ms: int
    state: GroupState = EMPTY
    generation_id: int = 0
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    static_members: dict[str, str] = field(default_factory=dict)
    # Got a member id (KIP-394) and have not joined with it yet.
    pending_joins: set[str] = field(default_factory=set)
    # Are in the generation and have not sent SyncGroup yet.
    pending_syncs: set[str] = field(default_factory=set)
    # None: what the members subscribe to is not known.
    subscribed_topics: frozenset[str] | None = None
    # The first rebalance of an empty group waits for company (KIP-134).
    is_initial_rebalance: bool = False
    new_member_added: bool = False
    initial_delay_left_ms: int = 0

    def transition(self, state: GroupState, now_ms: int) -> None:
        if state not in NEXT_STATES[self.state]:
            raise AssertionError(f"group {self.group_id!r} cannot go from {self.state} to {state}")
        self.is_initial_rebalance = state is PREPARING_REBALANCE and self.state is EMPTY
        self.state = state
        self.state_timestamp_ms = now_ms

    # Members

    def add(self, member: Member, protocol_type: str) -> None:
        if not self.members:
            self.protocol_type = protocol_type
        self.members[member.member_id] = member
        if member.group_instance_id is not None:
            self.static_members[member.group_instance_id] = member.member_id
        self.leader = self.leader or member.member_id
        self.pending_joins.discard(member.member_id)

    def remove(self, member_id: str) -> None:
        member = self.members.pop(member_id, None)
        if member is not None and member.group_instance_id is not None:
            del self.static_members[member.group_instance_id]
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)
        self.pending_joins.discard(member_id)
        self.pending_syncs.discard(member_id)

    def replace(self, old_member_id: str, member: Member) -> None:
        """A static member came back under a new member id; its place, and its lead, stay."""
        assert member.group_instance_id is not None
        in_order = [member if m.member_id == old_member_id else m for m in self.members.values()]
        self.members = {m.member_id: m for m in in_order}
        if self.leader == old_member_id:
            self.leader = member.member_id
        if old_member_id in self.pending_syncs:
            self.pending_syncs.remove(old_member_id)
            self.pending_syncs.add(member.member_id)
        self.static_members[member.group_instance_id] = member.member_id

    def is_leader(self, member_id: str) -> bool:
        return self.leader == member_id

    @property
    def awaiting_join(self) -> list[Member]:
        return [m for m in self.members.values() if m.parked_join is not None]

    @property
    def all_have_joined(self) -> bool:
        return len(self.awaiting_join) == len(self.members) and not self.pending_joins

    @property
    def rebalance_timeout_ms(self) -> int:
        return max((m.rebalance_timeout_ms for m in self.members.values()), default=0)

    def has_room_for(self, member_id: str, max_size: int) -> bool:
        """While rebalancing only those who are back count: a shrunken limit sheds the last."""
        member = self.members.get(member_id)
        match self.state:
            case GroupState.PREPARING_REBALANCE:
                is_waiting = member is not None and member.parked_join is not None
                return is_waiting or len(self.awaiting_join) < max_size
            case GroupState.COMPLETING_REBALANCE | GroupState.STABLE:
                return member is not None or len(self.members) < max_size
            case _:
                return True

    def membership_error(self, member_id: str, group_instance_id: str | None) -> ErrorCode:
        if group_instance_id is not None:
            known = self.static_members.get(group_instance_id)
            if known is not None and known != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
            if known is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
        if member_id not in self.members:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return ErrorCode.NONE

    def fence(
        self, member_id: str, group_instance_id: str | None, generation_id: int
    ) -> ErrorCode:
        """Only a member of the current generation passes."""
        error = self.membership_error(member_id, group_instance_id)
        if not error and generation_id != self.generation_id:
            return ErrorCode.ILLEGAL_GENERATION
        return error

    # Protocols

    def _supported_by_all(self) -> frozenset[str]:
        names = [frozenset(p.name for p in m.protocols) for m in self.members.values()]
        return frozenset.intersection(*names) if names else frozenset()

    def supports(self, protocol_type: str, protocols: Iterable[Protocol]) -> bool:
        """Whether a joiner shares the protocol type, and one protocol with all members."""
        names = {p.name for p in protocols}
        if self.state is EMPTY:
            return protocol_type != "" and bool(names)
        if self.protocol_type != protocol_type:
            return False
        return not self.members or not names.isdisjoint(self._supported_by_all())

    def select_protocol(self) -> str:
        """Each member votes for the first of its protocols that all support; most votes win."""
        candidates = self._supported_by_all()
        votes = Counter(member.vote(candidates) for member in self.members.values())
        return votes.most_common(1)[0][0]

    @property
    def uses_consumer_protocol(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    def subscribes_to(self, topic: str) -> bool:
        """When nobody can tell, a consumer group is taken to subscribe to everything."""
        if self.subscribed_topics is None:
            return self.uses_consumer_protocol
        return topic in self.subscribed_topics

    def joined_members(self) -> tuple[JoinedMember, ...]:
        return tuple(
            JoinedMember(m.member_id, m.group_instance_id, m.metadata(self.protocol_name))
            for m in self.members.values()
        )

    # Log

    def stored(self, members: Iterable[StoredMember]) -> StoredGroup:
        return StoredGroup(
            protocol_type=self.protocol_type,
            generation_id=self.generation_id,
            protocol_name=self.protocol_name,
            leader=self.leader,
            state_timestamp_ms=self.state_timestamp_ms,
            members=tuple(members),
        )


def restored(group_id: str, value: StoredGroup) -> Group:
    """The group that a record describes: stable if it has members, else empty."""
    group = Group(
        group_id=group_id,
        state_timestamp_ms=value.state_timestamp_ms,
        state=STABLE if value.members else EMPTY,
        generation_id=value.generation_id,
        protocol_type=value.protocol_type,
        protocol_name=value.protocol_name,
        leader=value.leader,
    )
    for stored in value.members:
        member = Member(
            member_id=stored.member_id,
            group_instance_id=stored.group_instance_id,
            client_id=stored.client_id,
            client_host=stored.client_host,
            session_timeout_ms=stored.session_timeout_ms,
            rebalance_timeout_ms=stored.rebalance_timeout_ms,
            protocols=(Protocol(value.protocol_name or "", stored.subscription),),
            assignment=stored.assignment,
        )
        group.add(member, value.protocol_type or "")
    return group
