"""The committed log of a partition: the contract by itself, and which designs keep it."""

import pytest

from model import catalogue
from model.areas.replication.observed import machine as current
from model.areas.replication.observed import observed
from model.contracts.partition_log import HIDDEN, machine
from model.engines.admit import Event, Look, Operation, admit
from model.engines.explore import Limits, explore
from model.engines.refine import Refined, refine
from model.engines.smt import prove

always = [p for p in machine.properties.values() if p.kind == "always"]


def refined(design: str, scope: str) -> Refined:
    seen = observed(catalogue.machine("replication", design))
    return refine(seen, seen.scopes[scope], seen.refinements["partition-log"])


@pytest.mark.parametrize("scope", machine.scopes.values(), ids=lambda scope: scope.name)
def test_the_contract_holds_and_its_witnesses_are_reached(scope) -> None:  # type: ignore[no-untyped-def]
    seen = explore(machine, scope)
    assert (seen.complete, seen.distinct) == (True, scope.states)
    assert not seen.violations
    assert not seen.never_fired


@pytest.mark.parametrize("claim", always, ids=lambda claim: claim.name)
def test_each_property_is_broken_by_its_mutant(claim) -> None:  # type: ignore[no-untyped-def]
    mutant = machine.mutated(claim.broken_by)
    seen = explore(mutant, machine.scopes[claim.broken_at], Limits(until=[claim.name]))
    assert seen.verdicts[claim.name].outcome == "violated"


@pytest.mark.parametrize("goal", machine.proofs)
def test_each_proof_goes_through(goal: str) -> None:
    assert prove(machine, machine.scopes["default"], goal).proved


def test_what_clients_have_seen_is_no_guard_of_replication() -> None:
    seen = explore(current, current.scopes["tiny"], kernel="plain")
    assert not seen.violations
    plain = catalogue.machine("replication")
    assert explore(plain, plain.scopes["tiny"]).depth == seen.depth


def test_kip_320_keeps_the_contract_and_uses_all_of_it() -> None:
    seen = refine(current, current.scopes["two-brokers"], current.refinements["partition-log"])
    assert seen.outcome == "implemented"
    assert (seen.distinct, seen.steps, seen.pairs) == (123_773, 266_352, 224)
    assert not seen.never_used


@pytest.mark.deep
def test_kip_320_keeps_the_contract_at_its_default_scope() -> None:
    seen = refine(current, current.scopes["default"], current.refinements["partition-log"])
    assert (seen.outcome, seen.distinct, seen.pairs) == ("implemented", 741_910, 33)
    assert not seen.never_used


@pytest.mark.parametrize("design", ["truncate-to-high-watermark", "kip-101"])
def test_a_design_that_loses_records_gives_out_another_at_the_same_offset(design: str) -> None:
    failure = refined(design, "two-brokers").failure
    assert failure is not None
    assert len(failure.trace) == 15
    assert failure.before is not None
    assert failure.after is not None
    assert failure.before["committed"][:12] == "[record_id 0"
    assert failure.after["committed"][:12] in ("[record_id 1", "[record_id 2")


@pytest.mark.parametrize("design", ["kip-279", "kip-320-first-try"])
def test_a_design_without_fencing_commits_a_record_of_a_leader_that_was_replaced(
    design: str,
) -> None:
    failure = refined(design, "two-brokers").failure
    assert failure is not None
    assert len(failure.trace) == 15
    (nearest, *_) = failure.refusals
    assert nearest.step == "record_is_committed(record_id=1, epoch=1)"
    assert nearest.guards == ("epochs_go_up",)
    assert not nearest.differences


@pytest.mark.deep
@pytest.mark.parametrize(
    ("design", "states"),
    [("truncate-to-high-watermark", 14), ("kip-101", 18), ("kip-279", 18)],
)
def test_three_brokers_lose_records_too(design: str, states: int) -> None:
    failure = refined(design, "default").failure
    assert failure is not None
    assert len(failure.trace) == states


@pytest.mark.deep
def test_clients_cannot_see_at_the_default_scope_that_the_first_try_at_kip_320_loses_records() -> (
    None
):
    # Its counterexample ends when a member of the ISR lacks a committed record, after the last of
    # the three epochs; to give out another record there it would have to be elected once more.
    assert refined("kip-320-first-try", "default").outcome == "implemented"


scope = machine.scopes["longer"]


def committed(record: int, epoch: int, called: float, returned: float | None) -> Operation:
    return Operation(
        Event("record_is_committed", {"record_id": record, "epoch": epoch}), called, returned
    )


def read(records: list[tuple[int, int]], called: float, returned: float) -> Operation:
    """A reader is given exactly these records, from the beginning of the log on."""
    seen: dict[str, object] = {"readable": range(len(records), 5)}
    for offset, (record, epoch) in enumerate(records):
        seen[f"committed[{offset}]"] = {"record_id": record, "epoch": epoch}
    return Operation(Look(seen), called, returned)


def test_readers_may_see_less_after_more_but_never_other_records() -> None:
    history = [
        committed(0, 0, 0, 1),
        committed(1, 0, 2, 3),
        read([(0, 0), (1, 0)], 4, 5),
        read([(0, 0)], 6, 7),
        committed(2, 1, 8, None),
        read([(0, 0), (1, 0), (2, 1)], 9, 10),
    ]
    assert admit(machine, scope, history, HIDDEN).outcome == "admitted"
    found = admit(machine, scope, [*history, read([(0, 0), (2, 1)], 11, 12)], HIDDEN)
    assert (found.outcome, found.event) == ("refused", read([(0, 0), (2, 1)], 11, 12))


def test_an_acknowledged_record_that_never_came_is_refused() -> None:
    history = [committed(0, 0, 0, 1), committed(1, 1, 2, None), read([(1, 1)], 3, 4)]
    assert admit(machine, scope, history, HIDDEN).outcome == "refused"
    assert admit(machine, scope, history[1:], HIDDEN).outcome == "admitted"
