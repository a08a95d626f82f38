"""The producer's core against answers that are made up: order, batches, retries, sequences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask, Done, Output
from impl.clients.core.assignor import (
    assign,
    read_assignment,
    read_subscription,
    write_assignment,
    write_subscription,
)
from impl.clients.core.batches import Codecs, Identity, NewRecord, build, whole_batches
from impl.clients.core.config import ProducerConfig, read_config
from impl.clients.core.errors import ClientError
from impl.clients.core.partitioner import DefaultPartitioner, by_key, murmur2, round_robin
from impl.clients.core.producing import ProducerCore
from impl.core.config import ConfigError
from impl.core.log.batch import read_header, read_headers, read_records
from impl.shell.platform import CODECS
from impl.wire import Struct
from spec.wire.errors import ErrorCode

codecs = Codecs(*CODECS)


class Exchange:
    """A producer, and what it asked of brokers that answer when the test says so."""

    def __init__(self, partitions: int = 1, **options: Any) -> None:
        named = {name.replace("_", "."): value for name, value in options.items()}
        self.core = ProducerCore(read_config(ProducerConfig, named), codecs)
        self.partitions = partitions
        self.now_ms = 1_000
        self.asked: list[Ask] = []
        self.done: dict[Any, Any] = {}

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Done):
                assert output.handle not in self.done, "a record has one outcome"
                self.done[output.handle] = output.error or output.result
            elif output.api_name == "Metadata":
                self.answer(output, self.metadata())
            elif output.api_name == "InitProducerId":
                self.answer(output, Struct(error_code=0, producer_id=7, producer_epoch=0))
            else:
                self.asked.append(output)

    def metadata(self) -> Struct:
        partitions = [
            Struct(partition_index=n, leader_id=1, error_code=0) for n in range(self.partitions)
        ]
        return Struct(
            brokers=[Struct(node_id=1, host="localhost", port=9092)],
            topics=[Struct(name="t", error_code=0, partitions=partitions)],
        )

    def send(self, value: bytes, handle: Any, partition: int | None = None) -> None:
        self.take(
            self.core.send("t", partition, None, value, (), self.now_ms, handle, self.now_ms)
        )

    def pass_time(self, milliseconds: int) -> None:
        """Tick whenever that is due, as a driver does."""
        until = self.now_ms + milliseconds
        while (due := self.core.next_deadline_ms()) is not None and due <= until:
            assert self.now_ms <= until, "it is always due"
            self.now_ms = max(self.now_ms + 1, due)
            self.take(self.core.tick(self.now_ms))
        self.now_ms = max(self.now_ms, until)

    def answer(self, ask: Ask, body: Struct | None) -> None:
        self.take(self.core.answered(ask, body, self.now_ms))

    def produced(self, ask: Ask, error: ErrorCode = ErrorCode.NONE, base_offset: int = 0) -> None:
        responses = [
            Struct(
                name=topic.name,
                partition_responses=[
                    Struct(
                        index=each.index,
                        error_code=error,
                        base_offset=base_offset,
                        log_append_time_ms=-1,
                    )
                    for each in topic.partition_data
                ],
            )
            for topic in ask.body.topic_data
        ]
        self.answer(ask, Struct(responses=responses))


def batches(ask: Ask) -> list[bytes]:
    return [p.records for topic in ask.body.topic_data for p in topic.partition_data]


# Batches


@given(st.binary(max_size=40))
def test_keys_are_hashed_as_other_clients_hash_them(key: bytes) -> None:
    assert murmur2(key) == kafka_murmur2(key) & 0xFFFF_FFFF


def test_a_key_always_goes_to_one_partition_and_none_stays_until_a_batch_is_full() -> None:
    choose = DefaultPartitioner()
    assert {choose("t", b"key", [0, 1, 2]) for _ in range(5)} == {by_key(b"key", [0, 1, 2])}
    before = {choose("t", None, [0, 1, 2]) for _ in range(5)}
    choose.turn("t")
    assert len(before) == 1
    assert choose("t", None, [0, 1, 2]) not in before


def test_round_robin_goes_from_one_partition_to_the_next() -> None:
    choose = round_robin()
    assert [choose("t", b"key", [0, 1, 2]) for _ in range(4)] == [0, 1, 2, 0]


@pytest.mark.parametrize("compression", range(5))
def test_what_is_built_reads_back_with_every_codec(compression: int) -> None:
    records = [
        NewRecord(b"k", b"v" * 100, (("h", b"x"), ("n", None)), 5),
        NewRecord(None, None, (), 9),
    ]
    built = build(records, codecs, compression, Identity(3, 4), 10, is_transactional=True)
    (batch,) = whole_batches(built, codecs, check_crcs=True)
    read = list(read_records(batch.header, batch.payload))
    assert [(r.key, r.value, r.timestamp) for r in read] == [
        (b"k", b"v" * 100, 5),
        (None, None, 9),
    ]
    assert read_headers(read[0].headers) == (("h", b"x"), ("n", None))
    assert batch.header[9:12] == (3, 4, 10)
    assert batch.header.is_transactional


def test_a_batch_that_is_cut_short_is_left_out() -> None:
    built = build([NewRecord(None, b"v", (), 5)], codecs, 0)
    assert len(list(whole_batches(built + built[:-1], codecs, check_crcs=True))) == 1


def test_the_range_assignor_leaves_no_partition_out() -> None:
    assigned = assign({"a": ["s", "t"], "b": ["t"], "c": ["t"]}, {"s": [0], "t": [0, 1, 2, 3]})
    assert assigned["a"] == [Target("s", 0), Target("t", 0), Target("t", 1)]
    assert sorted(each for targets in assigned.values() for each in targets) == [
        Target("s", 0),
        *(Target("t", n) for n in range(4)),
    ]


def test_subscriptions_and_assignments_read_back() -> None:
    assert read_subscription(write_subscription({"b", "a"})) == ["a", "b"]
    targets = [Target("t", 0), Target("t", 2)]
    assert read_assignment(write_assignment(targets)) == targets
    assert read_assignment(b"") == []


# Sending


def test_records_wait_for_linger_ms_and_leave_together() -> None:
    exchange = Exchange(linger_ms=20)
    exchange.send(b"a", "a")
    exchange.pass_time(19)
    exchange.send(b"b", "b")
    assert exchange.asked == []
    exchange.pass_time(1)
    (ask,) = exchange.asked
    assert read_header(batches(ask)[0]).record_count == 2
    exchange.produced(ask, base_offset=40)
    assert exchange.done == {"a": (0, 40, 1_000), "b": (0, 41, 1_019)}


def test_a_full_batch_does_not_linger() -> None:
    exchange = Exchange(linger_ms=10_000, batch_size=200)
    exchange.send(bytes(80), "a")
    assert exchange.asked == []
    exchange.send(bytes(80), "b")
    (ask,) = exchange.asked
    assert read_header(batches(ask)[0]).record_count == 1


def test_batches_of_a_partition_are_sent_one_after_the_other_with_sequences() -> None:
    exchange = Exchange(linger_ms=0)
    exchange.send(b"a", "a")
    exchange.pass_time(1)
    for handle in ("b", "c"):
        exchange.send(handle.encode(), handle)
    exchange.pass_time(50)
    (first,) = exchange.asked
    exchange.produced(first)
    exchange.pass_time(1)
    second = exchange.asked[1]
    headers = [read_header(batches(ask)[0]) for ask in (first, second)]
    assert [h.base_sequence for h in headers] == [0, 1]
    assert [h.record_count for h in headers] == [1, 2]


@pytest.mark.parametrize("error", [ErrorCode.NOT_LEADER_OR_FOLLOWER, None])
def test_a_batch_that_failed_is_sent_again_as_it_was(error: ErrorCode | None) -> None:
    exchange = Exchange(linger_ms=0)
    exchange.send(b"a", "a")
    exchange.pass_time(1)
    (first,) = exchange.asked
    if error is None:
        exchange.answer(first, None)
    else:
        exchange.produced(first, error)
    assert exchange.done == {}
    exchange.pass_time(500)
    second = exchange.asked[1]
    assert batches(second) == batches(first)
    exchange.produced(second, base_offset=3)
    assert exchange.done == {"a": (0, 3, 1_000)}


def test_a_record_fails_after_delivery_timeout_ms_and_retries_are_counted() -> None:
    exchange = Exchange(
        linger_ms=0, delivery_timeout_ms=3_000, request_timeout_ms=1_000, retries=1
    )
    exchange.send(b"a", "a")
    exchange.pass_time(1)
    for ask in list(exchange.asked):
        exchange.produced(ask, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    exchange.pass_time(500)
    exchange.produced(exchange.asked[1], ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert isinstance(exchange.done["a"], ClientError)
    assert exchange.done["a"].error is ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_a_topic_that_never_appears_fails_its_records_in_the_end() -> None:
    exchange = Exchange(delivery_timeout_ms=40_000)
    exchange.partitions = 0
    exchange.send(b"a", "a")
    exchange.pass_time(39_999)
    assert exchange.done == {}
    exchange.pass_time(1)
    assert exchange.done["a"].error is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_what_cannot_be_is_refused_at_once() -> None:
    exchange = Exchange(partitions=2, max_request_size=500)
    exchange.send(bytes(600), "large")
    exchange.send(b"a", "elsewhere", partition=2)
    assert exchange.done["large"].error is ErrorCode.MESSAGE_TOO_LARGE
    assert exchange.done["elsewhere"].error is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_after_a_lost_batch_an_idempotent_producer_goes_on_in_a_new_epoch() -> None:
    exchange = Exchange(linger_ms=0)
    exchange.send(b"a", "a")
    exchange.pass_time(1)
    exchange.produced(exchange.asked[0], ErrorCode.MESSAGE_TOO_LARGE)
    assert exchange.done["a"].error is ErrorCode.MESSAGE_TOO_LARGE
    renewed: list[Ask] = []
    take = exchange.take

    def watch(outputs: list[Output]) -> None:
        renewed.extend(o for o in outputs if isinstance(o, Ask) and o.api_name == "InitProducerId")
        take(outputs)

    exchange.take = watch  # type: ignore[method-assign]
    exchange.send(b"b", "b")
    exchange.pass_time(200)
    assert [(ask.body.producer_id, ask.body.producer_epoch) for ask in renewed] == [(7, 0)]
    assert read_header(batches(exchange.asked[-1])[0]).base_sequence == 0


def test_a_fenced_producer_says_so_for_every_record_from_then_on() -> None:
    exchange = Exchange(linger_ms=0)
    exchange.send(b"a", "a")
    exchange.pass_time(1)
    exchange.produced(exchange.asked[0], ErrorCode.INVALID_PRODUCER_EPOCH)
    exchange.send(b"b", "b")
    assert {h: e.error for h, e in exchange.done.items()} == {
        "a": ErrorCode.INVALID_PRODUCER_EPOCH,
        "b": ErrorCode.INVALID_PRODUCER_EPOCH,
    }


@pytest.mark.parametrize("is_known", [True, False])
def test_what_was_sent_takes_buffer_memory_until_it_has_its_outcome(is_known: bool) -> None:
    exchange = Exchange(linger_ms=10_000, buffer_memory=300, delivery_timeout_ms=50_000)
    exchange.partitions = int(is_known)
    assert exchange.core.has_room(1_000), "a record that never fits does not wait for ever"
    exchange.send(bytes(200), "a")
    assert not exchange.core.has_room(100)
    exchange.send(bytes(100), "b")
    if is_known:
        (ask,) = exchange.asked  # a full buffer does not linger
        exchange.produced(ask)
    else:
        exchange.pass_time(50_000)
    assert set(exchange.done) == {"a", "b"}
    assert exchange.core.has_room(300)


def test_without_acks_a_record_is_done_when_it_is_sent() -> None:
    exchange = Exchange(linger_ms=0, acks="0", enable_idempotence=False)
    exchange.send(b"a", "a")
    exchange.pass_time(1)
    (ask,) = exchange.asked
    assert not ask.expects_answer
    exchange.answer(ask, None)
    assert exchange.done == {"a": (0, -1, 1_000)}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"linger": 1}, "There is no option linger."),
        ({"acks": "2"}, "acks is one of all, -1, 0, 1, and not '2'."),
        ({"acks": "1"}, "enable.idempotence=true needs acks=all."),
        (
            {"transactional.id": "t", "enable.idempotence": False, "acks": 1},
            "transactional.id needs enable.idempotence=true.",
        ),
    ],
)
def test_bad_options_get_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ProducerCore(read_config(ProducerConfig, options), codecs)
    assert str(caught.value) == sentence
