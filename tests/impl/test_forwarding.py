"""Calls that another node answers: the driver and the listeners around cores that are scripted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import pytest

from impl.api.envelope import ENVELOPE_ASKED, Enclosed
from impl.api.served import BROKER, CONTROLLER
from impl.core.cluster.messages import CreatedTopic, CreatedTopics, CreateTopics, Endpoint
from impl.core.config import BrokerConfig
from impl.core.events import NOT_CONTROLLER, Call, Forward, NoReply, Output, Reply, Send
from impl.shell.driver import Driver
from impl.shell.peers import Peers
from impl.shell.server import Server
from impl.wire import Struct, decode_response, encode_request
from spec.wire import api_keys
from spec.wire.errors import ErrorCode

PATIENCE_MS = 30_000


def created(error: ErrorCode = ErrorCode.NONE) -> CreatedTopics:
    return CreatedTopics((CreatedTopic("orders", error),))


class Scripted:
    """A core that forwards to another node, or answers, or is not the controller."""

    is_ready = True
    may_stop = False
    features: ClassVar = {"transaction.version": 2, "group.version": 0}
    metadata_offset = 17

    def __init__(self) -> None:
        self.forwards_to: Endpoint | None = None
        self.is_controller = True
        self.timeout_ms = PATIENCE_MS
        self.handled: list[Any] = []
        self.forwarded_calls: list[Call] = []
        self.gone: list[int] = []

    def handle(self, call: Call, request: Any, _now_ms: int) -> list[Output]:
        self.handled.append(request)
        if self.forwards_to is not None:
            return [Forward(call, request, self.forwards_to, self.timeout_ms)]
        return [Reply(call, created())]

    def handle_forwarded(self, call: Call, request: Any, _now_ms: int) -> list[Output]:
        self.handled.append(request)
        self.forwarded_calls.append(call)
        if not self.is_controller:
            return [Reply(call, NOT_CONTROLLER)]
        return [Reply(call, created(ErrorCode.TOPIC_ALREADY_EXISTS))]

    def not_forwarded(self, forward: Forward, _now_ms: int) -> list[Output]:
        return [Reply(forward.call, created(ErrorCode.NOT_CONTROLLER))]

    def answered(self, _sent: Send, _answer: Any, _now_ms: int) -> list[Output]:
        raise AssertionError("nothing was asked")

    def tick(self, _now_ms: int) -> list[Output]:
        return []

    def next_deadline_ms(self) -> int | None:
        return None

    def disconnected(self, connection_id: int) -> None:
        self.gone.append(connection_id)

    def begin_shutdown(self, _now_ms: int) -> list[Output]:
        return []

    def stop(self) -> None:
        pass


class Running:
    """A scripted core with both listeners."""

    def __init__(self) -> None:
        self.core = Scripted()
        self.driver = Driver(self.core, Peers("test"))
        self.servers = [Server(self.driver, kind, BrokerConfig()) for kind in (BROKER, CONTROLLER)]
        self.ports: list[int] = []

    async def start(self) -> None:
        for server in self.servers:
            listener = socket.create_server(("127.0.0.1", 0))
            self.ports.append(listener.getsockname()[1])
            await server.start(listener)
        self.driver.start()

    @property
    def controller(self) -> Endpoint:
        return Endpoint(2, "127.0.0.1", self.ports[1])

    async def stop(self) -> None:
        for server in self.servers:
            await server.stop()
        self.driver.stop()


async def ask(port: int, api_name: str, version: int, **fields: Any) -> Struct:
    """One request on a connection of its own, with a correlation id that is not the first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.writelines(encode_request(api_name, version, 4711, "client", Struct(**fields)))
        size = int.from_bytes(await reader.readexactly(4), "big")
        frame = await reader.readexactly(size)
        correlation_id, body = decode_response(api_name, version, frame)
        assert correlation_id == 4711
        return body
    finally:
        writer.close()


async def create_topics(port: int) -> ErrorCode:
    topics = [Struct(name="orders", num_partitions=1, replication_factor=1)]
    answer = await ask(port, "CreateTopics", 7, topics=topics, timeout_ms=1_000)
    return ErrorCode(answer.topics[0].error_code)


def play(story: Callable[[Running, Running], Coroutine[Any, Any, None]]) -> None:
    """With a node that clients ask, and another one."""

    async def run() -> None:
        nodes = Running(), Running()
        for node in nodes:
            await node.start()
        nodes[0].core.forwards_to = nodes[1].controller
        try:
            await asyncio.wait_for(story(*nodes), PATIENCE_MS / 1000)
        finally:
            for node in nodes:
                await node.stop()

    asyncio.run(run())


def test_another_node_answers_as_if_it_had_been_asked() -> None:
    async def story(asked: Running, other: Running) -> None:
        assert await create_topics(asked.ports[0]) == ErrorCode.TOPIC_ALREADY_EXISTS
        (request,) = other.core.handled
        assert request == asked.core.handled[0]
        assert isinstance(request, CreateTopics)

    play(story)


def test_a_node_that_is_not_the_controller_hands_the_call_back() -> None:
    async def story(asked: Running, other: Running) -> None:
        other.core.is_controller = False
        assert await create_topics(asked.ports[0]) == ErrorCode.NOT_CONTROLLER
        assert len(other.core.handled) == 1

    play(story)


def test_a_node_that_is_gone_hands_the_call_back() -> None:
    async def story(asked: Running, other: Running) -> None:
        await other.stop()
        assert await create_topics(asked.ports[0]) == ErrorCode.NOT_CONTROLLER

    play(story)


def test_a_node_that_is_silent_hands_the_call_back() -> None:
    async def story(asked: Running, _other: Running) -> None:
        asked.core.timeout_ms = 20
        with socket.create_server(("127.0.0.1", 0)) as silent:
            asked.core.forwards_to = Endpoint(2, *silent.getsockname())
            assert await create_topics(asked.ports[0]) == ErrorCode.NOT_CONTROLLER

    play(story)


def test_the_answer_to_a_client_that_left_is_dropped() -> None:
    async def story(asked: Running, _other: Running) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            asked.core.forwards_to = Endpoint(2, *silent.getsockname())
            asked.core.timeout_ms = 50
            asking = asyncio.ensure_future(create_topics(asked.ports[0]))
            while not asked.core.handled:
                await asyncio.sleep(0)
            asking.cancel()
            while not asked.core.gone:
                await asyncio.sleep(0)
            asked.core.forwards_to = None
            assert await create_topics(asked.ports[0]) == ErrorCode.NONE

    play(story)


def envelope(frame: bytes, host: str = "/10.1.2.3") -> dict[str, Any]:
    return vars(ENVELOPE_ASKED.write(Enclosed(frame, host)))


def inner(api_name: str, version: int, **fields: Any) -> bytes:
    return b"".join(encode_request(api_name, version, 1, None, Struct(**fields))[1:])


REFUSED = {
    "what is not forwarded": (
        envelope(inner("ListGroups", 4)),
        ErrorCode.INVALID_REQUEST,
    ),
    "no request": (envelope(b"\0\1"), ErrorCode.INVALID_REQUEST),
    "an unknown version": (
        envelope(api_keys()["CreateTopics"].to_bytes(2, "big") + b"\0\x63\0\0\0\1\xff\xff"),
        ErrorCode.UNSUPPORTED_VERSION,
    ),
    "an address that is none": (
        {**envelope(inner("CreateTopics", 7)), "client_host_address": b"abc"},
        ErrorCode.INVALID_REQUEST,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_envelope_is_refused_with(what: str) -> None:
    fields, error = REFUSED[what]

    async def story(_asked: Running, other: Running) -> None:
        answer = await ask(other.ports[1], "Envelope", 0, **fields)
        assert (answer.error_code, answer.response_data) == (error, None)
        assert not other.core.handled

    play(story)


def test_clients_cannot_send_an_envelope() -> None:
    async def story(asked: Running, _other: Running) -> None:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await ask(asked.ports[0], "Envelope", 0, **envelope(inner("CreateTopics", 7)))

    play(story)


def test_each_listener_advertises_what_it_serves() -> None:
    async def story(asked: Running, _other: Running) -> None:
        names = {number: name for name, number in api_keys().items()}
        answers = [await ask(port, "ApiVersions", 0) for port in asked.ports]
        clients, controllers = ({names[k.api_key] for k in each.api_keys} for each in answers)
        assert {"Produce", "Metadata", "CreateTopics"} <= clients
        assert "Envelope" not in clients
        assert {"Envelope", "Fetch", "CreateTopics"} <= controllers
        assert not {"Produce", "Metadata", "JoinGroup"} & controllers

    play(story)


@pytest.mark.parametrize(("version", "names_group_version"), [(3, False), (4, True)])
def test_the_features_of_the_cluster_are_told(version: int, names_group_version: bool) -> None:
    async def story(asked: Running, _other: Running) -> None:
        software = {"client_software_name": "t", "client_software_version": "1"}
        answer = await ask(asked.ports[0], "ApiVersions", version, **software)
        assert answer.finalized_features_epoch == 17
        (finalized,) = answer.finalized_features
        assert finalized.name == "transaction.version"
        assert (finalized.min_version_level, finalized.max_version_level) == (2, 2)
        supported = {each.name: each for each in answer.supported_features}
        assert supported["metadata.version"].min_version > 0
        assert ("group.version" in supported) == names_group_version

    play(story)


def test_connections_of_all_listeners_have_ids_of_their_own() -> None:
    async def story(asked: Running, _other: Running) -> None:
        asked.core.forwards_to = None
        for port in asked.ports * 2:
            assert await create_topics(port) == ErrorCode.NONE
        while len(asked.core.gone) < 4:
            await asyncio.sleep(0)
        assert len(set(asked.core.gone)) == 4

    play(story)


def test_a_core_that_fails_at_its_time_is_of_no_more_use() -> None:
    class Failing(Scripted):
        def tick(self, _now_ms: int) -> list[Output]:
            raise OSError("the disk is gone")

    async def story() -> None:
        driver = Driver(Failing(), Peers("test"))
        driver.start()
        assert driver.failed.is_set()
        driver.stop()

    asyncio.run(story())


def test_a_call_without_answer_leaves_the_connection_in_step() -> None:
    class Silent(Scripted):
        def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
            if self.handled:
                return super().handle(call, request, now_ms)
            self.handled.append(request)
            return [NoReply(call)]

    async def story() -> None:
        driver = Driver(Silent(), Peers("test"))
        server = Server(driver, BROKER, BrokerConfig())
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        await server.start(listener)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in (1, 2):
            writer.writelines(encode_request("CreateTopics", 7, number, None, Struct()))
        size = int.from_bytes(await reader.readexactly(4), "big")
        frame = await reader.readexactly(size)
        assert decode_response("CreateTopics", 7, frame)[0] == 2
        writer.close()
        await server.stop()
        driver.stop()

    asyncio.run(story())
