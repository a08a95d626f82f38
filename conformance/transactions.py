"""Transactional producers without a client library: each call is one request of the check's own.

`Transactional` keeps what the protocol makes a client remember (producer id, epoch, sequence
numbers) and speaks one of the two versions of the protocol: in `TV1` the producer adds partitions
itself, in `TV2` the broker does, and every end raises the epoch. Methods named `prepare_...` are
preparations; the others return what the broker says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conformance.client import Client
from conformance.judge import Condition
from conformance.lookup import TRANSACTION
from conformance.requests import Fields, Topic
from conformance.session import Session
from conformance.wire import Struct
from conformance.wire.records import TRANSACTIONAL, Batch, Record, build_batch
from spec.wire.errors import ErrorCode, name_of

TIMEOUT_MS = 60_000
COMMITTED = 1
"""The isolation level `read_committed`."""
BATCHED_ADD = 4
"""The version of AddPartitionsToTxn from which on it is for brokers."""
RAISING_END = 5
"""The version of EndTxn from which on every end raises the epoch."""
ABORT_MARKER, COMMIT_MARKER = 0, 1
TV1_APIS = ("InitProducerId", "AddPartitionsToTxn 0-3", "Produce 3-11", "EndTxn 0-4")
TV2_APIS = ("InitProducerId", "Produce 12+", "EndTxn 5+")


@dataclass(frozen=True)
class Protocol:
    """The newest version of each request that belongs to a version of the protocol, or None."""

    produce: int | None = None
    end: int | None = None
    commit_offsets: int | None = None


TV1 = Protocol(produce=11, end=4, commit_offsets=4)
TV2 = Protocol()


@dataclass
class Transactional:
    """A producer with a transactional id."""

    session: Session
    name: str
    protocol: Protocol = TV1
    producer_id: int = -1
    epoch: int = -1
    timeout_ms: int = TIMEOUT_MS
    sequences: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def coordinator(self) -> Client:
        return self.session.coordinator(self.name, TRANSACTION)

    @property
    def identity(self) -> Fields:
        return {
            "transactional_id": self.name,
            "producer_id": self.producer_id,
            "producer_epoch": self.epoch,
        }

    # Requests

    def init(self) -> Struct:
        """InitProducerId; the producer id and epoch are taken from a good answer."""
        answer = self.coordinator.call(
            "InitProducerId",
            transactional_id=self.name,
            transaction_timeout_ms=self.timeout_ms,
        )
        if answer.error_code == ErrorCode.NONE:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
            self.sequences.clear()
        return answer

    def add(self, topic: Topic, *partitions: int, version: int | None = None) -> dict[int, int]:
        """AddPartitionsToTxn as clients send it; the error codes by partition."""
        client = self.coordinator
        if version is None:
            version = client.version("AddPartitionsToTxn", BATCHED_ADD - 1)
        fields = {f"v3_and_below_{name}": value for name, value in self.identity.items()}
        topics = [{"name": topic.name, "partitions": list(partitions or (0,))}]
        answer = client.call("AddPartitionsToTxn", version, v3_and_below_topics=topics, **fields)
        return {
            each.partition_index: each.partition_error_code
            for result in answer.results_by_topic_v3_and_below
            for each in result.results_by_partition
        }

    def write(
        self,
        topic: Topic,
        records: Sequence[bytes | Record],
        partition: int = 0,
        *,
        version: int | None = None,
        flags: int = TRANSACTIONAL,
    ) -> Struct:
        """Produce a batch with the next sequence number; its partition's answer."""
        place = topic.name, partition
        sequence = self.sequences.get(place, 0)
        batch = build_batch(
            [each if isinstance(each, Record) else Record(each) for each in records],
            flags=flags,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=sequence,
        )
        if version is None:
            version = self.session.leader(topic, partition).version(
                "Produce", self.protocol.produce
            )
        answer = self.session.produce(
            topic, batch, partition, version=version, transactional_id=self.name
        )
        if answer.error_code == ErrorCode.NONE:
            self.sequences[place] = sequence + len(records)
        return answer

    def end(self, committed: bool, version: int | None = None) -> Struct:
        """EndTxn; where the answer brings a new epoch it is taken."""
        client = self.coordinator
        version = client.version("EndTxn", self.protocol.end) if version is None else version
        answer = client.call("EndTxn", version, committed=committed, **self.identity)
        if answer.error_code == ErrorCode.NONE and version >= RAISING_END:
            self._take(answer)
        return answer

    def add_offsets(self, group: str) -> int:
        answer = self.coordinator.call("AddOffsetsToTxn", group_id=group, **self.identity)
        return int(answer.error_code)

    def commit_offset(
        self, group: str, topic: Topic, offset: int, member: Fields | None = None
    ) -> int:
        """TxnOffsetCommit for partition 0; its error code."""
        client = self.session.coordinator(group)
        partition = {"partition_index": 0, "committed_offset": offset}
        answer = client.call(
            "TxnOffsetCommit",
            client.version("TxnOffsetCommit", self.protocol.commit_offsets),
            group_id=group,
            topics=[{"name": topic.name, "topic_id": topic.id, "partitions": [partition]}],
            **self.identity,
            **(member or {}),
        )
        return int(answer.topics[0].partitions[0].error_code)

    def state(self) -> str:
        """What DescribeTransactions tells; empty for an id that is not known."""
        answer = self.coordinator.call("DescribeTransactions", transactional_ids=[self.name])
        return str(answer.transaction_states[0].transaction_state)

    # Preparations

    def prepare(self) -> "Transactional":
        """A producer id and epoch, as soon as whatever was open is at an end."""
        self._retried("InitProducerId", lambda: self.init().error_code)
        return self

    def prepare_write(
        self, topic: Topic, records: Sequence[bytes | Record], partition: int = 0
    ) -> Struct:
        """Records in the open transaction, which begins with the first."""
        if self.protocol is TV1:
            self._retried("AddPartitionsToTxn", lambda: self.add(topic, partition)[partition])
        answers: list[Struct] = []

        def write() -> int:
            answers.append(self.write(topic, records, partition))
            return int(answers[-1].error_code)

        self._retried("Produce", write)
        return answers[-1]

    def prepare_end(self, committed: bool) -> None:
        """The end of the transaction, and that it is complete: its markers are written."""
        self._retried("EndTxn", lambda: self.end(committed).error_code)
        self.session.poll_until(
            lambda: self.state() in ("CompleteCommit", "CompleteAbort"),
            "the transaction is complete",
        )

    def prepare_offset(self, group: str, topic: Topic, offset: int) -> None:
        """An offset that waits for the end of the transaction."""
        if self.protocol is TV1:
            self._retried("AddOffsetsToTxn", lambda: self.add_offsets(group))
        self._retried("TxnOffsetCommit", lambda: self.commit_offset(group, topic, offset))

    def _take(self, answer: Struct) -> None:
        if (answer.producer_id, answer.producer_epoch) != (self.producer_id, self.epoch):
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
            self.sequences.clear()

    def _retried(self, api: str, ask: Callable[[], int]) -> None:
        """Ask until the answer is no error that passes; inconclusive for one that does not."""

        def answered() -> bool:
            code = ask()
            if code not in (ErrorCode.NONE, *PASSING):
                self.session.inconclusive(f"{api} answers {name_of(code)}")
            return code == ErrorCode.NONE

        self.session.poll_until(answered, f"{api} is answered without an error")


PASSING = (
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS,
)


def producer(session: Session, protocol: Protocol = TV1, name: str = "") -> Transactional:
    """A new transactional producer, ready to begin."""
    return Transactional(session, name or session.name("transaction"), protocol).prepare()


def write_once(
    session: Session, topic: Topic, records: Sequence[bytes | Record], committed: bool
) -> Transactional:
    """A whole transaction of a producer of its own: a preparation."""
    found = producer(session)
    found.prepare_write(topic, records)
    found.prepare_end(committed)
    return found


def fetch_committed(session: Session, topic: Topic, offset: int = 0) -> Struct:
    """One Fetch with `read_committed`; its partition's answer."""
    return session.fetch(topic, offset, isolation_level=COMMITTED)


def last_stable_offset(session: Session, topic: Topic, partition: int = 0) -> int:
    """What ListOffsets tells a reader with `read_committed` as the end."""
    return int(session.list_offset(topic, -1, partition, isolation_level=COMMITTED).offset)


def committed_values(session: Session, topic: Topic, partition: int = 0) -> list[bytes | None]:
    """What a consumer with `read_committed` hands out, with the aborted records left out."""
    read = session.read(topic, partition=partition, isolation_level=COMMITTED)
    aborted = session.fetch(topic, partition=partition, isolation_level=COMMITTED)
    return visible(read.batches, aborted.aborted_transactions or [])


def visible(batches: Sequence[Batch], aborted: Sequence[Struct]) -> list[bytes | None]:
    """The values of the records that are not in aborted transactions."""
    first = sorted((each.first_offset, each.producer_id) for each in aborted)
    skipped: set[int] = set()
    found: list[bytes | None] = []
    for batch in batches:
        while first and first[0][0] <= batch.last_offset:
            skipped.add(first.pop(0)[1])
        if batch.is_control:
            skipped.discard(batch.producer_id)
        elif not (batch.is_transactional and batch.producer_id in skipped):
            found += [record.value for record in batch.records]
    return found


def marker_of(batch: Batch) -> tuple[int, int]:
    """The producer id of a control batch, and whether it says commit or abort."""
    key = batch.records[0].key or b""
    return batch.producer_id, int.from_bytes(key[2:4], "big", signed=True)


def markers(session: Session, topic: Topic) -> list[tuple[int, int]]:
    """The markers of partition 0, in order."""
    return [marker_of(batch) for batch in session.read(topic).batches if batch.is_control]


def later_than(former: tuple[int, int]) -> Condition:
    """A producer id and an epoch that no former process with the same transactional id has."""
    producer_id, epoch = former

    def holds(got: tuple[int, int]) -> bool:
        return got[0] != producer_id or got[1] > epoch

    return Condition(f"an epoch above {epoch} of producer id {producer_id}, or another id", holds)
