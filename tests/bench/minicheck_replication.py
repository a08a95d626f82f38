"""Replication with KIP-320 fencing for minicheck, a model checker in Python from PyPI: the steps
of `model/areas/replication.py`, written as its users write them.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Notice = tuple[int | None, frozenset[int]]


class Replica(NamedTuple):
    """What one broker knows; a record is (identity, epoch)."""

    leader: int | None
    epoch: int
    isr: frozenset[int]
    high_watermark: int
    log: tuple[tuple[int, int], ...]


class State(NamedTuple):
    """The partition."""

    replicas: tuple[Replica, ...]
    quorum: Notice
    notices: tuple[Notice, ...]
    next_record: int


FIELDS = State._fields


def first(brokers: int) -> State:
    """No leader, and empty logs."""
    replica = Replica(None, -1, frozenset(), 0, ())
    return State((replica,) * brokers, (None, frozenset(range(brokers))), (), 0)


class Steps:
    """The transitions at one scope; `made` counts the successors."""

    def __init__(self, log_size: int, max_records: int, max_leader_epoch: int) -> None:
        self.log_size, self.max_records = log_size, max_records
        self.epochs = max_leader_epoch + 1
        self.made = 0

    def __call__(self, s: State) -> list[tuple[str, State]]:
        """What minicheck asks for: a label and a state for each step."""
        found = [*self._controller(s), *self._notices(s)]
        for leader, me in enumerate(s.replicas):
            if me.leader == leader:
                found += [*self._leader(s, leader, me), *self._isr(s, leader, me)]
        self.made += len(found)
        return found

    def _controller(self, s: State) -> Iterator[tuple[str, State]]:
        leader, isr = s.quorum
        if len(s.notices) == self.epochs:
            return
        for broker in range(len(s.replicas)):
            if broker in isr and leader != broker:
                yield "elect", decided(s, (broker, isr))
            if leader == broker:
                yield "shrink", decided(s, (None, isr if isr == {broker} else isr - {broker}))
            elif broker in isr:
                yield "shrink", decided(s, (leader, isr - {broker}))

    def _notices(self, s: State) -> Iterator[tuple[str, State]]:
        for epoch, (leader, isr) in enumerate(s.notices):
            if leader is None:
                continue
            led = s.replicas[leader]
            if led.epoch < epoch:
                after = led._replace(leader=leader, epoch=epoch, isr=isr)
                yield "become leader", changed(s, leader, after)
            for broker, me in enumerate(s.replicas):
                if broker == leader or me.epoch >= epoch:
                    continue
                if led.leader == leader and led.epoch == epoch:
                    end = common_end(led.log, me.log)
                    watermark = min(end, me.high_watermark)
                    after = Replica(leader, epoch, isr, watermark, me.log[:end])
                    yield "become follower", changed(s, broker, after)

    def _leader(self, s: State, leader: int, me: Replica) -> Iterator[tuple[str, State]]:
        watermark = me.high_watermark
        if s.next_record < self.max_records and len(me.log) < self.log_size:
            after = me._replace(log=(*me.log, (s.next_record, me.epoch)))
            yield "write", changed(s, leader, after)._replace(next_record=s.next_record + 1)
        if watermark < len(me.log) and all(
            follows(s, b, leader) and watermark < len(s.replicas[b].log) for b in me.isr
        ):
            yield "advance", changed(s, leader, me._replace(high_watermark=watermark + 1))
        for broker, other in enumerate(s.replicas):
            length = len(other.log)
            if broker != leader and follows(s, broker, leader) and length < len(me.log):
                log = (*other.log, me.log[length])
                after = other._replace(log=log, high_watermark=min(watermark, length + 1))
                yield "fetch", changed(s, broker, after)

    def _isr(self, s: State, leader: int, me: Replica) -> Iterator[tuple[str, State]]:
        if s.quorum[0] != leader or me.epoch != len(s.notices) - 1:
            return
        watermark, length = me.high_watermark, len(me.log)
        own = watermark == length or (watermark < length and me.log[watermark][1] == me.epoch)
        for broker, other in enumerate(s.replicas):
            same = follows(s, broker, leader)
            if broker not in me.isr:
                if same and len(other.log) >= watermark and own:
                    yield "expand", isr_changed(s, leader, me.isr | {broker})
            elif broker != leader:
                if not same:
                    yield "remove", isr_changed(s, leader, me.isr - {broker})
                if len(other.log) < length:
                    yield "remove", isr_changed(s, leader, me.isr - {broker})


def changed(s: State, broker: int, after: Replica) -> State:
    """With another replica in the place of one."""
    return s._replace(replicas=(*s.replicas[:broker], after, *s.replicas[broker + 1 :]))


def decided(s: State, notice: Notice) -> State:
    """The controller has decided, and tells it."""
    return s._replace(quorum=notice, notices=(*s.notices, notice))


def isr_changed(s: State, leader: int, isr: frozenset[int]) -> State:
    """Leader and controller have another ISR."""
    after = changed(s, leader, s.replicas[leader]._replace(isr=isr))
    return after._replace(quorum=(s.quorum[0], isr))


def follows(s: State, follower: int, leader: int) -> bool:
    """Both agree that the leader leads, and in which epoch."""
    one, other = s.replicas[follower], s.replicas[leader]
    return one.leader == other.leader == leader and one.epoch == other.epoch


def common_end(one: tuple[Any, ...], other: tuple[Any, ...]) -> int:
    """One past the last offset at which both logs hold the same record."""
    same = (n + 1 for n in reversed(range(min(len(one), len(other)))) if one[n] == other[n])
    return next(same, 0)


def held_by(members: Callable[[dict[str, Any], Replica], frozenset[int]]) -> Callable[..., bool]:
    """The claim that these members hold what a presumed leader committed."""

    def holds(s: dict[str, Any]) -> bool:
        for broker, me in enumerate(s["replicas"]):
            if me.leader == broker and me.high_watermark:
                committed = me.log[: me.high_watermark]
                if len(committed) < me.high_watermark or any(
                    s["replicas"][m].log[: me.high_watermark] != committed for m in members(s, me)
                ):
                    return False
        return True

    return holds


INVARIANTS = {
    "WeakIsr": held_by(lambda _, me: me.isr),
    "StrongIsr": held_by(lambda s, _: s["quorum"][1]),
}
