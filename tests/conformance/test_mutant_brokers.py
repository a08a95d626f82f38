"""Every check fails a broker that does what its clause forbids: it has a mutant to show it."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

import pytest

from conformance.check import Check, registry
from conformance.runner import NODES, Plan, Result, run
from conformance.targets.reference import Reference
from conformance.verdict import Verdict
from spec import clauses
from tests.conformance.mutants import Mutant, all_mutants

CHECKS = {check.id: check for check in registry()}
MUTANTS = all_mutants()
AT_ONCE = 3
PATIENCE_S = 3.0
FOUND_OUT = "test_a_mutant_broker_is_found_out"


class MutantBroker(Reference):
    """The reference broker with one fault, started like the real one."""

    module = "tests.conformance.mutant_broker"

    def __init__(
        self, mutant: Mutant, settings: Mapping[str, str] | None = None, count: int = 1
    ) -> None:
        super().__init__(settings, count)
        self.mutant = mutant
        self.arguments = (mutant.as_argument(),)

    def under(self, settings: Mapping[str, str], nodes: int = 1) -> "MutantBroker":
        return MutantBroker(self.mutant, settings, nodes)


def judge(mutant: Mutant) -> Result:
    """What the mutant's check says of the mutant."""
    check = CHECKS[mutant.check]
    target = MutantBroker(mutant, count=NODES if on_a_cluster(mutant) else 1)
    try:
        target.start()
        return run([check], target, Plan(clauses.load(), patience=PATIENCE_S))[0]
    finally:
        target.stop()


class Judges:
    """Judges mutants when they are asked for, and the next ones that were selected meanwhile."""

    def __init__(self, pool: ThreadPoolExecutor, selected: Sequence[Mutant]) -> None:
        self._pool = pool
        self._selected = selected
        self._results: dict[Mutant, Future[Result]] = {}

    def result(self, mutant: Mutant) -> Result:
        place = self._selected.index(mutant)
        for each in self._selected[place : place + AT_ONCE]:
            if each not in self._results:
                self._results[each] = self._pool.submit(judge, each)
        return self._results[mutant].result()


@pytest.fixture(scope="module")
def judges(request: pytest.FixtureRequest) -> Iterator[Judges]:
    selected: list[Mutant] = [
        cast(Mutant, item.callspec.params["mutant"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == FOUND_OUT
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield Judges(pool, selected)


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_every_check_has_a_mutant_that_fails_it(check: Check) -> None:
    assert any(mutant.check == check.id for mutant in MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.check)
def test_a_mutant_fits_its_module_and_names_a_check(mutant: Mutant) -> None:
    assert mutant.check in CHECKS
    assert mutant.applied_to(mutant.source()) != mutant.source()


def on_a_cluster(mutant: Mutant) -> bool:
    """Whether its check needs three of them, which takes long enough to be done apart."""
    return "cluster" in CHECKS[mutant.check].needs


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(each, id=each.check, marks=[pytest.mark.deep] * on_a_cluster(each))
        for each in MUTANTS
    ],
)
def test_a_mutant_broker_is_found_out(mutant: Mutant, judges: Judges) -> None:
    result = judges.result(mutant)
    assert result.verdict in (Verdict.VIOLATION, Verdict.DEVIATION), result.reason
    assert result.judgement is not None
