"""The records of `__transaction_state` as bytes, in Apache Kafka's format.

A key names the transactional id. Version 1 of the value has what transactions of version 2 need
besides, in tagged fields that older readers skip; both versions are read.
"""

from __future__ import annotations

import struct
from itertools import groupby

from impl.core.cluster.topics import TopicPartition
from impl.core.transactions.transaction import NUMBERED_STATES, State, Transaction
from impl.wire import Struct, decode_message, encode_message

KEY_VERSION = 0
VALUE_VERSION = 1

_INT16 = struct.Struct(">h")


class TransactionRecords:
    """A codec for the coordinator."""

    def encode(
        self, transactional_id: str, transaction: Transaction | None
    ) -> tuple[bytes, bytes | None]:
        key = Struct(transactional_id=transactional_id)
        encoded = _INT16.pack(KEY_VERSION) + encode_message("TransactionLogKey", 0, key)
        return encoded, None if transaction is None else _value(transaction)

    def decode(self, key: bytes, value: bytes | None) -> tuple[str, Transaction | None] | None:
        """Raises WireError."""
        (version,) = _INT16.unpack_from(key)
        if version != KEY_VERSION:
            return None
        fields = decode_message("TransactionLogKey", 0, key[_INT16.size :])
        transactional_id: str = fields.transactional_id
        if value is None:
            return transactional_id, None
        (version,) = _INT16.unpack_from(value)
        body = decode_message("TransactionLogValue", version, value[_INT16.size :])
        return transactional_id, _transaction(transactional_id, body)


def _value(transaction: Transaction) -> bytes:
    by_topic = groupby(sorted(transaction.partitions), key=lambda at: at.topic)
    partitions = [
        Struct(topic=topic, partition_ids=[at.partition for at in partitions])
        for topic, partitions in by_topic
    ]
    body = Struct(
        producer_id=transaction.producer_id,
        previous_producer_id=transaction.previous_producer_id,
        next_producer_id=transaction.next_producer_id,
        producer_epoch=transaction.producer_epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.state.number,
        transaction_partitions=None if transaction.state is State.EMPTY else partitions,
        transaction_last_update_timestamp_ms=transaction.last_update_ms,
        transaction_start_timestamp_ms=transaction.start_ms,
        client_transaction_version=transaction.client_version,
    )
    return _INT16.pack(VALUE_VERSION) + encode_message("TransactionLogValue", VALUE_VERSION, body)


def _transaction(transactional_id: str, body: Struct) -> Transaction:
    return Transaction(
        transactional_id,
        producer_id=body.producer_id,
        previous_producer_id=body.previous_producer_id,
        next_producer_id=body.next_producer_id,
        producer_epoch=body.producer_epoch,
        timeout_ms=body.transaction_timeout_ms,
        state=NUMBERED_STATES[body.transaction_status],
        partitions=frozenset(
            TopicPartition(topic.topic, partition)
            for topic in body.transaction_partitions or ()
            for partition in topic.partition_ids
        ),
        last_update_ms=body.transaction_last_update_timestamp_ms,
        start_ms=body.transaction_start_timestamp_ms,
        client_version=body.client_transaction_version,
    )
