"""The follower's side of a fetch session: what has to be said, and when all of it."""

from __future__ import annotations

import pytest

from impl.core.data.follower_session import FollowerSession
from impl.core.data.messages import Fetched, FetchPartition
from spec.wire.errors import ErrorCode

A, B = ("a", 0), ("b", 0)


def at(name: str, offset: int) -> FetchPartition:
    return FetchPartition(name, 0, offset, 1)


def begun() -> FollowerSession:
    session = FollowerSession()
    assert session.increment({A: at("a", 0), B: at("b", 0)})[:2] == (0, 0)
    session.answered(Fetched(session_id=7))
    return session


def test_only_changes_are_said_within_a_session() -> None:
    session = begun()
    assert session.increment({A: at("a", 3)}) == (7, 1, (at("a", 3),), ())
    session.answered(Fetched(session_id=7))
    assert session.increment({}) == (7, 2, (), ())
    session.answered(Fetched(session_id=7))
    assert session.increment({B: None}) == (7, 3, (), (B,))


def test_who_gets_no_session_says_everything_each_time() -> None:
    session = FollowerSession()
    session.increment({A: at("a", 0), B: at("b", 0)})
    session.answered(Fetched())
    assert session.increment({A: at("a", 1)}) == (0, 0, (at("a", 1), at("b", 0)), ())


def test_a_lost_answer_ends_the_session() -> None:
    """The leader may have heard the request or not; it is told which session to forget."""
    session = begun()
    session.increment({A: at("a", 3)})
    session.answered(None)
    assert session.increment({}) == (7, 0, (at("a", 3), at("b", 0)), ())


@pytest.mark.parametrize(
    "error", [ErrorCode.FETCH_SESSION_ID_NOT_FOUND, ErrorCode.INVALID_FETCH_SESSION_EPOCH]
)
def test_a_session_that_the_leader_does_not_know_begins_anew(error: ErrorCode) -> None:
    session = begun()
    session.increment({A: None})
    session.answered(Fetched(error=error))
    assert session.increment({}) == (0, 0, (at("b", 0),), ())


def test_the_number_of_a_request_begins_anew_after_the_largest() -> None:
    session = begun()
    session._epoch = 2**31 - 1
    session.answered(Fetched(session_id=7))
    assert session.increment({})[:2] == (7, 1)
