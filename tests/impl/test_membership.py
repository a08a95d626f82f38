"""A broker's own life: when it talks to the controller, and what it makes of the answers."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID

import pytest

from impl.core.cluster.broker_messages import (
    BrokerHeartbeat,
    BrokerHeartbeatReply,
    BrokerRegistered,
    RegisterBroker,
)
from impl.core.cluster.membership import Membership
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.standing import NO_BROKER_EPOCH, Standing
from impl.core.config import BrokerConfig
from impl.core.events import Send
from spec.wire.errors import ErrorCode

E = ErrorCode
FIRST, SECOND = Endpoint(1, "localhost", 9093), Endpoint(2, "localhost", 9094)
OWN = Endpoint(3, "localhost", 9095)
START_MS = 1_000


class Life:
    """Broker 3, whose registration is at offset 10 of the metadata log."""

    def __init__(self, controller: Endpoint | None = FIRST) -> None:
        self.standing = Standing(3, "cluster", controller=controller)
        self.now_ms = START_MS
        self.applied = -1
        ids = count(1)
        self.membership = Membership(
            self.standing, OWN, BrokerConfig(), lambda: UUID(int=next(ids)), 5, START_MS
        )

    def tick(self) -> Send | None:
        outputs = self.membership.tick(self.now_ms, self.applied)
        assert len(outputs) <= 1
        for output in outputs:
            assert isinstance(output, Send)
            return output
        return None

    def sent(self) -> Send:
        sent = self.tick()
        assert sent is not None
        return sent

    def answer(self, sent: Send, answer: Any) -> None:
        assert self.membership.answered(sent, answer, self.now_ms) == []

    def pass_until_due(self) -> None:
        deadline_ms = self.membership.next_deadline_ms()
        assert deadline_ms is not None
        self.now_ms = max(self.now_ms, deadline_ms)

    def register(self) -> None:
        self.answer(self.sent(), BrokerRegistered(broker_epoch=10))

    def join(self) -> None:
        self.register()
        self.applied = 10
        self.answer(self.sent(), BrokerHeartbeatReply(is_caught_up=True, is_fenced=False))
        assert self.membership.is_unfenced


@pytest.fixture
def life() -> Life:
    return Life()


def test_a_broker_registers_first_and_learns_its_epoch(life: Life) -> None:
    sent = life.sent()
    assert sent.to == FIRST
    assert sent.request == RegisterBroker(OWN, "cluster", UUID(int=1), 5)
    life.answer(sent, BrokerRegistered(broker_epoch=10))
    assert life.standing.broker_epoch == 10
    assert not life.membership.is_unfenced


def test_one_request_is_under_way_at_a_time(life: Life) -> None:
    life.sent()
    assert life.tick() is None
    assert life.membership.next_deadline_ms() is None


def test_a_broker_that_catches_up_says_so_at_once(life: Life) -> None:
    life.register()
    life.applied = 9
    sent = life.sent()
    assert sent.request == BrokerHeartbeat(3, 10, 9)
    life.answer(sent, BrokerHeartbeatReply())
    assert life.tick() is None
    life.applied = 10
    assert life.sent().request == BrokerHeartbeat(3, 10, 10)


def test_a_member_is_heard_of_at_every_interval(life: Life) -> None:
    life.join()
    assert life.membership.next_deadline_ms() == life.now_ms + 2_000
    life.applied = 50
    assert life.tick() is None
    life.pass_until_due()
    assert life.sent().request == BrokerHeartbeat(3, 10, 50)


def test_who_gets_no_answer_tries_again_ever_later(life: Life) -> None:
    pauses = []
    for _ in range(7):
        life.answer(life.sent(), None)
        before = life.now_ms
        life.pass_until_due()
        pauses.append(life.now_ms - before)
    assert pauses == [100, 200, 400, 800, 1_600, 2_000, 2_000]


def test_who_is_refused_tries_again(life: Life) -> None:
    life.answer(life.sent(), BrokerRegistered(E.DUPLICATE_BROKER_REGISTRATION))
    assert life.standing.broker_epoch == NO_BROKER_EPOCH
    life.pass_until_due()
    assert isinstance(life.sent().request, RegisterBroker)


def test_a_former_life_is_over_when_the_controller_says_so(life: Life) -> None:
    life.join()
    life.pass_until_due()
    life.answer(life.sent(), BrokerHeartbeatReply(E.STALE_BROKER_EPOCH))
    assert life.standing.broker_epoch == NO_BROKER_EPOCH
    assert not life.membership.is_unfenced
    life.pass_until_due()
    assert life.sent().request == RegisterBroker(OWN, "cluster", UUID(int=1), 5)


def test_a_new_controller_is_asked_at_once_and_the_former_one_is_not_heard(life: Life) -> None:
    life.join()
    life.pass_until_due()
    late = life.sent()
    life.standing.controller = SECOND
    sent = life.sent()
    assert sent.to == SECOND
    life.answer(late, BrokerHeartbeatReply(is_fenced=True))
    assert life.membership.is_unfenced


def test_without_a_controller_there_is_nothing_to_do() -> None:
    life = Life(controller=None)
    assert life.tick() is None
    assert life.membership.next_deadline_ms() is None
    life.standing.controller = FIRST
    assert isinstance(life.sent().request, RegisterBroker)


# Stopping


def test_a_member_asks_before_it_stops(life: Life) -> None:
    life.join()
    life.membership.begin_shutdown(life.now_ms)
    sent = life.sent()
    assert sent.request == BrokerHeartbeat(3, 10, 10, wants_shut_down=True)
    life.answer(sent, BrokerHeartbeatReply(is_caught_up=True, is_fenced=False))
    assert not life.membership.may_stop
    life.pass_until_due()
    assert life.now_ms == START_MS + 50
    reply = BrokerHeartbeatReply(is_caught_up=True, is_fenced=True, should_shut_down=True)
    life.answer(life.sent(), reply)
    assert life.membership.may_stop
    assert life.tick() is None
    assert life.membership.next_deadline_ms() is None


def test_a_wish_that_comes_up_while_an_answer_is_awaited_is_told_next(life: Life) -> None:
    life.join()
    life.pass_until_due()
    sent = life.sent()
    life.membership.begin_shutdown(life.now_ms)
    life.answer(sent, BrokerHeartbeatReply(is_caught_up=True, is_fenced=False))
    assert life.sent().request.wants_shut_down


def test_a_broker_that_nobody_counts_on_may_stop_at_once(life: Life) -> None:
    life.register()
    life.membership.begin_shutdown(life.now_ms)
    assert life.membership.may_stop


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_broker_without_a_controller_stops_when_it_counts_as_dead(
    life: Life, is_silent: bool
) -> None:
    life.join()
    life.membership.begin_shutdown(life.now_ms)
    life.answer(life.sent(), BrokerHeartbeatReply(is_caught_up=True, is_fenced=False))
    end_ms = life.now_ms + BrokerConfig().broker_session_timeout_ms
    if is_silent:
        life.pass_until_due()
        assert life.tick() is not None
    else:
        life.standing.controller = None
    life.pass_until_due()
    assert life.now_ms == end_ms
    assert life.tick() is None
    assert life.membership.may_stop
    assert life.membership.next_deadline_ms() is None


def test_a_broker_that_was_forgotten_meanwhile_may_stop(life: Life) -> None:
    life.join()
    life.membership.begin_shutdown(life.now_ms)
    life.answer(life.sent(), BrokerHeartbeatReply(E.STALE_BROKER_EPOCH))
    assert life.membership.may_stop
