"""Narrated stories of consumer groups: `stories/group_*.txt`, each a walk that one can read.

A story is a list of steps: prose after `#`, one command, `----`, and what came of it. To write
down what comes of it now, run the tests with REWRITE_STORIES=1, read the difference, and commit
what you can explain. The commands are methods of `Teller`; a story names its members as it likes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from impl.core.groups.messages import (
    DeleteGroups,
    GroupReply,
    Heartbeat,
    HeartbeatReply,
    JoinGroup,
    JoinReply,
    LeaveGroup,
    MemberIdentity,
    Protocol,
    SyncGroup,
    SyncReply,
)
from tests.impl.group_world import GROUP, REBALANCE_MS, SESSION_MS, Ticket, World

STORIES = sorted((Path(__file__).parent / "stories").glob("group_*.txt"))
RULE = "----"


@dataclass
class Character:
    """A client, and what it knows of its membership."""

    member_id: str = ""
    generation_id: int = -1
    group_instance_id: str | None = None
    protocols: tuple[str, ...] = ("range",)
    protocol_name: str | None = None


@dataclass
class Teller:
    world: World = field(default_factory=World)
    characters: dict[str, Character] = field(default_factory=dict)
    waiting: list[tuple[str, Ticket]] = field(default_factory=list)

    def tell(self, command: str) -> str:
        verb, *words = command.split()
        before = self.world.state
        lines = getattr(self, verb)(*words) or []
        lines += self._answers()
        after = self.world.state
        if after != before:
            lines.append(f"the group: {before} -> {after}")
        return "\n".join(lines)

    # Commands

    def join(self, name: str, *options: str) -> None:
        """join NAME [as=INSTANCE] [with=PROTOCOL,PROTOCOL]"""
        character = self.characters.setdefault(name, Character())
        for key, value in (option.split("=") for option in options):
            if key == "as":
                character.group_instance_id = value
            else:
                character.protocols = tuple(value.split(","))
        request = JoinGroup(
            group_id=GROUP,
            member_id=character.member_id,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            protocol_type="consumer",
            protocols=tuple(Protocol(each, b"orders") for each in character.protocols),
            group_instance_id=character.group_instance_id,
            client_id=name,
        )
        self.waiting.append((name, self.world.ask(request)))

    def sync(self, name: str, *shares: str) -> None:
        """sync NAME [MEMBER=ASSIGNMENT ...]"""
        me = self.characters[name]
        pairs = (share.split("=") for share in shares)
        assignments = {self.characters[who].member_id: what.encode() for who, what in pairs}
        request = SyncGroup(
            group_id=GROUP,
            generation_id=me.generation_id,
            member_id=me.member_id,
            assignments=assignments,
            group_instance_id=me.group_instance_id,
            protocol_type="consumer",
            protocol_name=me.protocol_name,
        )
        self.waiting.append((name, self.world.ask(request)))

    def heartbeat(self, name: str) -> None:
        me = self.characters[name]
        request = Heartbeat(GROUP, me.generation_id, me.member_id, me.group_instance_id)
        self.waiting.append((name, self.world.ask(request)))

    def leave(self, name: str) -> list[str]:
        who = MemberIdentity(self.characters[name].member_id)
        reply = self.world.ask(LeaveGroup(GROUP, (who,))).reply
        return [f"{name}: {reply.members[0][1].name}"]

    def commit(self, name: str, offset: str) -> list[str]:
        """commit NAME OFFSET; the name `outsider` is no member."""
        me = self.characters.get(name, Character())
        error = self.world.commit(
            int(offset), generation_id=me.generation_id, member_id=me.member_id
        )
        return [f"{name}: {error.name}"]

    def fetch(self) -> list[str]:
        return [f"offset {self.world.fetch().offset}"]

    def delete(self) -> list[str]:
        return [self.world.ask(DeleteGroups((GROUP,))).reply.errors[GROUP].name]

    def restarts(self, name: str) -> None:
        """The process of a member starts anew and has forgotten its member id."""
        self.characters[name].member_id = ""

    def passes(self, seconds: str) -> None:
        self.world.pass_time(int(seconds) * 1_000)

    def broker_restarts(self) -> None:
        self.world.restart()

    # What came of it

    def _answers(self) -> list[str]:
        lines = []
        for name, ticket in list(self.waiting):
            if not ticket.is_parked:
                self.waiting.remove((name, ticket))
                lines.append(f"{name}: {self._answer(self.characters[name], ticket.reply)}")
        waits = [name for name, _ in self.waiting]
        return lines + ([f"waiting: {', '.join(waits)}"] if waits else [])

    def _answer(self, me: Character, reply: GroupReply) -> str:
        match reply:
            case JoinReply():
                return self._joined(me, reply)
            case SyncReply():
                return reply.error.name if reply.error else f"gets {reply.assignment.decode()!r}"
            case HeartbeatReply():
                return reply.error.name
        raise AssertionError(f"no story has {reply}")

    def _joined(self, me: Character, reply: JoinReply) -> str:
        if reply.member_id:
            me.member_id = reply.member_id
        if reply.error:
            return f"{reply.error.name} {reply.member_id}".rstrip()
        me.generation_id, me.protocol_name = reply.generation_id, reply.protocol_name
        text = f"is {reply.member_id} in generation {reply.generation_id}, {reply.protocol_name}"
        if reply.leader == reply.member_id:
            text += f", leads {', '.join(each.member_id for each in reply.members)}"
        return text + (", need not assign" if reply.skip_assignment else "")


def retold(story: str) -> str:
    """The story with what comes of each command now."""
    teller = Teller()
    steps = []
    for step in story.strip().split("\n\n"):
        told, rule, _ = step.partition(f"\n{RULE}")
        lines = told.splitlines()
        if rule or not all(line.startswith("#") for line in lines):
            told = f"{told}\n{RULE}\n{teller.tell(lines[-1])}".rstrip()
        steps.append(told)
    return "\n\n".join(steps) + "\n"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path) -> None:
    story = path.read_text()
    now = retold(story)
    if os.environ.get("REWRITE_STORIES"):
        path.write_text(now)
    assert now == story
