"""Replicas in a storm: random elections, losses, delays and crashes, and rules left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from impl.core.data import following, reading
from impl.core.data.leadership import Leadership, Proposal
from impl.core.data.partition import Partition
from impl.core.log.leader_epochs import EpochEnd
from impl.core.log.log import Log
from tests.impl.replication_storm import NODES, Storm

Nodes = st.sampled_from(NODES)
Places = st.integers(0, 7)
Times = st.sampled_from([10, 60, 600, 1_600])


class Replication(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.storm = Storm()

    @rule(node=Nodes)
    def produce(self, node: int) -> None:
        self.storm.produce(node)

    @rule(places=st.lists(Places, min_size=1, max_size=6))
    def carry(self, places: list[int]) -> None:
        for place in places:
            self.storm.carry(place)
            self.storm.check()

    @rule(place=Places)
    def lose(self, place: int) -> None:
        self.storm.lose(place)

    @rule(place=Places)
    def time_out(self, place: int) -> None:
        self.storm.time_out(place)

    @rule(milliseconds=Times)
    def pass_time(self, milliseconds: int) -> None:
        self.storm.pass_time(milliseconds)

    @rule(node=Nodes, records=st.integers(1, 4))
    def learn(self, node: int, records: int) -> None:
        self.storm.learn(node, records)

    @rule(node=Nodes, what=st.sampled_from(["elect", "fence", "unfence"]))
    def decide(self, node: int, what: str) -> None:
        getattr(self.storm, what)(node)

    @rule(node=Nodes, what=st.sampled_from(["kill", "restart", "lose_power"]))
    def fail(self, node: int, what: str) -> None:
        getattr(self.storm, what)(node)

    @invariant()
    def holds(self) -> None:
        self.storm.check()

    def teardown(self) -> None:
        self.storm.calm()


Replication.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, derandomize=True
)
TestReplication = Replication.TestCase

ACTIONS: dict[str, float] = {
    "produce": 4,
    "carry": 20,
    "lose": 1,
    "time_out": 0.5,
    "pass_time": 5,
    "learn": 8,
    "elect": 2,
    "fence": 0.5,
    "unfence": 1,
    "kill": 0.3,
    "restart": 1,
    "lose_power": 0.15,
}


def storm(seed: int, steps: int = 400) -> None:
    """One walk, weighted so that records do get committed, and each in another climate."""
    random, storm = Random(seed), Storm()
    at_once = random.choice([1, 4, 20])
    weights = [weight * random.choice([0.1, 0.5, 1, 3]) for weight in ACTIONS.values()]
    for what in random.choices(list(ACTIONS), weights, k=steps):
        if what in ("carry", "lose", "time_out"):
            getattr(storm, what)(random.randrange(8))
        elif what == "pass_time":
            storm.pass_time(random.choice([10, 60, 60, 600, 1_600]))
        elif what == "learn":
            storm.learn(random.choice(NODES), random.randint(1, at_once))
        else:
            getattr(storm, what)(random.choice(NODES))
        storm.check()
    storm.calm()


def storms(seeds: Iterable[int]) -> None:
    for seed in seeds:
        storm(seed)


def test_what_is_committed_survives() -> None:
    storms(range(40))


@pytest.mark.deep
def test_what_is_committed_survives_many_storms() -> None:
    storms(range(40, 2_000))


# Rules left out. Each of these brokers loses something, and a storm finds out.


def _isr_without_what_is_proposed(self: Leadership) -> tuple[int, ...]:
    return self.isr


def _isr_without_what_is_to_go(self: Leadership) -> tuple[int, ...]:
    return self.isr if self.proposal is None else tuple(b for b, _ in self.proposal.isr)


def _commits_what_the_leader_has(_self: Leadership, log_end_offset: int, _now_ms: int) -> int:
    return log_end_offset


def _voids_a_proposal_on_old_news(original: Callable[..., Any]) -> Callable[..., Any]:
    def assign(self: Leadership, assignment: Any, now_ms: int) -> None:
        self.proposal = None
        original(self, assignment, now_ms)

    return assign


def _names_no_life(original: Callable[..., Any]) -> Callable[..., Any]:
    def propose(self: Leadership, *args: Any) -> Proposal:
        proposal: Proposal = original(self, *args)
        return replace(proposal, isr=tuple((broker_id, -1) for broker_id, _ in proposal.isr))

    return propose


def _forgets_where_its_epoch_began(original: Callable[..., bool]) -> Callable[..., bool]:
    def propose_to_add(self: Leadership, *args: Any) -> bool:
        self.epoch_start_offset = 0
        return original(self, *args)

    return propose_to_add


class Mutant(NamedTuple):
    """`seed`: of a storm that finds it, so that the search is short."""

    owner: Any
    attribute: str
    replacement: Any
    seed: int = 0


MUTANTS: dict[str, Mutant] = {
    "REPL-01: a proposed addition does not count": Mutant(
        Leadership, "maximal_isr", property(_isr_without_what_is_proposed), seed=24
    ),
    "REPL-01: a proposed removal counts at once": Mutant(
        Leadership, "maximal_isr", property(_isr_without_what_is_to_go)
    ),
    "REPL-01: followers do not count": Mutant(
        Leadership, "reached_offset", _commits_what_the_leader_has
    ),
    "REPL-01: old news void a proposal": Mutant(
        Leadership, "assign", _voids_a_proposal_on_old_news(Leadership.assign), seed=435
    ),
    "REPL-05: the start of the epoch does not count": Mutant(
        Leadership,
        "propose_to_add",
        _forgets_where_its_epoch_began(Leadership.propose_to_add),
        seed=954,
    ),
    "REPL-06: the life of a follower is not named": Mutant(
        Leadership, "_propose", _names_no_life(Leadership._propose), seed=135
    ),
    "REPL-12: nobody cuts": Mutant(Log, "truncate_to", lambda *_: None),
    "REPL-12: no leader sees where logs part": Mutant(reading, "divergence", lambda *_: None),
    "REPL-12: the own end of the epoch does not count": Mutant(
        following,
        "cut_offset",
        lambda log, leader: min(leader.end_offset, log.log_end_offset),
        seed=9,
    ),
    "REPL-12: the epoch does not count": Mutant(
        Partition, "end_of_epoch", lambda self, epoch: EpochEnd(epoch, self.log.log_end_offset)
    ),
    "ELEC-07: a new leader notes no epoch": Mutant(Log, "begin_epoch", lambda *_: None),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_storm_finds_a_rule_that_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    monkeypatch.setattr(mutant.owner, mutant.attribute, mutant.replacement)
    with pytest.raises((AssertionError, IndexError)):  # or the broker itself falls over
        storms((mutant.seed, *range(300)))
