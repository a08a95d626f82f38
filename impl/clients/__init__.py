"""A producer and a consumer: what Kafka's clients do, small enough to be read.

`impl.clients.core` decides, without sockets, clocks or tasks; the rest of this package carries it
out with asyncio:

    async with Producer({"bootstrap.servers": "127.0.0.1:9092"}) as producer:
        await producer.send("orders", b"value", key=b"key")
"""

from impl.clients.consumer import Consumer
from impl.clients.core.errors import ClientError
from impl.clients.producer import Producer

__all__ = ["ClientError", "Consumer", "Producer"]
