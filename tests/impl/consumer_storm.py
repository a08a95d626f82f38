"""A group of the consumer protocol in a storm, and what must be true of it all the time.

Clients join, heartbeat, lose answers, take their time, leave, crash; topics come, grow and go; the
log commits late, and another broker takes over with or without what was not committed. A storm is
what a source of random numbers makes of it.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from impl.core.groups.consumer.messages import ConsumerHeartbeat
from spec.wire.errors import ErrorCode
from tests.impl.consumer_world import REBALANCE_TIMEOUT_MS, Consumer, ConsumerWorld
from tests.impl.group_world import GROUP, Ticket

NAMES = ("orders", "payments", "orders-2")
REGEXES = (None, None, "orders.*")
ROUNDS_TO_SETTLE = 30


class RuleBroken(Exception):  # noqa: N818 (a finding, not a fault of the test)
    """What must be true was not."""


class Storm:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.world = ConsumerWorld()
        self.world.commits_at_once = False
        self.clients: list[Consumer] = []
        self.waiting: list[tuple[Consumer, Ticket]] = []
        self.committed = 0
        self.errors: Counter[ErrorCode] = Counter()

    @property
    def _log(self) -> int:
        return self.world.partition(GROUP)

    def _pick(self) -> Consumer | None:
        return self.random.choice(self.clients) if self.clients else None

    # What may happen

    def join(self) -> None:
        if len(self.clients) >= 5:
            return
        topics = [name for name in NAMES if self.random.random() < 0.5] or ["orders"]
        taken = {each.group_instance_id for each in self.clients}
        instance_id = self.random.choice([None, None, "a", "b"])
        client = self.world.consumer(
            *topics,
            regex=self.random.choice(REGEXES),
            assignor=self.random.choice([None, "range", "uniform"]),
            group_instance_id=None if instance_id in taken else instance_id,
        )
        self.clients.append(client)
        self._ask(client)

    def _ask(self, client: Consumer) -> None:
        """A client has one heartbeat on its way at a time."""
        if all(each is not client for each, _ in self.waiting):
            self.waiting.append((client, client.ask()))

    def heartbeat(self) -> None:
        client = self._pick()
        if client is not None:
            client.obey()
            self._ask(client)

    def slow_heartbeat(self) -> None:
        """It has heard what to give up, and still uses it."""
        client = self._pick()
        if client is not None:
            self._ask(client)

    def lose_answer(self) -> None:
        if self.waiting:
            client, _ = self.waiting.pop(self.random.randrange(len(self.waiting)))
            client.says_all = True

    def want_other_topics(self) -> None:
        client = self._pick()
        if client is not None:
            client.topics, client.says_all = frozenset({self.random.choice(NAMES)}), True
            self._ask(client)

    def leave(self) -> None:
        client = self._pick()
        if client is not None:
            self.crash(client)
            epoch = -1 if client.group_instance_id is None else self.random.choice([-1, -2])
            client.ask(member_epoch=epoch, owned=None)

    def crash(self, client: Consumer | None = None) -> None:
        client = client or self._pick()
        if client is not None:
            self.clients.remove(client)
            self.waiting = [pair for pair in self.waiting if pair[0] is not client]

    def pass_time(self) -> None:
        self.world.pass_time(self.random.choice([1_000, 10_000, 60_000]))

    def commit(self) -> None:
        self.world.commit_log()
        self.committed = len(self.world.logs[self._log])

    def take_over(self) -> None:
        """Another broker coordinates; it has what is committed, and perhaps some more."""
        log = self.world.logs[self._log]
        ends = [end for end in self.world.batches[self._log] if self.committed <= end <= len(log)]
        end = self.random.choice(ends or [len(log)])
        self.world.unload()
        del log[end:]
        self.world.batches[self._log] = [e for e in self.world.batches[self._log] if e <= end]
        self.world.restart()
        self.committed = end

    def change_topics(self) -> None:
        name = self.random.choice(NAMES)
        topic = self.world.catalogue.topics.get(name)
        if topic is None:
            self.world.create_topic(name, self.random.choice([1, 2, 3]))
        elif len(topic.partitions) < 4 and self.random.random() < 0.7:
            self.world.grow_topic(name, len(topic.partitions) + 1)
        elif name != "orders":
            self.world.delete_topic(name)

    # What must be true

    def step(self) -> None:
        moves = (
            [self.heartbeat] * 12
            + [self.slow_heartbeat] * 3
            + [self.commit] * 10
            + [self.join] * 5
            + [self.take_over, self.leave] * 2
            + [self.pass_time, self.lose_answer, self.crash]
            + [self.change_topics, self.want_other_topics]
        )
        self.random.choice(moves)()
        self._hear()
        self.check_owners()

    def _hear(self) -> None:
        answered = [pair for pair in self.waiting if not pair[1].is_parked]
        self.waiting = [pair for pair in self.waiting if pair[1].is_parked]
        for client, ticket in answered:
            before = client.owned
            client.hear(ticket.reply)
            self.errors[ticket.error] += 1
            client.says_all = bool(ticket.error) or (client.says_all and not _said(client, ticket))
            # Giving up takes time; what is new is used at once.
            client.owned = client.told | (before if client.owned else frozenset())

    def check_owners(self) -> None:
        """GRPS-21: of those that the coordinator counts as members, one uses a partition."""
        members = self.members()
        users = Counter(
            at for client in self.clients if client.member_id in members for at in client.owned
        )
        shared = sorted(at for at, count in users.items() if count > 1)
        if shared:
            raise RuleBroken(f"{shared} have two owners")

    def members(self) -> set[str]:
        try:
            return set(self.world.group().members)
        except KeyError:
            return set()

    def settle(self) -> None:
        """The sky clears: all that live heartbeat, and nothing gets lost."""
        self.commit()
        self._hear()
        assert not self.waiting
        self.world.commits_at_once = True
        for _ in range(ROUNDS_TO_SETTLE):
            for client in self.clients:
                client.obey()
                client.beat()
                self.check_owners()
            self.world.pass_time(REBALANCE_TIMEOUT_MS // 10)
        if self.clients:
            self.check_settled()

    def check_settled(self) -> None:
        group = self.world.group()
        if group.state != "Stable" or group.members.keys() != {c.member_id for c in self.clients}:
            raise RuleBroken(f"the group is {group.state} with {list(group.members)}")
        wanted = {name: self._subscribers(name) for name in self.world.catalogue.topics}
        for name, subscribers in wanted.items():
            for at in self.world.partitions(name):
                users = [client for client in self.clients if at in client.owned]
                if len(users) != bool(subscribers):
                    raise RuleBroken(f"{name}-{at.partition} has {len(users)} owners")
                if not all(user in subscribers for user in users):
                    raise RuleBroken(f"{name}-{at.partition} is owned by who does not want it")
        known = {at for name in wanted for at in self.world.partitions(name)}
        if any(client.owned - known for client in self.clients):
            raise RuleBroken("somebody owns what is gone")

    def _subscribers(self, name: str) -> list[Consumer]:
        return [
            client
            for client in self.clients
            if name in client.topics or (client.regex and name.startswith("orders"))
        ]


def _said(client: Consumer, ticket: Ticket) -> bool:
    """Whether the coordinator knows now what the client wants now."""
    return isinstance(ticket.request, ConsumerHeartbeat) and ticket.request.topics == client.topics


def storm(random: Random, steps: int = 60) -> Storm:
    """Raises RuleBroken."""
    happening = Storm(random)
    for _ in range(steps):
        happening.step()
    happening.settle()
    return happening
