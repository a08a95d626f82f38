"""What a client knows of the cluster: it asks when it must, and not more often."""

from __future__ import annotations

from impl.clients.core.asking import Ask
from impl.clients.core.cluster_view import ClusterView
from impl.wire import Struct
from spec.wire.errors import ErrorCode

AGE_MS, BACKOFF_MS = 10_000, 100


def metadata(leader_id: int = 1, error: ErrorCode = ErrorCode.NONE) -> Struct:
    partition = Struct(partition_index=0, leader_id=leader_id)
    return Struct(
        brokers=[Struct(node_id=1, host="h", port=1), Struct(node_id=2, host="h", port=2)],
        topics=[Struct(name="t", error_code=error, partitions=[] if error else [partition])],
    )


def view() -> ClusterView:
    started = ClusterView(AGE_MS, BACKOFF_MS, timeout_ms=1_000)
    started.want("t")
    return started


def asks(known: ClusterView, now_ms: int) -> list[Ask]:
    """What it asks at that time, and not earlier."""
    assert known.next_deadline_ms() == now_ms
    assert known.tick(now_ms - 1) == []
    return known.tick(now_ms)


def answer(known: ClusterView, ask: Ask, body: Struct | None, now_ms: int) -> None:
    assert known.answered(ask, body, now_ms)


def test_nothing_is_asked_for_nothing() -> None:
    assert ClusterView(AGE_MS, BACKOFF_MS, 1_000).next_deadline_ms() is None


def test_what_is_known_is_asked_again_at_metadata_max_age_ms() -> None:
    known = view()
    (ask,) = asks(known, 0)
    assert known.tick(50) == [], "one question at a time"
    answer(known, ask, metadata(), 50)
    assert known.leader("t", 0) == 1
    assert asks(known, 50 + AGE_MS)


def test_what_was_found_to_be_wrong_is_asked_again_after_the_backoff() -> None:
    known = view()
    (ask,) = asks(known, 0)
    answer(known, ask, metadata(1), 50)
    known.doubt()
    (again,) = asks(known, 50 + BACKOFF_MS)
    answer(known, again, metadata(2), 160)
    assert known.leader("t", 0) == 2
    assert known.next_deadline_ms() == 160 + AGE_MS


def test_a_doubt_that_arises_while_the_answer_is_under_way_is_not_forgotten() -> None:
    known = view()
    (ask,) = asks(known, 0)
    known.doubt()
    answer(known, ask, metadata(), 50)
    assert asks(known, 50 + BACKOFF_MS)


def test_who_leads_nothing_or_is_no_broker_any_more_is_no_leader() -> None:
    known = view()
    (ask,) = asks(known, 0)
    answer(known, ask, metadata(-1), 50)
    assert known.leader("t", 0) is None
    (ask,) = asks(known, 50 + BACKOFF_MS)
    answer(known, ask, metadata(3), 160)
    assert known.leader("t", 0) is None


def test_an_error_and_silence_leave_what_was_known() -> None:
    known = view()
    (ask,) = asks(known, 0)
    answer(known, ask, metadata(), 50)
    known.doubt()
    (ask,) = asks(known, 150)
    answer(known, ask, None, 160)
    (ask,) = asks(known, 260)
    answer(known, ask, metadata(error=ErrorCode.LEADER_NOT_AVAILABLE), 270)
    assert known.partitions("t") == [0]
    assert known.leader("t", 0) == 1
    assert asks(known, 270 + BACKOFF_MS)


def test_a_new_topic_is_asked_for_at_once() -> None:
    known = view()
    (ask,) = asks(known, 0)
    answer(known, ask, metadata(), 50)
    known.want("u")
    (ask,) = known.tick(51)
    assert [each.name for each in ask.body.topics] == ["t", "u"]
