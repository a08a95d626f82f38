"""Questions to other nodes, against a scripted server on a port of this machine."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from impl.api.asking import Asking
from impl.core.cluster.messages import Endpoint
from impl.shell.peers import FIRST_BACKOFF_S, Peers
from impl.wire import Request, Struct, WireError, decode_request, encode_response

PATIENCE_MS = 30_000

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _read(body: Struct) -> int:
    if body.error_code < 0:
        raise WireError("no answer that this node can read")
    return int(body.error_code)


HEARTBEAT = Asking("Heartbeat", 4, lambda group_id: Struct(group_id=group_id), _read)


async def receive(reader: asyncio.StreamReader) -> Request:
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return decode_request(await reader.readexactly(size))


def answer(writer: asyncio.StreamWriter, request: Request, error_code: int = 0) -> None:
    writer.writelines(encode_response(request, Struct(error_code=error_code)))


class World:
    """Peers, a port where the node that is asked may listen, and what was heard of it."""

    def __init__(self) -> None:
        self.peers = Peers("test")
        self.heard: list[tuple[str, Any]] = []
        self.connections = 0
        self._news = asyncio.Event()
        self._handlers: list[Handler] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.to = Endpoint(2, "127.0.0.1", 0)

    async def listen(self, *handlers: Handler) -> None:
        """Each handler serves one connection; the last one serves all further ones."""
        self._handlers = list(handlers)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.to.port)
        self.to = Endpoint(2, "127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        handler = self._handlers.pop(0) if len(self._handlers) > 1 else self._handlers[0]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await handler(reader, writer)
        writer.close()

    def ask(self, group_id: str, timeout_ms: int = PATIENCE_MS, lane: str = "a") -> None:
        self.peers.ask(self.to, lane, HEARTBEAT, group_id, timeout_ms, self._done(group_id))

    def _done(self, group_id: str) -> Callable[[Any], None]:
        def done(answered: Any) -> None:
            self.heard.append((group_id, answered))
            self._news.set()

        return done

    async def hear(self, count: int) -> list[tuple[str, Any]]:
        """What was heard, once that is so much."""
        while len(self.heard) < count:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), PATIENCE_MS / 1000)
        return self.heard

    async def close(self) -> None:
        self.peers.close()
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            self._server.close()


def play(story: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World()
        try:
            await story(world)
        finally:
            await world.close()

    asyncio.run(run())


async def serve_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        request = await receive(reader)
        answer(writer, request, len(request.body.group_id))


async def close_after_a_request(
    reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
) -> None:
    await receive(reader)


async def never_answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while True:
        await receive(reader)


def test_a_question_gets_its_answer() -> None:
    async def story(world: World) -> None:
        await world.listen(serve_all)
        for group_id in ("g", "gg", "ggg"):
            world.ask(group_id)
        assert await world.hear(3) == [("g", 1), ("gg", 2), ("ggg", 3)]
        assert world.connections == 1

    play(story)


def test_a_lane_asks_one_question_after_the_other() -> None:
    async def story(world: World) -> None:
        async def look_ahead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await receive(reader)
            world.ask("other lane", lane="b")
            await world.hear(1)
            ahead = asyncio.ensure_future(receive(reader))
            assert not (await asyncio.wait([ahead], timeout=0))[0]
            answer(writer, request, 1)
            answer(writer, await ahead, 2)

        await world.listen(look_ahead, serve_all)
        world.ask("first")
        world.ask("second")
        assert await world.hear(3) == [("other lane", 10), ("first", 1), ("second", 2)]

    play(story)


def test_lanes_do_not_wait_for_each_other() -> None:
    async def story(world: World) -> None:
        await world.listen(never_answer, serve_all)
        world.ask("silent", lane="a")
        while world.connections < 1:
            await asyncio.sleep(0)
        world.ask("gg", lane="b")
        assert await world.hear(1) == [("gg", 2)]

    play(story)


def test_nobody_listens_is_no_answer_and_is_tried_again() -> None:
    async def story(world: World) -> None:
        await world.listen(serve_all)
        await world.close()
        world.peers = Peers("test")
        world.ask("g")
        assert await world.hear(1) == [("g", None)]
        await world.listen(serve_all)
        world.ask("gg")
        assert await world.hear(2) == [("g", None), ("gg", 2)]

    play(story)


def test_a_host_that_does_not_exist_is_no_answer() -> None:
    async def story(world: World) -> None:
        world.to = Endpoint(2, "no..such..host", 9092)
        world.ask("g")
        assert await world.hear(1) == [("g", None)]

    play(story)


def test_a_lost_connection_ends_all_that_was_asked_on_it_once() -> None:
    async def story(world: World) -> None:
        await world.listen(close_after_a_request, serve_all)
        for group_id in ("a", "b", "c"):
            world.ask(group_id)
        assert await world.hear(3) == [("a", None), ("b", None), ("c", None)]
        world.ask("gg")
        assert (await world.hear(4))[3:] == [("gg", 2)]
        assert world.connections == 2

    play(story)


def test_silence_is_no_answer_and_costs_the_connection() -> None:
    async def story(world: World) -> None:
        await world.listen(never_answer, serve_all)
        world.ask("a", timeout_ms=20)
        assert await world.hear(1) == [("a", None)]
        world.ask("gg")
        assert (await world.hear(2))[1:] == [("gg", 2)]
        assert world.connections == 2

    play(story)


def raw(content: bytes) -> Handler:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await receive(reader)
        writer.write(content)
        await reader.read()

    return send


async def answer_another(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await receive(reader)
    writer.write(struct.pack(">iibih", 11, request.correlation_id + 1, 0, 0, 0) + b"\0")
    await reader.read()


async def answer_what_cannot_be(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    answer(writer, await receive(reader), -1)
    await reader.read()


UNREADABLE = {
    "a negative size": raw(struct.pack(">i", -5)),
    "half an answer": raw(struct.pack(">ii", 4, 1)),
    "an answer to another question": answer_another,
    "an answer that this node does not understand": answer_what_cannot_be,
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_no_answer(what: str) -> None:
    async def story(world: World) -> None:
        await world.listen(UNREADABLE[what], serve_all)
        world.ask("a")
        assert await world.hear(1) == [("a", None)]
        world.ask("gg")
        assert (await world.hear(2))[1:] == [("gg", 2)]

    play(story)


def test_an_answer_that_nobody_asked_for_costs_the_connection_only() -> None:
    async def answer_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await receive(reader)
        answer(writer, request)
        answer(writer, request)
        await reader.read()

    async def story(world: World) -> None:
        await world.listen(answer_twice, serve_all)
        world.ask("a")
        assert await world.hear(1) == [("a", 0)]
        world.ask("gg")
        assert [name for name, _ in await world.hear(2)] == ["a", "gg"]

    play(story)


def test_a_dead_node_is_tried_less_and_less_often() -> None:
    async def story(world: World) -> None:
        await world.listen(close_after_a_request)
        loop = asyncio.get_running_loop()
        times = []
        for count in range(1, 6):
            world.ask("a")
            await world.hear(count)
            times.append(loop.time())
        pauses = [later - earlier for earlier, later in pairwise(times)]
        for number, pause in enumerate(pauses):
            assert pause > 0.75 * FIRST_BACKOFF_S * 2**number

    play(story)


def test_questions_with_little_patience_do_not_put_off_the_next_connection() -> None:
    async def story(world: World) -> None:
        await world.listen(*[close_after_a_request] * 4, serve_all)
        for count in range(1, 5):
            world.ask("a")
            await world.hear(count)
        while world.heard[-1] != ("gg", 2):
            assert len(world.heard) < 100
            world.ask("gg", timeout_ms=int(FIRST_BACKOFF_S * 1000))
            await world.hear(len(world.heard) + 1)

    play(story)


def cut_off(world: World, node_id: int) -> None:
    world.peers = Peers("test", lambda other: other != node_id)


def test_a_node_out_of_reach_is_not_talked_to() -> None:
    async def story(world: World) -> None:
        await world.listen(serve_all)
        cut_off(world, 2)
        world.ask("a", timeout_ms=20)
        assert await world.hear(1) == [("a", None)]
        assert world.connections == 0

    play(story)


def test_an_answer_of_a_node_that_got_out_of_reach_is_not_heard() -> None:
    async def story(world: World) -> None:
        reached = {2}
        world.peers = Peers("test", reached.__contains__)

        async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await receive(reader)
            reached.clear()
            answer(writer, request)
            await reader.read()

        await world.listen(answer_late, serve_all)
        world.ask("a", timeout_ms=50)
        assert await world.hear(1) == [("a", None)]
        reached.add(2)
        world.ask("gg")
        assert (await world.hear(2))[1:] == [("gg", 2)]

    play(story)


def test_who_reconnects_gets_no_answer_to_what_was_asked_before() -> None:
    async def story(world: World) -> None:
        await world.listen(never_answer, serve_all)
        world.ask("a")
        while world.connections < 1:
            await asyncio.sleep(0)
        world.peers.reconnect()
        world.ask("gg")
        assert await world.hear(2) == [("a", None), ("gg", 2)]

    play(story)


def test_a_large_answer_is_one_answer() -> None:
    describe = Asking(
        "ListGroups", 0, lambda _: Struct(), lambda body: [g.group_id for g in body.groups]
    )
    names = [f"{'group' * 1_000}-{number}" for number in range(500)]

    async def many(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        groups = [Struct(group_id=name, protocol_type="consumer") for name in names]
        while True:
            writer.writelines(encode_response(await receive(reader), Struct(groups=groups)))

    async def story(world: World) -> None:
        await world.listen(many)
        for count in (1, 2):
            world.peers.ask(world.to, "a", describe, None, PATIENCE_MS, world._done("all"))
            assert (await world.hear(count))[-1] == ("all", names)

    play(story)


def test_who_closes_hears_nothing_any_more() -> None:
    async def story(world: World) -> None:
        await world.listen(serve_all)
        world.ask("g")
        world.peers.close()
        world.ask("gg")
        world.peers = Peers("test")
        world.ask("other")
        assert await world.hear(1) == [("other", 5)]

    play(story)
