"""Transactions in words: requests of clients, requests of brokers, records of the log."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from impl.api.transaction_inspection import TRANSACTION_INSPECTION_APIS
from impl.api.transaction_records import TransactionRecords
from impl.api.transactions import TRANSACTION_APIS, TRANSACTION_ASKED
from impl.core.cluster.topics import TopicPartition
from impl.core.data.messages import InitProducerId, ProducerIdentityGranted
from impl.core.log.markers import ProducerIdentity
from impl.core.transactions.messages import (
    ActiveProducer,
    AddedPartitions,
    AddPartitions,
    DescribedProducers,
    DescribedTransaction,
    DescribedTransactions,
    EndedTransaction,
    EndTransaction,
    ListedTransaction,
    ListedTransactions,
    MarkersOfTransaction,
    PartitionsOfTransaction,
    ProducersOfPartition,
    WriteMarkers,
    WrittenMarkers,
)
from impl.core.transactions.transaction import State, Transaction
from impl.wire import Struct, decode_message, decode_request, encode_message, encode_request
from spec.wire.errors import ErrorCode

CODEC = TransactionRecords()
PRODUCER = ProducerIdentity(7, 3)
FIRST, SECOND = TopicPartition("orders", 0), TopicPartition("orders", 1)
OTHER = TopicPartition("bills", 4)
APIS = {**TRANSACTION_APIS, **TRANSACTION_INSPECTION_APIS}


def sent(api_name: str, version: int, **fields: Any) -> Any:
    """A request as a broker gets it."""
    parts = encode_request(api_name, version, 1, "test", Struct(**fields))
    return decode_request(b"".join(parts)[4:])


def read(api_name: str, version: int, **fields: Any) -> Any:
    return APIS[api_name].read(sent(api_name, version, **fields), "/127.0.0.1")


def answered(api_name: str, version: int, result: Any, **fields: Any) -> Struct:
    """What a client gets."""
    body = APIS[api_name].write(sent(api_name, version, **fields), result)
    name = f"{api_name}Response"
    return decode_message(name, version, encode_message(name, version, body))


# Records


def ongoing(**fields: Any) -> Transaction:
    return Transaction(
        "t",
        producer_id=7,
        timeout_ms=60_000,
        last_update_ms=20,
        producer_epoch=3,
        state=State.ONGOING,
        partitions=frozenset({FIRST, SECOND, OTHER}),
        start_ms=10,
        **fields,
    )


@pytest.mark.parametrize("state", list(State))
def test_a_record_holds_what_a_coordinator_must_know(state: State) -> None:
    partitions = frozenset() if state is State.EMPTY else frozenset({FIRST, SECOND, OTHER})
    stored = Transaction(
        "t",
        producer_id=7,
        timeout_ms=60_000,
        last_update_ms=20,
        producer_epoch=3,
        previous_producer_id=6,
        next_producer_id=8,
        state=state,
        partitions=partitions,
        start_ms=10,
        client_version=2,
    )
    assert CODEC.decode(*CODEC.encode("t", stored)) == ("t", stored)


def test_a_tombstone_forgets_a_transactional_id() -> None:
    key, value = CODEC.encode("t", None)
    assert (key, value) == (b"\0\0\0\x01t", None)
    assert CODEC.decode(key, value) == ("t", None)


def test_records_of_the_first_version_are_read() -> None:
    body = struct.pack(">hqhib", 0, 7, 3, 60_000, 1)
    body += struct.pack(">ih6si3i", 1, 6, b"orders", 2, 0, 1, 0)[:-4]
    body += struct.pack(">qq", 20, 10)
    expected = ongoing()
    found = CODEC.decode(b"\0\0\0\x01t", body)
    assert found is not None
    transaction = found[1]
    assert transaction is not None
    assert transaction.partitions == {FIRST, SECOND}
    assert (transaction.producer, transaction.state) == (expected.producer, expected.state)
    assert (transaction.start_ms, transaction.last_update_ms) == (10, 20)


def test_records_of_an_unknown_kind_are_passed_over() -> None:
    assert CODEC.decode(b"\0\7\0\x01t", b"whatever") is None


# What clients ask


@pytest.mark.parametrize("version", range(6))
def test_a_producer_asks_for_its_id(version: int) -> None:
    fields = {"transactional_id": "t", "transaction_timeout_ms": 5_000}
    if version >= 3:
        fields |= {"producer_id": 7, "producer_epoch": 3}
    asked = read("InitProducerId", version, **fields)
    named = (7, 3) if version >= 3 else (-1, -1)
    assert asked == InitProducerId("t", *named, 5_000, version)
    granted = ProducerIdentityGranted(ErrorCode.NONE, *PRODUCER)
    answer = answered("InitProducerId", version, granted, **fields)
    assert (answer.producer_id, answer.producer_epoch) == PRODUCER


@pytest.mark.parametrize("version", range(4))
def test_a_client_adds_partitions_of_one_transaction(version: int) -> None:
    fields = {
        "v3_and_below_transactional_id": "t",
        "v3_and_below_producer_id": 7,
        "v3_and_below_producer_epoch": 3,
        "v3_and_below_topics": [Struct(name="orders", partitions=[0, 1])],
    }
    asked = read("AddPartitionsToTxn", version, **fields)
    only = PartitionsOfTransaction("t", PRODUCER, (FIRST, SECOND))
    assert asked == AddPartitions((only,), version)
    added = AddedPartitions({"t": {FIRST: ErrorCode.NONE, SECOND: ErrorCode.PRODUCER_FENCED}})
    answer = answered("AddPartitionsToTxn", version, added, **fields)
    (topic,) = answer.results_by_topic_v3_and_below
    found = [(p.partition_index, p.partition_error_code) for p in topic.results_by_partition]
    assert found == [(0, 0), (1, ErrorCode.PRODUCER_FENCED)]


@pytest.mark.parametrize("version", range(6))
def test_a_client_ends_its_transaction(version: int) -> None:
    fields = {
        "transactional_id": "t",
        "producer_id": 7,
        "producer_epoch": 3,
        "committed": True,
    }
    asked = read("EndTxn", version, **fields)
    assert asked == EndTransaction("t", PRODUCER, commits=True, api_version=version)
    ended = EndedTransaction(producer=ProducerIdentity(7, 4))
    answer = answered("EndTxn", version, ended, **fields)
    assert answer.producer_epoch == (4 if version >= 5 else -1)


# What brokers ask of each other


def test_a_broker_understands_what_another_one_asks_about_transactions() -> None:
    asked = AddPartitions(
        (
            PartitionsOfTransaction("a", PRODUCER, (FIRST, SECOND, OTHER), verify_only=True),
            PartitionsOfTransaction("b", ProducerIdentity(8, 0), (FIRST,)),
        )
    )
    asking = TRANSACTION_ASKED[AddPartitions]
    fields = vars(asking.write(asked))
    assert read(asking.api_name, asking.version, **fields) == asked
    result = AddedPartitions(
        {
            "a": {FIRST: ErrorCode.NONE, SECOND: ErrorCode.NONE, OTHER: ErrorCode.PRODUCER_FENCED},
            "b": {FIRST: ErrorCode.CONCURRENT_TRANSACTIONS},
        }
    )
    answer = answered(asking.api_name, asking.version, result, **fields)
    assert asking.read(answer) == result


def test_a_broker_understands_the_markers_of_another_one() -> None:
    asked = WriteMarkers(
        (
            MarkersOfTransaction(PRODUCER, True, 5, (FIRST, OTHER)),
            MarkersOfTransaction(ProducerIdentity(8, 0), False, 5, (SECOND,)),
        )
    )
    asking = TRANSACTION_ASKED[WriteMarkers]
    fields = vars(asking.write(asked))
    assert read(asking.api_name, asking.version, **fields) == asked
    result = WrittenMarkers(
        {
            7: {FIRST: ErrorCode.NONE, OTHER: ErrorCode.NOT_LEADER_OR_FOLLOWER},
            8: {SECOND: ErrorCode.NONE},
        }
    )
    answer = answered(asking.api_name, asking.version, result, **fields)
    assert asking.read(answer) == result


# What an administrator asks


def test_transactions_are_listed_and_described() -> None:
    listed = ListedTransactions(
        transactions=(ListedTransaction("t", 7, "Ongoing"),), unknown_states=("Sleeping",)
    )
    fields: dict[str, Any] = {"state_filters": ["Ongoing", "Sleeping"], "producer_id_filters": [7]}
    answer = answered("ListTransactions", 1, listed, **fields)
    assert answer.unknown_state_filters == ["Sleeping"]
    assert answer.transaction_states[0].transactional_id == "t"
    described = DescribedTransaction(
        "t",
        state="Ongoing",
        timeout_ms=5,
        start_ms=6,
        producer=PRODUCER,
        partitions=(FIRST, SECOND),
    )
    answer = answered(
        "DescribeTransactions", 0, DescribedTransactions((described,)), transactional_ids=["t"]
    )
    (found,) = answer.transaction_states
    assert (found.transaction_state, found.producer_epoch) == ("Ongoing", 3)
    assert [(t.topic, t.partitions) for t in found.topics] == [("orders", [0, 1])]


def test_producers_are_described() -> None:
    active = ActiveProducer(PRODUCER, 4, 5, 6, transaction_start=2)
    result = DescribedProducers((ProducersOfPartition(FIRST, producers=(active,)),))
    topics = [Struct(name="orders", partition_indexes=[0])]
    answer = answered("DescribeProducers", 0, result, topics=topics)
    (found,) = answer.topics[0].partitions[0].active_producers
    assert (found.producer_id, found.last_sequence, found.current_txn_start_offset) == (7, 4, 2)
