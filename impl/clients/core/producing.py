"""The producer without I/O: records in, Produce requests out, outcomes back (PROD-*, ACKS-*,
TXNI-*).

Keeps the order of each partition through retries, has the broker refuse what arrives twice
(`enable.idempotence`), and can put the writes to several partitions under one decision
(`transactional.id`, see `transactions`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from impl.clients.core.accumulator import Accumulator, Batch, Target
from impl.clients.core.asking import Ask, Done, Output
from impl.clients.core.batches import Codecs, Headers, Identity, NewRecord, build
from impl.clients.core.cluster_view import ClusterView
from impl.clients.core.config import COMPRESSIONS, ProducerConfig
from impl.clients.core.errors import FATAL_TO_PRODUCERS, RETRIABLE, ClientError
from impl.clients.core.identity import Identification
from impl.clients.core.partitioner import DefaultPartitioner, Partitioner
from impl.clients.core.transactions import Transactions
from impl.core.config import ConfigError
from impl.core.log.batch import NO_SEQUENCE, SEQUENCES
from impl.wire import Struct
from spec.wire.errors import ErrorCode

NEWEST_PRODUCE = 11


class ProducerCore:
    def __init__(
        self, config: ProducerConfig, codecs: Codecs, partitioner: Partitioner | None = None
    ) -> None:
        """Raises ConfigError for options that exclude each other."""
        self.config = config
        self.view = ClusterView(
            config.metadata_max_age_ms, config.retry_backoff_ms, config.request_timeout_ms
        )
        self._acks = {"all": -1, "-1": -1, "0": 0, "1": 1}[config.acks]
        _check(config, self._acks)
        self._codecs = codecs
        self._compression = COMPRESSIONS.index(config.compression_type)
        self._partitioner = partitioner or DefaultPartitioner()
        self._accumulator = Accumulator(config.batch_size, config.linger_ms, config.buffer_memory)
        self._waiting: dict[str, list[tuple[NewRecord, int | None, Any, int]]] = defaultdict(list)
        """Records of topics of which nothing is known yet, each with when it came."""
        self._sequences: dict[Target, int] = {}
        self._outputs: list[Output] = []
        self.identification = Identification(config, self.view) if self._is_idempotent else None
        self.transactions = None
        if self.identification is not None and config.transactional_id:
            self.transactions = Transactions(config, self.identification, self.view)
        self.fatal: ClientError | None = None
        self._must_renew = False

    @property
    def _is_idempotent(self) -> bool:
        return self.config.enable_idempotence or bool(self.config.transactional_id)

    # Sending

    def has_room(self, size: int) -> bool:
        return self._accumulator.has_room(size)

    def send(
        self,
        topic: str,
        partition: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        timestamp: int,
        handle: Any,
        now_ms: int,
    ) -> list[Output]:
        """`Done(handle, (partition, offset, timestamp))` follows, or with an error."""
        record = NewRecord(key, value, headers, timestamp)
        if record.size_estimate > self.config.max_request_size:
            error = ClientError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a record of {record.size_estimate} bytes is larger than max.request.size,"
                f" {self.config.max_request_size}",
            )
            return [Done(handle, error=error)]
        if self.fatal is not None:
            return [Done(handle, error=self.fatal)]
        self.view.want(topic)
        partitions = self.view.partitions(topic)
        if partitions is None:
            self._waiting[topic].append((record, partition, handle, now_ms))
            self._accumulator.hold(record)
        else:
            self._place(topic, partitions, record, partition, handle, now_ms)
        return self.tick(now_ms)

    def _place(
        self,
        topic: str,
        partitions: Sequence[int],
        record: NewRecord,
        partition: int | None,
        handle: Any,
        now_ms: int,
    ) -> None:
        if partition is None:
            partition = self._partitioner(topic, record.key, partitions)
        if partition not in partitions:
            error = ClientError(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"{topic} has no partition {partition}"
            )
            self._outputs.append(Done(handle, error=error))
            return
        filled = self._accumulator.add(Target(topic, partition), record, handle, now_ms)
        if filled and isinstance(self._partitioner, DefaultPartitioner):
            self._partitioner.turn(topic)

    def flush(self, now_ms: int) -> list[Output]:
        self._accumulator.flush()
        return self.tick(now_ms)

    @property
    def is_idle(self) -> bool:
        """Whether everything that was sent has its outcome."""
        return self._accumulator.is_empty and not any(self._waiting.values())

    # Time

    def tick(self, now_ms: int) -> list[Output]:
        self._outputs += self.view.tick(now_ms)
        self._expire(now_ms)
        if self.identification is not None:
            self._outputs += self.identification.tick(now_ms)
        if self.transactions is not None:
            unsent = (b.target for b in self._accumulator.batches())
            self._outputs += self.transactions.tick(now_ms, unsent, is_idle=self.is_idle)
        self._transmit(now_ms)
        outputs, self._outputs = self._outputs, []
        return outputs

    def next_deadline_ms(self) -> int | None:
        identified = (
            None if self.identification is None else self.identification.next_deadline_ms()
        )
        expiry = min(
            (
                *(batch.created_ms for batch in self._accumulator.batches()),
                *(came_ms for waiting in self._waiting.values() for *_, came_ms in waiting),
            ),
            default=None,
        )
        transactions = None if self.transactions is None else self.transactions.next_deadline_ms()
        deadlines = (
            self.view.next_deadline_ms(),
            transactions,
            self._accumulator.next_deadline_ms(self._may_send),
            identified,
            None if expiry is None else expiry + self.config.delivery_timeout_ms,
        )
        return min((each for each in deadlines if each is not None), default=None)

    def _expire(self, now_ms: int) -> None:
        """Nobody waits longer than `delivery.timeout.ms`; what is under way is waited for."""
        before_ms = now_ms - self.config.delivery_timeout_ms
        for batch in self._accumulator.batches():
            if batch.created_ms <= before_ms:
                self._give_up(batch, ErrorCode.REQUEST_TIMED_OUT)
        for topic, waiting in self._waiting.items():
            late = [each for each in waiting if each[3] <= before_ms]
            self._waiting[topic] = [each for each in waiting if each[3] > before_ms]
            message = f"nothing is known of topic {topic}"
            for record, _, handle, _ in late:
                self._accumulator.release(record)
                error = ClientError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
                self._outputs.append(Done(handle, error=error))

    # Requests

    def _transmit(self, now_ms: int) -> None:
        if self._is_idempotent and self._identity() is None:
            return
        if self._must_renew and not self._renew():
            return
        by_leader: dict[int, list[Batch]] = defaultdict(list)
        for batch in self._accumulator.ready(now_ms):
            leader = self.view.leader(*batch.target)
            if leader is None:
                self.view.doubt()
                self._accumulator.failed(batch, now_ms + self.config.retry_backoff_ms)
            elif self._may_send(batch):
                by_leader[leader].append(batch)
        for leader, batches in by_leader.items():
            self._outputs += self._requests(leader, batches)

    def _identity(self) -> Identity | None:
        return Identity() if self.identification is None else self.identification.identity

    def _may_send(self, batch: Batch) -> bool:
        """TXNI-11: in a transaction, only to partitions that are part of it."""
        if self._is_idempotent and self._identity() is None:
            return False
        if self._must_renew and not batch.attempts:
            return False
        return self.transactions is None or self.transactions.covers(batch.target)

    def _requests(self, leader: int, batches: list[Batch]) -> list[Ask]:
        """As few requests as `max.request.size` permits."""
        requests, size = [], 0
        chosen: list[Batch] = []
        for batch in batches:
            if chosen and size + batch.size > self.config.max_request_size:
                requests.append(self._request(leader, chosen))
                chosen, size = [], 0
            chosen.append(batch)
            size += batch.size
        requests.append(self._request(leader, chosen))
        return requests

    def _request(self, leader: int, batches: list[Batch]) -> Ask:
        topics: dict[str, list[Struct]] = defaultdict(list)
        for batch in batches:
            self._accumulator.sent(batch)
            partition = Struct(index=batch.target.partition, records=self._encoded(batch))
            topics[batch.target.topic].append(partition)
        body = Struct(
            transactional_id=self.config.transactional_id or None,
            acks=self._acks,
            timeout_ms=self.config.request_timeout_ms,
            topic_data=[Struct(name=n, partition_data=each) for n, each in topics.items()],
        )
        timeout_ms = self.config.request_timeout_ms
        expects = self._acks != 0
        return Ask(leader, "Produce", body, NEWEST_PRODUCE, timeout_ms, tuple(batches), expects)

    def _encoded(self, batch: Batch) -> bytes:
        if self._is_idempotent and batch.sequence is None:
            batch.identity = self._identity() or Identity()
            batch.sequence = self._sequences.get(batch.target, 0)
            following = batch.sequence + len(batch.records)
            self._sequences[batch.target] = following % SEQUENCES
        return build(
            batch.records,
            self._codecs,
            self._compression,
            batch.identity,
            NO_SEQUENCE if batch.sequence is None else batch.sequence,
            is_transactional=self.transactions is not None,
        )

    # Answers

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> list[Output]:
        if self.view.answered(ask, body, now_ms):
            self._place_waiting(now_ms)
        elif self.identification is not None and self.identification.answered(ask, body, now_ms):
            self._learn_identity()
        elif self.transactions is not None and self.transactions.answered(ask, body, now_ms):
            self._outputs += self.transactions.take_done()
        else:
            self._produced(ask, body, now_ms)
        return self.tick(now_ms)

    def _place_waiting(self, now_ms: int) -> None:
        for topic in list(self._waiting):
            partitions = self.view.partitions(topic)
            if partitions is None:
                error = self.view.topics[topic].error if topic in self.view.topics else None
                if error in (
                    ErrorCode.INVALID_TOPIC_EXCEPTION,
                    ErrorCode.TOPIC_AUTHORIZATION_FAILED,
                ):
                    for record, _, handle, _ in self._waiting.pop(topic):
                        self._accumulator.release(record)
                        refused = ClientError(error, f"{topic!r} is no topic: {error.name}")
                        self._outputs.append(Done(handle, error=refused))
                    self.view.forget(topic)
                continue
            for record, partition, handle, _ in self._waiting.pop(topic):
                self._accumulator.release(record)
                self._place(topic, partitions, record, partition, handle, now_ms)

    def _produced(self, ask: Ask, body: Struct | None, now_ms: int) -> None:
        batches: tuple[Batch, ...] = ask.context
        if body is None and not ask.expects_answer:
            for batch in batches:
                self._acknowledge(batch, -1, -1)
            return
        outcomes = {
            Target(topic.name, each.index): each
            for topic in ([] if body is None else body.responses)
            for each in topic.partition_responses
        }
        for batch in batches:
            outcome = outcomes.get(batch.target)
            error = (
                ErrorCode.NETWORK_EXCEPTION if outcome is None else ErrorCode(outcome.error_code)
            )
            if outcome is not None and not error:
                self._acknowledge(batch, outcome.base_offset, outcome.log_append_time_ms)
            else:
                self._refused(batch, error, now_ms)

    def _acknowledge(self, batch: Batch, base_offset: int, append_time_ms: int) -> None:
        for delta, (record, handle) in enumerate(zip(batch.records, batch.handles, strict=True)):
            offset = base_offset + delta if base_offset >= 0 else -1
            timestamp = record.timestamp if append_time_ms < 0 else append_time_ms
            self._outputs.append(Done(handle, (batch.target.partition, offset, timestamp)))
        self._accumulator.finish(batch)

    def _refused(self, batch: Batch, error: ErrorCode, now_ms: int) -> None:
        if error is ErrorCode.DUPLICATE_SEQUENCE_NUMBER:  # it is there, and nobody knows where
            self._acknowledge(batch, -1, -1)
            return
        late = now_ms - batch.created_ms >= self.config.delivery_timeout_ms
        if error not in RETRIABLE or batch.attempts > self.config.retries or late:
            self._give_up(batch, error)
            return
        self.view.doubt()
        self._accumulator.failed(batch, now_ms + self.config.retry_backoff_ms)

    def _give_up(self, batch: Batch, error: ErrorCode) -> None:
        refused = ClientError(
            error,
            f"{len(batch.records)} records for {batch.target} were not written: {error.name}",
        )
        for handle in batch.handles:
            self._outputs.append(Done(handle, error=refused))
        was_sent = batch.sequence is not None
        self._accumulator.finish(batch)
        if error in FATAL_TO_PRODUCERS:
            self.fatal = refused
        elif self.transactions is not None:
            self.transactions.must_abort = True
        elif was_sent and self.identification is not None:
            self._must_renew = True

    def _renew(self) -> bool:
        """A sequence is missing: the producer goes on in a new epoch, from sequence 0.

        First all that was sent in the old epoch needs its outcome. Says whether sending may go on.
        """
        assert self.identification is not None
        if any(batch.attempts for batch in self._accumulator.batches()):
            return True
        self._must_renew = False
        self._sequences.clear()
        self.identification.renew()
        return False

    def _learn_identity(self) -> None:
        assert self.identification is not None
        if (error := self.identification.error) is not None:
            self.fatal = error
            for batch in self._accumulator.batches():
                for handle in batch.handles:
                    self._outputs.append(Done(handle, error=error))
                self._accumulator.finish(batch)


def _check(config: ProducerConfig, acks: int) -> None:
    if config.transactional_id and not config.enable_idempotence:
        raise ConfigError("transactional.id needs enable.idempotence=true.")
    if config.enable_idempotence and acks != -1:
        raise ConfigError("enable.idempotence=true needs acks=all.")  # PROD-09
    if config.delivery_timeout_ms < config.linger_ms + config.request_timeout_ms:
        raise ConfigError("delivery.timeout.ms is at least linger.ms plus request.timeout.ms.")
