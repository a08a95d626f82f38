"""The transaction coordinator: answers producers, and sees every transaction to its end.

TXNI-01 to TXNI-10, TXNI-15. Which change a request may make is decided by `rules`, when a change
counts by `state_log`, and how partitions hear of an end by `marker_sending`. An answer goes out
once what it says is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.topics import TopicPartition
from impl.core.data.messages import InitProducerId, ProducerIdentityGranted
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.events import Call, Output, Reply, Send
from impl.core.log.markers import ProducerIdentity
from impl.core.refusal import KafkaError
from impl.core.transactions import rules
from impl.core.transactions.config import TransactionConfig
from impl.core.transactions.marker_sending import BACKOFF_MS, MarkerSending
from impl.core.transactions.messages import (
    AddedOffsets,
    AddedPartitions,
    AddOffsets,
    AddPartitions,
    EndedTransaction,
    EndTransaction,
    Errors,
    PartitionsOfTransaction,
    WrittenMarkers,
)
from impl.core.transactions.producer_ids import ProducerIds
from impl.core.transactions.state_log import Entry, Shard, StateLog, TransactionCodec
from impl.core.transactions.transaction import State, Transaction
from spec.wire.errors import ErrorCode

FIRST_EPOCH = 0
FENCED_SINCE = 2
INIT_FENCED_SINCE = 4

# The partition of `__consumer_offsets` that is a group's.
PartitionOf: TypeAlias = Callable[[str], TopicPartition]


class Coordinator:
    def __init__(
        self,
        config: TransactionConfig,
        catalogue: Catalogue,
        partitions: Partitions,
        codec: TransactionCodec,
        producer_ids: ProducerIds,
        partition_of: PartitionOf,
        now_ms: int,
    ) -> None:
        self.log = StateLog(catalogue, partitions, codec)
        self._config = config
        self._catalogue = catalogue
        self._producer_ids = producer_ids
        self._partition_of = partition_of
        self._markers = MarkerSending(catalogue, self._is_told)
        self._told: dict[str, int] = {}
        """Whose markers are all written, and since when that may be put on record."""
        self._next_abort_ms = now_ms + self._abort_interval_ms
        self._next_expiry_ms = now_ms + self._expiry_interval_ms
        self._now_ms = now_ms
        self._outputs: list[Output] = []

    @property
    def _abort_interval_ms(self) -> int:
        return self._config.transaction_abort_timed_out_transaction_cleanup_interval_ms

    @property
    def _expiry_interval_ms(self) -> int:
        return self._config.transaction_remove_expired_transaction_cleanup_interval_ms

    # Driving

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        self._now_ms = now_ms
        match request:
            case InitProducerId():
                self._init_producer_id(call, request, None)
            case AddPartitions():
                self._add_partitions(call, request)
            case AddOffsets():
                self._add_offsets(call, request)
            case EndTransaction():
                self._end(call, request, None)
        return self._take_outputs()

    def answered(self, sent: Send, answer: WrittenMarkers | None, now_ms: int) -> list[Output]:
        self._now_ms = now_ms
        return [*self._markers.answered(sent, answer, now_ms), *self.tick(now_ms)]

    def tick(self, now_ms: int) -> list[Output]:
        """To be called also when a partition's high watermark moved."""
        self._now_ms = now_ms
        for shard in self.log.take_loaded():
            self._resume(shard)
        if now_ms >= self._next_abort_ms:
            self._next_abort_ms = now_ms + self._abort_interval_ms
            self._each(self._abort_if_overdue)
        if now_ms >= self._next_expiry_ms:
            self._next_expiry_ms = now_ms + self._expiry_interval_ms
            self._each(self._forget_if_expired)
        while self.log.settle():
            pass
        self._outputs += self._markers.tick(now_ms)
        self._complete()
        return self._take_outputs()

    def next_deadline_ms(self) -> int:
        deadlines = [self._next_abort_ms, self._next_expiry_ms, *self._told.values()]
        if (markers_ms := self._markers.next_deadline_ms()) is not None:
            deadlines.append(markers_ms)
        return min(deadlines)

    def follow(self, partitions: Sequence[Partition], now_ms: int) -> list[Output]:
        """The catalogue changed: this broker may lead other partitions of the log."""
        self._now_ms = now_ms
        for shard in self.log.follow(partitions):
            self._markers.drop(shard.entries)
            for transactional_id in shard.entries:
                self._told.pop(transactional_id, None)
            self.log.give_up(shard)
        return self.tick(now_ms)

    def _take_outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def _answer(self, call: Call, reply: Any) -> None:
        self._outputs.append(Reply(call, reply))

    def _find(self, transactional_id: str) -> tuple[Shard, Entry]:
        """Raises KafkaError."""
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        shard = self.log.find(transactional_id)
        return shard, shard.entries.get(transactional_id, Entry())

    def _write(
        self, shard: Shard, changed: Transaction, then: Callable[[ErrorCode], None]
    ) -> None:
        self.log.write(shard, changed.transactional_id, changed, then, self._now_ms)

    # InitProducerId

    def _init_producer_id(
        self, call: Call, request: InitProducerId, new_producer_id: int | None
    ) -> None:
        def answer(error: ErrorCode, producer: ProducerIdentity | None = None) -> None:
            if error is ErrorCode.PRODUCER_FENCED and request.api_version < INIT_FENCED_SINCE:
                error = ErrorCode.INVALID_PRODUCER_EPOCH
            if error or producer is None:
                self._answer(call, ProducerIdentityGranted(error))
            else:
                self._answer(call, ProducerIdentityGranted(ErrorCode.NONE, *producer))

        retry = partial(self._init_producer_id, call, request)
        try:
            expected = rules.expected_producer(request)
            if request.transactional_id is None:
                if new_producer_id is None:
                    raise rules.ProducerIdNeededError
                answer(ErrorCode.NONE, ProducerIdentity(new_producer_id, FIRST_EPOCH))
                return
            self._check_init(request)
            self._initialize(request.transactional_id, request, expected, new_producer_id, answer)
        except KafkaError as refused:
            answer(refused.error)
        except rules.ProducerIdNeededError:
            self._with_producer_id(retry, answer)

    def _check_init(self, request: InitProducerId) -> None:
        if not request.transactional_id:  # TXNI-03
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        longest_ms = self._config.transaction_max_timeout_ms
        if not 0 < request.transaction_timeout_ms <= longest_ms:  # TXNI-04
            raise KafkaError(ErrorCode.INVALID_TRANSACTION_TIMEOUT)

    def _initialize(
        self,
        transactional_id: str,
        request: InitProducerId,
        expected: ProducerIdentity | None,
        new_producer_id: int | None,
        answer: Callable[..., None],
    ) -> None:
        timeout_ms = request.transaction_timeout_ms
        shard, entry = self._find(transactional_id)
        known = entry.transaction
        if known is None:
            if entry.is_busy:
                raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
            if new_producer_id is None:
                raise rules.ProducerIdNeededError
            known = Transaction(transactional_id, new_producer_id, timeout_ms, self._now_ms)
        changed = rules.initialize(
            known, expected, timeout_ms, new_producer_id, self._now_ms, is_busy=entry.is_busy
        )

        def stored(error: ErrorCode) -> None:
            if error or not changed.is_decided:
                answer(error, changed.producer)
                return
            self._tell(shard, changed)
            answer(ErrorCode.CONCURRENT_TRANSACTIONS)  # TXNI-02

        self._write(shard, changed, stored)

    def _with_producer_id(
        self, retry: Callable[[int], None], answer: Callable[[ErrorCode], None]
    ) -> None:
        def take(producer_id: int | None, now_ms: int) -> list[Output]:
            self._now_ms = now_ms
            if producer_id is None:
                answer(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
            else:
                retry(producer_id)
            return self._take_outputs()

        outputs = self._take_outputs()
        self._outputs = [*outputs, *self._producer_ids.take(take, self._now_ms)]

    # AddPartitionsToTxn, AddOffsetsToTxn

    def _add_partitions(self, call: Call, request: AddPartitions) -> None:
        results: dict[str, Errors] = {}

        def note(transactional_id: str, errors: Errors) -> None:
            results[transactional_id] = errors
            if len(results) == len(request.transactions):
                self._answer(call, AddedPartitions(results))

        if not request.transactions:
            self._answer(call, AddedPartitions())
        for asked in request.transactions:
            self._add_to_one(asked, request.api_version, partial(note, asked.transactional_id))

    def _add_to_one(
        self,
        asked: PartitionsOfTransaction,
        api_version: int,
        note: Callable[[Errors], None],
    ) -> None:
        missing = [at for at in asked.partitions if not self._exists(at)]
        if missing:  # TXNI-06
            refused = dict.fromkeys(asked.partitions, ErrorCode.OPERATION_NOT_ATTEMPTED)
            note(refused | dict.fromkeys(missing, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            return

        def for_all(error: ErrorCode) -> None:
            note(dict.fromkeys(asked.partitions, _as_of(api_version, error)))

        if not asked.verify_only:
            self._add(asked.transactional_id, asked.producer, asked.partitions, for_all)
            return
        try:
            _, entry = self._find(asked.transactional_id)
            note(rules.verify_partitions(entry.transaction, asked))
        except KafkaError as refusal:
            for_all(refusal.error)

    def _exists(self, at: TopicPartition) -> bool:
        topic = self._catalogue.topics.get(at.topic)
        return topic is not None and at.partition in topic.partitions

    def _add(
        self,
        transactional_id: str,
        producer: ProducerIdentity,
        partitions: Sequence[TopicPartition],
        then: Callable[[ErrorCode], None],
    ) -> None:
        try:
            shard, entry = self._find(transactional_id)
            changed = rules.add_partitions(
                entry.transaction, producer, partitions, self._now_ms, is_busy=entry.is_busy
            )
            if changed is entry.transaction:
                then(ErrorCode.NONE)
            else:
                self._write(shard, changed, then)
        except KafkaError as refused:
            then(refused.error)

    def _add_offsets(self, call: Call, request: AddOffsets) -> None:
        def answer(error: ErrorCode) -> None:
            self._answer(call, AddedOffsets(_as_of(request.api_version, error)))

        # A producer looks for the group's coordinator only afterwards, which creates the topic.
        at = self._partition_of(request.group_id)
        self._add(request.transactional_id, request.producer, [at], answer)

    # EndTxn

    def _end(self, call: Call, request: EndTransaction, new_producer_id: int | None) -> None:
        def answer(error: ErrorCode, ended: Transaction | None = None) -> None:
            if error or ended is None:
                self._answer(call, EndedTransaction(_as_of(request.api_version, error)))
            else:
                self._answer(call, EndedTransaction(producer=ended.successor))

        try:
            shard, entry = self._find(request.transactional_id)
            changed = rules.end(
                entry.transaction, request, new_producer_id, self._now_ms, is_busy=entry.is_busy
            )
            if changed is entry.transaction:
                answer(ErrorCode.NONE, changed)
                return

            def stored(error: ErrorCode) -> None:
                answer(error, changed)
                if not error:
                    self._tell(shard, changed)

            self._write(shard, changed, stored)
        except KafkaError as refused:
            answer(refused.error)
        except rules.ProducerIdNeededError:
            self._with_producer_id(partial(self._end, call, request), answer)

    # Seeing a decision through

    def _tell(self, shard: Shard, decided: Transaction) -> None:
        """TXNI-10: the decision is committed."""
        self._markers.add(decided, shard.epoch)

    def _is_told(self, transactional_id: str) -> None:
        self._told[transactional_id] = self._now_ms

    def _complete(self) -> None:
        due = [each for each, not_before in self._told.items() if not_before <= self._now_ms]
        for transactional_id in due:
            try:
                shard, entry = self._find(transactional_id)
                assert entry.transaction is not None
                self._write(shard, entry.transaction.completed(self._now_ms), lambda _: None)
                del self._told[transactional_id]
            except KafkaError:  # not now; or another coordinator will
                self._told[transactional_id] = self._now_ms + BACKOFF_MS

    def _resume(self, shard: Shard) -> None:
        """Go on with what a former coordinator decided."""
        for entry in shard.entries.values():
            if entry.transaction is not None and entry.transaction.is_decided:
                self._tell(shard, entry.transaction)

    # Cleaning up

    def _each(self, act: Callable[[Shard, Transaction], None]) -> None:
        for shard in self.log:
            if shard.is_loading or not shard.is_led:
                continue
            for entry in list(shard.entries.values()):
                if entry.transaction is not None and not entry.is_busy:
                    act(shard, entry.transaction)

    def _abort_if_overdue(self, shard: Shard, transaction: Transaction) -> None:
        """TXNI-15."""
        until_ms = transaction.start_ms + transaction.timeout_ms
        if transaction.state is not State.ONGOING or until_ms >= self._now_ms:
            return
        fenced = transaction.fenced(self._now_ms)

        def stored(error: ErrorCode) -> None:
            if not error:
                self._tell(shard, fenced)

        self._try(lambda: self._write(shard, fenced, stored))

    def _forget_if_expired(self, shard: Shard, transaction: Transaction) -> None:
        silent_since_ms = self._now_ms - self._config.transactional_id_expiration_ms
        if transaction.is_resting and transaction.last_update_ms <= silent_since_ms:
            transactional_id, now_ms = transaction.transactional_id, self._now_ms
            self._try(
                lambda: self.log.write(shard, transactional_id, None, lambda _: None, now_ms)
            )

    @staticmethod
    def _try(act: Callable[[], None]) -> None:
        """What the log refuses now is found again the next time."""
        try:
            act()
        except KafkaError:
            return


def _as_of(api_version: int, error: ErrorCode) -> ErrorCode:
    """KIP-588: older clients know no PRODUCER_FENCED."""
    if error is ErrorCode.PRODUCER_FENCED and api_version < FENCED_SINCE:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return error
