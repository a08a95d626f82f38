"""The reference broker passes the whole suite, over TCP, started as anybody would start it."""

from conformance.check import registry
from conformance.report import failure
from conformance.runner import Plan, run
from conformance.targets.reference import Reference
from conformance.verdict import Verdict
from spec import clauses

AT_ONCE = 4


def test_the_reference_broker_passes_every_check_that_concerns_it() -> None:
    known = clauses.load()
    broker = Reference()
    try:
        broker.start()
        results = run(registry(), broker, Plan(clauses=known, jobs=AT_ONCE))
    finally:
        broker.stop()
    unmet = [
        failure(result, known) if result.judgement else f"{result.check.id}: {result.reason}"
        for result in results
        if result.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    ]
    assert not unmet, "\n\n".join(unmet)
    odd = [finding for result in results for finding in result.findings]
    assert not odd, "\n".join(odd)
