"""A consumer's core beside a broker that is made up, in virtual time.

The broker has one group with one seat for a member that is real; the test says what it answers
when it is not to answer well.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask, Done, Output
from impl.clients.core.batches import Codecs, Identity, NewRecord, build
from impl.clients.core.config import ConsumerConfig, read_config
from impl.clients.core.consuming import ConsumerCore, ConsumerRecord
from impl.core.log.batch import HEADER_SIZE
from impl.shell.platform import CODECS
from impl.wire import Struct
from spec.wire.errors import ErrorCode

codecs = Codecs(*CODECS)
MEMBER = "member-1"
LATEST = -1


class ConsumerWorld:
    def __init__(self, partitions: int = 1, **options: Any) -> None:
        named = {name.replace("_", "."): value for name, value in options.items()}
        self.core = ConsumerCore(read_config(ConsumerConfig, named), codecs)
        self.partitions = partitions
        self.now_ms = 1_000
        self.asked: dict[str, list[Ask]] = defaultdict(list)
        self.asked_at_ms: dict[str, list[int]] = defaultdict(list)
        self.done: dict[Any, Exception | None] = {}
        self.errors: dict[str, ErrorCode] = {}
        """By API: what is answered instead, until the test takes it back."""
        self.silent: set[str] = set()
        self.committed: dict[Target, int] = {}
        self.logs: dict[Target, list[tuple[int, bytes]]] = defaultdict(list)
        """Batches, each with the offset behind it."""
        self.starts: dict[Target, int] = defaultdict(int)
        self.aborted: list[Struct] = []
        self.generation_id = 0
        self._fetches: dict[Ask, int] = {}
        """Those that wait, with when they came."""

    # The log

    def append(self, *values: bytes, partition: int = 0, identity: Identity | None = None) -> None:
        target = Target("t", partition)
        records = [NewRecord(None, value, (), 0) for value in values]
        built = build(
            records,
            codecs,
            0,
            identity or Identity(),
            is_transactional=identity is not None,
        )
        base_offset = self.end(target)
        batch = base_offset.to_bytes(8, "big") + built[8:]
        assert len(batch) > HEADER_SIZE
        self.logs[target].append((base_offset + len(values), batch))
        self._answer_fetches()

    def end(self, target: Target) -> int:
        return self.logs[target][-1][0] if self.logs[target] else self.starts[target]

    # Driving

    def poll(self) -> list[bytes]:
        records, outputs = self.core.poll(self.now_ms)
        self.take(outputs)
        return [record.value for record in records]

    def read(self) -> list[ConsumerRecord]:
        """Poll until something comes, a little time apart, for a second."""
        for _ in range(100):
            records, outputs = self.core.poll(self.now_ms)
            self.take(outputs)
            if records:
                return records
            self.pass_time(10)
        return []

    def values(self) -> list[bytes]:
        return [record.value for record in self.read()]

    def commit(self, offsets: dict[Target, int] | None = None) -> Exception | None:
        handle = object()
        self.take(self.core.commit(offsets, handle, self.now_ms))
        return self.done[handle]

    def pass_time(self, milliseconds: int) -> None:
        """Tick whenever that is due, as a driver does."""
        until = self.now_ms + milliseconds
        while (due := min(self._deadlines(), default=until + 1)) <= until:
            assert self.now_ms <= until, "it is always due"
            self.now_ms = max(self.now_ms + 1, due)
            self.take(self.core.tick(self.now_ms))
        self.now_ms = max(self.now_ms, until)

    def _deadlines(self) -> list[int]:
        known = self.core.next_deadline_ms()
        waiting = [each.body.max_wait_ms + sent_ms for each, sent_ms in self._fetches.items()]
        return waiting if known is None else [*waiting, known]

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Done):
                self.done[output.handle] = output.error
                continue
            self.asked[output.api_name].append(output)
            self.asked_at_ms[output.api_name].append(self.now_ms)
            if output.api_name == "Fetch":
                self._fetches[output] = self.now_ms
            elif output.api_name not in self.silent:
                self.answer(output, self._answer_to(output))
        self._answer_fetches()

    def answer(self, ask: Ask, body: Struct | None) -> None:
        self.take(self.core.answered(ask, body, self.now_ms))

    # What the broker says

    def _answer_to(self, ask: Ask) -> Struct:
        error = self.errors.get(ask.api_name, ErrorCode.NONE)
        return getattr(self, f"_{ask.api_name}")(ask.body, error)  # type: ignore[no-any-return]

    def _Metadata(self, _body: Struct, _error: ErrorCode) -> Struct:  # noqa: N802
        partitions = [
            Struct(partition_index=n, leader_id=1, error_code=0) for n in range(self.partitions)
        ]
        return Struct(
            brokers=[Struct(node_id=1, host="localhost", port=9092)],
            topics=[Struct(name="t", error_code=0, partitions=partitions)],
        )

    def _FindCoordinator(self, _body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        return Struct(error_code=error, node_id=1, host="localhost", port=9092)

    def _JoinGroup(self, body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        if not body.member_id:
            return Struct(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id=MEMBER)
        self.generation_id += 1
        (protocol,) = body.protocols
        return Struct(
            error_code=error,
            generation_id=self.generation_id,
            leader=MEMBER,
            member_id=MEMBER,
            members=[Struct(member_id=MEMBER, metadata=protocol.metadata)],
        )

    def _SyncGroup(self, body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        return Struct(error_code=error, assignment=body.assignments[0].assignment)

    def _Heartbeat(self, _body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        return Struct(error_code=error)

    def _LeaveGroup(self, _body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        return Struct(error_code=error, members=[])

    def _OffsetFetch(self, body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        topics = [
            Struct(
                name=topic.name,
                partitions=[
                    Struct(
                        partition_index=n,
                        committed_offset=self.committed.get(Target(topic.name, n), -1),
                        error_code=0,
                    )
                    for n in topic.partition_indexes
                ],
            )
            for topic in body.topics
        ]
        return Struct(error_code=error, topics=topics)

    def _OffsetCommit(self, body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        for topic in body.topics:
            for each in topic.partitions:
                each.error_code = error
                if not error:
                    at = Target(topic.name, each.partition_index)
                    self.committed[at] = each.committed_offset
        return Struct(topics=body.topics)

    def _ListOffsets(self, body: Struct, error: ErrorCode) -> Struct:  # noqa: N802
        for topic in body.topics:
            for each in topic.partitions:
                at = Target(topic.name, each.partition_index)
                each.error_code = error
                each.offset = self.end(at) if each.timestamp == LATEST else self.starts[at]
        return Struct(topics=body.topics)

    def _answer_fetches(self) -> None:
        """As soon as there is something to say, or nothing was for long enough."""
        for ask, came_ms in list(self._fetches.items()):
            answers = [
                self._fetched(topic.topic, each)
                for topic in ask.body.topics
                for each in topic.partitions
            ]
            is_late = self.now_ms >= came_ms + ask.body.max_wait_ms
            if is_late or any(each.records or each.error_code for each in answers):
                del self._fetches[ask]
                self.answer(ask, Struct(responses=[Struct(topic="t", partitions=answers)]))

    def _fetched(self, topic: str, asked: Struct) -> Struct:
        at = Target(topic, asked.partition)
        is_there = self.starts[at] <= asked.fetch_offset <= self.end(at)
        error = ErrorCode.NONE if is_there else ErrorCode.OFFSET_OUT_OF_RANGE
        found = [batch for end, batch in self.logs[at] if end > asked.fetch_offset and is_there]
        return Struct(
            partition_index=asked.partition,
            error_code=error,
            records=b"".join(found),
            aborted_transactions=self.aborted,
        )
