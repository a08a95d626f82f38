"""What a node asks of itself: carried inside the node, as if it came from another one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from impl.core.events import Call, Close, Forward, NoReply, Output, Reply, Send

OWN_CONNECTION = 0
"""No connection of the caller's has this id."""


class Question(NamedTuple):
    call: Call
    request: Any


class Answer(NamedTuple):
    sent: Send
    answer: Any | None


@dataclass(frozen=True, slots=True)
class _Asked:
    sent: Send
    until_ms: int


class Loopback:
    def __init__(self, node_id: int) -> None:
        self._node_id = node_id
        self._asked: dict[Call, _Asked] = {}
        self._count = 0

    def sort(
        self, outputs: Iterable[Output], now_ms: int
    ) -> tuple[list[Output], list[Question | Answer]]:
        """What goes out, and what stays inside."""
        out: list[Output] = []
        inside: list[Question | Answer] = []
        for output in outputs:
            if isinstance(output, Send):
                if output.to.node_id == self._node_id:
                    inside.append(self._ask(output, now_ms))
                else:
                    out.append(output)
            elif output.call.connection_id != OWN_CONNECTION:
                out.append(output)
            elif (asked := self._asked.pop(output.call, None)) is not None:
                inside.append(Answer(asked.sent, _result(output)))
        return out, inside

    def _ask(self, send: Send, now_ms: int) -> Question:
        self._count += 1
        call = Call(OWN_CONNECTION, self._count)
        self._asked[call] = _Asked(send, now_ms + send.timeout_ms)
        return Question(call, send.request)

    def overdue(self, now_ms: int) -> list[Answer]:
        late = [call for call, asked in self._asked.items() if asked.until_ms <= now_ms]
        return [Answer(self._asked.pop(call).sent, None) for call in late]

    def next_deadline_ms(self) -> int | None:
        return min((asked.until_ms for asked in self._asked.values()), default=None)


def _result(output: Reply | NoReply | Close | Forward) -> Any | None:
    """Nobody else is asked in place of a node that asked itself."""
    return output.result if isinstance(output, Reply) else None
