"""What a producer with several records in flight and the leaders of a simulated partition do is
admitted by the machine of producing, and what they do that breaks a rule is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from impl.core.data.leadership import Leadership
from impl.core.data.partition import Appended, Partition
from impl.core.log.batch import BatchHeader
from impl.core.log.producer_state import Producer, ProducerStates
from model.engines.admit import ADMITTED, REFUSED, Admission
from spec.wire.errors import ErrorCode
from tests.impl.admission_of_produce import watched
from tests.impl.cluster_storm import TOPIC
from tests.impl.produce_storm import produce_storm


def judged(seed: int) -> Admission:
    with watched(TOPIC) as run:
        produce_storm(seed)
    return run.judge()


def steps_of(admission: Admission) -> Counter[str]:
    return Counter(step.partition("(")[0] for step in admission.run.actions)


def test_what_leaders_do_with_a_producers_records_is_admitted() -> None:
    admissions = [judged(seed) for seed in (0, 7)]
    assert [str(each) for each in admissions if each.outcome != ADMITTED] == []
    steps = sum(map(steps_of, admissions), Counter[str]())
    assert steps >= Counter(
        {
            "leader_fails": 3,
            "leader_recognises_duplicate": 10,
            "leader_refuses_sequence": 10,
            "producer_takes_next_epoch": 1,
        }
    )


@pytest.mark.deep
@pytest.mark.parametrize("first", range(0, 1_000, 50))
def test_what_leaders_do_is_admitted_in_many_storms(first: int) -> None:
    for seed in range(first, first + 50):
        admission = judged(seed)
        assert admission.outcome == ADMITTED, f"seed {seed}: {admission}"


# Mutants: a rule is left out, and what is done for some seed of a few must be refused


def _sequences_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """PROD-02, PROD-04."""
    monkeypatch.setattr(ProducerStates, "_check_sequence", lambda *_: None)


def _a_duplicate_is_appended_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """PROD-03."""
    check = ProducerStates.check

    def checks(self: ProducerStates, *given: Any) -> None:
        check(self, *given)

    monkeypatch.setattr(ProducerStates, "check", checks)


def _a_duplicate_is_taken_for_out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """PROD-03."""
    monkeypatch.setattr(Producer, "repetition_of", lambda *_: None)


def _a_duplicate_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """PROD-03, ACKS-05."""
    append = Partition.append

    def appends(self: Partition, *given: Any, **named: Any) -> Appended:
        end = self.log.log_end_offset
        appended = append(self, *given, **named)
        is_new = self.log.log_end_offset > end
        return appended if is_new else appended._replace(required_offset=0)

    monkeypatch.setattr(Partition, "append", appends)


def _a_write_is_acknowledged_before_it_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """ACKS-05."""
    monkeypatch.setattr(Partition, "acknowledgement", lambda *_: ErrorCode.NONE)


def _a_new_epoch_begins_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """PROD-06."""
    check = ProducerStates.check

    def checks(self: ProducerStates, header: BatchHeader, *given: Any) -> object:
        producer = dict(self).get(header.producer_id)
        if producer is not None and header.producer_epoch > producer.epoch:
            return None
        return check(self, header, *given)

    monkeypatch.setattr(ProducerStates, "check", checks)


def _a_new_leader_forgets_the_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    """PROD-08, PROD-09."""
    begin = Partition._begin_to_lead

    def begins(self: Partition, epoch: int) -> Leadership:
        self._producers.states = ProducerStates()
        return begin(self, epoch)

    monkeypatch.setattr(Partition, "_begin_to_lead", begins)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _sequences_are_not_checked,
    _a_duplicate_is_appended_again,
    _a_duplicate_is_taken_for_out_of_order,
    _a_duplicate_does_not_wait,
    _a_write_is_acknowledged_before_it_is_committed,
    _a_new_epoch_begins_anywhere,
    _a_new_leader_forgets_the_producer,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__.strip("_"))
def test_a_rule_that_is_left_out_is_refused(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    assert any(judged(seed).outcome == REFUSED for seed in (0, 1, 29))
