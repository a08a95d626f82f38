"""Writes clients.txt: the requests that real clients send to produce a record and to read it.

    python -m tests.golden.wire.capture_clients

Each client meets a broker that keeps what it hears: one topic, one partition, one record, spoken
in the suite's codec. Requests of one client are kept once for each API, in order of the APIs.
"""

import asyncio
import socket
import socketserver
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.wire import Request, decode_request, encode_response
from conformance.wire.records import Record, build_batch
from spec.wire import api_names, request

HERE = Path(__file__).parent
TOPIC = "golden"
TOPIC_ID = uuid.UUID(int=0x600D)
SPOKEN = ("Produce", "Fetch", "ListOffsets", "Metadata", "ApiVersions", "InitProducerId")
VALUE = b"a record"


class Broker(socketserver.ThreadingTCPServer):
    """Answers what a producer and a consumer with an assigned partition ask, and keeps it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.frames: dict[int, bytes] = {}

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def answer(self, read: Request) -> dict[str, Any]:
        answers: dict[str, Callable[[Request], dict[str, Any]]] = {
            "ApiVersions": self.api_versions,
            "Metadata": self.metadata,
            "InitProducerId": lambda _: {"producer_id": 1, "producer_epoch": 0},
            "Produce": self.produce,
            "ListOffsets": self.list_offsets,
            "Fetch": self.fetch,
        }
        return answers[read.api_name](read)

    def api_versions(self, _: Request) -> dict[str, Any]:
        ranges = [(key, request(name)) for key, name in api_names().items() if name in SPOKEN]
        keys = [
            {
                "api_key": key,
                "min_version": message.valid_versions[0],
                "max_version": message.valid_versions[-1] - message.latest_version_unstable,
            }
            for key, message in ranges
        ]
        return {"api_keys": keys}

    def metadata(self, _: Request) -> dict[str, Any]:
        partition = {"leader_id": 1, "replica_nodes": [1], "isr_nodes": [1]}
        topic = {"name": TOPIC, "topic_id": TOPIC_ID, "partitions": [partition]}
        broker = {"node_id": 1, "host": "127.0.0.1", "port": self.port}
        return {"brokers": [broker], "cluster_id": "c", "controller_id": 1, "topics": [topic]}

    def produce(self, _: Request) -> dict[str, Any]:
        topic = {"name": TOPIC, "topic_id": TOPIC_ID, "partition_responses": [{}]}
        return {"responses": [topic]}

    def list_offsets(self, _: Request) -> dict[str, Any]:
        return {"topics": [{"name": TOPIC, "partitions": [{"offset": 0, "leader_epoch": 0}]}]}

    def fetch(self, read: Request) -> dict[str, Any]:
        asked = [each for topic in read.body.topics for each in topic.partitions]
        new = any(partition.fetch_offset == 0 for partition in asked)
        records = build_batch([Record(VALUE)]) if new else b""
        partition = {"high_watermark": 1, "last_stable_offset": 1, "records": records}
        topic = {"topic": TOPIC, "topic_id": TOPIC_ID, "partitions": [partition]}
        return {"responses": [topic] if asked else []}


class Connection(socketserver.BaseRequestHandler):
    server: Broker
    request: socket.socket

    def handle(self) -> None:
        with self.request.makefile("rwb") as stream:
            while size := stream.read(4):
                frame = stream.read(int.from_bytes(size, "big"))
                read = decode_request(frame)
                self.server.frames.setdefault(int.from_bytes(frame[:2], "big"), frame)
                fields = self.server.answer(read)
                answer = encode_response(
                    read.api_name, read.api_version, read.correlation_id, fields
                )
                stream.write(len(answer).to_bytes(4, "big") + answer)
                stream.flush()


def librdkafka(address: str) -> bytes | None:
    from confluent_kafka import Consumer, Producer, TopicPartition

    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True})
    producer.produce(TOPIC, VALUE, partition=0)
    producer.flush(10)
    consumer = Consumer({"bootstrap.servers": address, "group.id": "g"})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    message = consumer.poll(10)
    consumer.close()
    return None if message is None else message.value()


def kafka_python(address: str) -> bytes | None:
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition

    producer = KafkaProducer(bootstrap_servers=address)
    producer.send(TOPIC, VALUE, partition=0).get(10)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)
    consumer.assign([TopicPartition(TOPIC, 0)])
    consumer.seek_to_beginning()
    value: bytes = next(consumer).value
    consumer.close()
    return value


def aiokafka(address: str) -> bytes | None:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    async def run() -> bytes | None:
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            await producer.send_and_wait(TOPIC, VALUE, partition=0)
        consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
        consumer.assign([TopicPartition(TOPIC, 0)])
        async with consumer:
            await consumer.seek_to_beginning()
            value: bytes | None = (await consumer.getone()).value
            return value

    return asyncio.run(asyncio.wait_for(run(), 20))


CLIENTS = (librdkafka, kafka_python, aiokafka)


def main() -> int:
    lines = []
    for client in CLIENTS:
        with Broker() as broker:
            threading.Thread(target=broker.serve_forever, daemon=True).start()
            value = client(f"127.0.0.1:{broker.port}")
            broker.shutdown()
        if value != VALUE:
            print(f"{client.__name__} read {value!r}", file=sys.stderr)
            return 1
        kept = sorted(broker.frames.items())
        lines += [f"{client.__name__} {api_names()[key]} {frame.hex()}\n" for key, frame in kept]
    (HERE / "clients.txt").write_text("".join(lines), encoding="ascii")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
