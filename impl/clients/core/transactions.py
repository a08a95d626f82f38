"""The transactions of a producer, one after the other (TXNI-*, KIP-98, KIP-447).

Adds partitions before anything is written to them, hands over the offsets of a consumer, and has
the coordinator decide. The user asks for one thing at a time; each ends in one `Done`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask, Done, Output
from impl.clients.core.batches import Identity
from impl.clients.core.cluster_view import ClusterView
from impl.clients.core.config import ProducerConfig
from impl.clients.core.coordinator import GROUP, CoordinatorFinder
from impl.clients.core.errors import RETRIABLE, ClientError
from impl.clients.core.identity import Identification
from impl.wire import Struct
from spec.wire.errors import ErrorCode

NEWEST_ADD_PARTITIONS, NEWEST_ADD_OFFSETS, NEWEST_END, NEWEST_OFFSET_COMMIT = 3, 3, 3, 3
END_BACKOFF_MS = 20
"""How long to wait for the end of the transaction before: markers are written soon."""


class GroupMember(NamedTuple):
    """As whom a consumer's offsets are committed."""

    group_id: str
    generation_id: int = -1
    member_id: str = ""
    group_instance_id: str | None = None


@dataclass(slots=True)
class _Wish:
    """What the user asked for last, and is waiting for."""

    kind: str
    handle: Any
    member: GroupMember | None = None
    offsets: Mapping[Target, int] = field(default_factory=dict)
    step: int = 0


BEGIN, OFFSETS, COMMIT, ABORT = "begin", "offsets", "commit", "abort"


class Transactions:
    def __init__(
        self, config: ProducerConfig, identification: Identification, view: ClusterView
    ) -> None:
        self.must_abort = False
        self.is_open = False
        self._config = config
        self._view = view
        self._identification = identification
        self._groups: dict[str, CoordinatorFinder] = {}
        self._added: set[Target] = set()
        self._has_offsets = False
        self._wish: _Wish | None = None
        self._asked: Ask | None = None
        self._next_ms: int | None = None
        """When to ask again what failed."""
        self._done: list[Done] = []

    def covers(self, target: Target) -> bool:
        return self.is_open and target in self._added

    def take_done(self) -> list[Done]:
        done, self._done = self._done, []
        return done

    # What the user asks for

    def init(self, handle: Any) -> None:
        """Get an identity, which fences whoever had this transactional id before (TXNI-01)."""
        self._expect(BEGIN, handle)
        self._identification.begin()

    def begin(self) -> None:
        """Raises ClientError."""
        if self._identification.identity is None:
            raise _state("call init_transactions first")
        if self.is_open:
            raise _state("the transaction before is still open")
        self.is_open = True

    def send_offsets(
        self, offsets: Mapping[Target, int], member: GroupMember, handle: Any
    ) -> None:
        self._check_open()
        self._expect(OFFSETS, handle)
        assert self._wish is not None
        self._wish.offsets, self._wish.member = dict(offsets), member
        # At once, because asking for it makes the cluster create what a group's offsets need.
        self._groups.setdefault(
            member.group_id,
            CoordinatorFinder(
                self._view,
                member.group_id,
                GROUP,
                self._config.retry_backoff_ms,
                self._config.request_timeout_ms,
            ),
        )

    def commit(self, handle: Any) -> None:
        self._check_open()
        if self.must_abort:
            raise _state("something of it was not written, so it can only be aborted")
        self._expect(COMMIT, handle)

    def abort(self, handle: Any) -> None:
        self._check_open()
        self._expect(ABORT, handle)

    def _check_open(self) -> None:
        if not self.is_open:
            raise _state("there is no open transaction")

    def _expect(self, kind: str, handle: Any) -> None:
        if self._wish is None:
            self._wish = _Wish(kind, handle)
        elif self._wish.kind == kind:  # whoever lost patience asks again
            self._wish.handle = handle
        else:
            raise _state(f"{self._wish.kind} is still under way")

    # What follows

    def tick(self, now_ms: int, unsent: Iterable[Target], *, is_idle: bool) -> list[Output]:
        outputs: list[Output] = []
        for finder in self._groups.values():
            outputs += finder.tick(now_ms)
        if self._wish is not None and self._wish.kind == BEGIN:
            self._initialized()
        identity, node_id = self._identification.identity, self._coordinator()
        is_early = self._next_ms is not None and now_ms < self._next_ms
        if identity is None or node_id is None or self._asked is not None or is_early:
            return outputs + self.take_done()
        self._next_ms = None
        new = sorted(set(unsent) - self._added) if self.is_open else []
        if new:
            self._ask(node_id, "AddPartitionsToTxn", _add(new), NEWEST_ADD_PARTITIONS, new)
        elif self._wish is not None and self._wish.kind == OFFSETS:
            self._continue_offsets(node_id)
        elif self._wish is not None and self._wish.kind in (COMMIT, ABORT) and is_idle:
            self._end(node_id)
        if self._asked is not None:
            outputs.append(self._asked)
        return outputs + self.take_done()

    def next_deadline_ms(self) -> int | None:
        waits = [each.next_deadline_ms() for each in self._groups.values()]
        if self._asked is None and self._coordinator() is not None:
            waits.append(self._next_ms)
        return min((each for each in waits if each is not None), default=None)

    def _coordinator(self) -> int | None:
        assert self._identification.coordinator is not None
        return self._identification.coordinator.node_id

    def _initialized(self) -> None:
        assert self._wish is not None
        if self._identification.error is not None:
            self._finish(self._identification.error)
        elif self._identification.identity is not None:
            self._finish()

    def _finish(self, error: ClientError | None = None) -> None:
        assert self._wish is not None
        self._done.append(Done(self._wish.handle, error=error))
        self._wish = None

    def _ask(
        self, node_id: int, api_name: str, fields: dict[str, Any], newest: int, context: Any = None
    ) -> None:
        identity = self._identification.identity or Identity()
        prefix = "v3_and_below_" if api_name == "AddPartitionsToTxn" else ""
        who = {
            f"{prefix}transactional_id": self._config.transactional_id,
            f"{prefix}producer_id": identity.producer_id,
            f"{prefix}producer_epoch": identity.epoch,
        }
        body = Struct(**who, **fields)
        timeout_ms = self._config.request_timeout_ms
        self._asked = Ask(node_id, api_name, body, newest, timeout_ms, context)

    def _continue_offsets(self, node_id: int) -> None:
        """First the group joins the transaction, then its coordinator gets the offsets."""
        wish = self._wish
        assert wish is not None
        assert wish.member is not None
        if wish.step == 0:
            fields = {"group_id": wish.member.group_id}
            self._ask(node_id, "AddOffsetsToTxn", fields, NEWEST_ADD_OFFSETS)
            return
        finder = self._groups[wish.member.group_id]
        if finder.node_id is not None:
            fields = _offsets(wish.member, wish.offsets)
            self._ask(finder.node_id, "TxnOffsetCommit", fields, NEWEST_OFFSET_COMMIT)

    def _end(self, node_id: int) -> None:
        assert self._wish is not None
        if not self._added and not self._has_offsets:  # TXNI-07: nothing to decide
            self._close()
            return
        self._ask(node_id, "EndTxn", {"committed": self._wish.kind == COMMIT}, NEWEST_END)

    def _close(self) -> None:
        self._added.clear()
        self._has_offsets = self.is_open = self.must_abort = False
        self._finish()

    # Answers

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> bool:
        """Whether this was our question."""
        if any(finder.answered(ask, body, now_ms) for finder in self._groups.values()):
            return True
        if ask is not self._asked:
            return False
        self._asked = None
        error = ErrorCode.NETWORK_EXCEPTION if body is None else _error(body)
        if error is ErrorCode.CONCURRENT_TRANSACTIONS:  # TXNI-06: the end before is not over yet
            self._next_ms = now_ms + min(self._config.retry_backoff_ms, END_BACKOFF_MS)
        elif error in RETRIABLE:
            self._next_ms = now_ms + self._config.retry_backoff_ms
            self._lost(ask)
        elif error:
            self._failed(error)
        else:
            self._succeeded(ask)
        return True

    def _lost(self, ask: Ask) -> None:
        if ask.api_name == "TxnOffsetCommit":
            for finder in self._groups.values():
                finder.lost()
        else:
            assert self._identification.coordinator is not None
            self._identification.coordinator.lost()

    def _failed(self, error: ErrorCode) -> None:
        failure = ClientError(error, f"the transaction cannot go on: {error.name}")
        self.must_abort = True
        if self._wish is not None:
            self._finish(failure)

    def _succeeded(self, ask: Ask) -> None:
        match ask.api_name:
            case "AddPartitionsToTxn":
                self._added.update(ask.context)
            case "AddOffsetsToTxn":
                assert self._wish is not None
                self._wish.step, self._has_offsets = 1, True
            case "TxnOffsetCommit":
                self._finish()
            case "EndTxn":
                self._close()


def _state(why: str) -> ClientError:
    return ClientError(ErrorCode.INVALID_TXN_STATE, f"{why}.")


def _add(targets: Iterable[Target]) -> dict[str, Any]:
    partitions: dict[str, list[int]] = defaultdict(list)
    for target in targets:
        partitions[target.topic].append(target.partition)
    topics = [Struct(name=name, partitions=each) for name, each in partitions.items()]
    return {"v3_and_below_topics": topics}


def _offsets(member: GroupMember, offsets: Mapping[Target, int]) -> dict[str, Any]:
    topics: dict[str, list[Struct]] = defaultdict(list)
    for target, offset in offsets.items():
        each = Struct(partition_index=target.partition, committed_offset=offset)
        topics[target.topic].append(each)
    return {
        "group_id": member.group_id,
        "generation_id_or_member_epoch": member.generation_id,
        "member_id": member.member_id,
        "group_instance_id": member.group_instance_id,
        "topics": [Struct(name=name, partitions=each) for name, each in topics.items()],
    }


def _error(body: Struct) -> ErrorCode:
    """The error of an answer, or the first of its parts that is not NONE."""
    fields = vars(body)
    if fields.get("error_code"):
        return ErrorCode(fields["error_code"])
    for topic in fields.get("results_by_topic_v3_and_below", ()):
        for each in topic.results_by_partition:
            if each.partition_error_code:
                return ErrorCode(each.partition_error_code)
    for topic in fields.get("topics", ()):
        for each in topic.partitions:
            if each.error_code:
                return ErrorCode(each.error_code)
    return ErrorCode.NONE
