"""What the driver and its connections do when the other side is not what it should be."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from uuid import UUID

import pytest

from impl.api.served import BROKER
from impl.core.cluster.broker_messages import BrokerRegistered, RegisterBroker
from impl.core.cluster.messages import CreatedTopic, CreatedTopics, Endpoint
from impl.core.config import BrokerConfig
from impl.core.events import Call, Output, Reply, Send
from impl.core.quorum.messages import EpochAnswer, Vote
from impl.core.storage import StorageError
from impl.shell.driver import Driver
from impl.shell.peers import Peers
from impl.shell.server import Server
from impl.wire import Struct, encode_request
from spec.wire.errors import ErrorCode
from tests.impl.test_forwarding import PATIENCE_MS, Scripted

OTHER = Endpoint(2, "127.0.0.1", 1)
POLL_INTERVAL_S = 0.01


class Asking(Scripted):
    """Asks the same at every tick."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request
        self.heard = 0

    def tick(self, _now_ms: int) -> list[Output]:
        return [Send(OTHER, "lane", self.request, 1_000)]

    def answered(self, _sent: Send, _answer: Any, _now_ms: int) -> list[Output]:
        self.heard += 1
        return []


class Answering(Peers):
    """Everybody says the same, at once."""

    def __init__(self, answer: Any) -> None:
        super().__init__("test")
        self.answer = answer

    def ask(self, *asked: Any) -> None:
        asked[-1](self.answer)


REGISTRATION = RegisterBroker(OTHER, "cluster", UUID(int=1))
SHUT_OUT = {
    "another broker has the same node.id": (
        REGISTRATION,
        BrokerRegistered(ErrorCode.DUPLICATE_BROKER_REGISTRATION),
    ),
    "its data folder belongs to another cluster": (
        Vote(1, 1, 0, 0),
        EpochAnswer(request_error=ErrorCode.INCONSISTENT_CLUSTER_ID),
    ),
}


@pytest.mark.parametrize("reason", SHUT_OUT)
def test_who_is_shut_out_says_why_once(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    request, answer = SHUT_OUT[reason]

    async def story() -> None:
        core = Asking(request)
        driver = Driver(core, Answering(answer))
        driver.start()
        driver.wake()
        driver.stop()
        assert core.heard == 2

    asyncio.run(story())
    (told,) = caplog.records
    assert told.getMessage().startswith(f"node 2 refuses this one: {reason}")


def test_a_disk_that_fails_is_told_in_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Scripted):
        def tick(self, _now_ms: int) -> list[Output]:
            raise StorageError("No space left on device")

    async def story() -> None:
        driver = Driver(Failing(), Peers("test"))
        driver.start()
        assert driver.failed.is_set()
        driver.stop()

    asyncio.run(story())
    (told,) = caplog.records
    assert told.getMessage() == "the broker failed: No space left on device"
    assert told.exc_info is None


def test_an_idle_client_that_does_not_take_its_answer_is_let_go() -> None:
    class Verbose(Scripted):
        def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
            del request, now_ms
            topic = CreatedTopic("orders", ErrorCode.INVALID_CONFIG, "x" * (16 << 20))
            return [Reply(call, CreatedTopics((topic,)))]

    async def story() -> None:
        core = Verbose()
        driver = Driver(core, Peers("test"))
        server = Server(driver, BROKER, BrokerConfig(connections_max_idle_ms=50))
        listener = socket.create_server(("127.0.0.1", 0))
        await server.start(listener)
        with socket.create_connection(listener.getsockname()[:2]) as client:
            client.sendall(b"".join(encode_request("CreateTopics", 7, 1, None, Struct())))
            while not core.gone:
                await asyncio.sleep(POLL_INTERVAL_S)
        await server.stop()
        driver.stop()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_MS / 1000))
