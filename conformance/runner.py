"""Runs checks one by one against a target, and turns whatever happens into verdicts.

It decides the order (what shares the broker, then what needs a cluster or other settings, then
what may harm it), what is not applicable before it is tried, and whom to blame when the broker has
stopped answering. It refuses to know what any check does, and prints nothing.
"""

import shlex
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.broker import TargetError
from conformance.check import Check, matches
from conformance.client import PATIENCE_S
from conformance.deviations import Deviation
from conformance.session import Session
from conformance.targets.target import Target
from conformance.transcript import Step
from conformance.verdict import Broken, Inconclusive, Judgement, NotApplicable, Verdict, Violation
from spec.clauses import Clause

CHECK_TIMEOUT_S = 60.0
NODES = 3
"""The brokers of a cluster for the checks that need one."""
ALIVE = Judgement(
    "the broker after this check",
    "does not answer ApiVersions and Metadata any more",
    "it answers",
    "Nothing that one client sends may end the service for the others.",
)


@dataclass(frozen=True)
class Result:
    """What one check concluded; `steps` went over the wire, `judgement` says what was wrong."""

    check: Check
    level: str
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    judgement: Judgement | None = None
    steps: Sequence[Step] = ()
    findings: Sequence[str] = ()
    rerun: str = ""


@dataclass(frozen=True)
class Plan:
    """How to run: the clauses by id, the known deviations, threads, seconds for each check.

    `patience`: the seconds to wait for one answer where a check does not say how long.
    """

    clauses: Mapping[str, Clause] = field(default_factory=dict)
    deviations: Sequence[Deviation] = ()
    jobs: int = 1
    timeout: float = CHECK_TIMEOUT_S
    patience: float = PATIENCE_S
    progress: Callable[[Result], None] = lambda _: None


def run(checks: Sequence[Check], target: Target, plan: Plan) -> list[Result]:
    """Run the checks on a started target; the results are in the order of the checks."""
    runner = Runner(target, plan)
    runner.run(checks)
    return [runner.results[check.id] for check in checks]


class Runner:
    """One run. `results` fills up as checks are decided."""

    def __init__(self, target: Target, plan: Plan) -> None:
        self.target = target
        self.plan = plan
        self.results: dict[str, Result] = {}
        self._dead: list[Target] = []

    def run(self, checks: Sequence[Check]) -> None:
        ready = [check for check in checks if not self._excluded(check)]
        here = [check for check in ready if self._runs_here(check)]
        self._run_shared(self.target, [check for check in here if not check.alone])
        for group in by_place(check for check in ready if not self._runs_here(check)):
            self._run_elsewhere(group)
        for check in sorted((check for check in here if check.alone), key=harm):
            self._run_alone(self.target, check)

    def _runs_here(self, check: Check) -> bool:
        """Whether the target will do, with its settings and its number of brokers."""
        return not check.settings and ("cluster" not in check.needs or self.target.size > 1)

    # What runs where

    def _run_shared(self, target: Target, checks: Sequence[Check]) -> None:
        """Checks that do not disturb each other, in threads if the plan says so.

        If the broker stops answering among several, all that have not passed run again one by one,
        so that the guilty one is known.
        """
        if self.plan.jobs > 1:
            tried = self._try_at_once(target, checks)
            if target.answers():
                for result in tried:
                    self._decide(result)
                return
            for result in tried:
                if result.verdict is Verdict.PASS:
                    self._decide(result)
            self._revive(target)
        for check in checks:
            if check.id not in self.results:
                self._run_alone(target, check)

    def _try_at_once(self, target: Target, checks: Sequence[Check]) -> list[Result]:
        """Run several at a time. An interrupt waits for none of them."""
        pool = ThreadPoolExecutor(self.plan.jobs)
        try:
            return list(pool.map(lambda check: self._try(target, check), checks))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _run_elsewhere(self, checks: Sequence[Check]) -> None:
        """Checks that need the same settings and number of brokers, on brokers of their own."""
        nodes = NODES if "cluster" in checks[0].needs else 1
        try:
            target = self.target.under(checks[0].settings, nodes)
        except TargetError as error:
            for check in checks:
                self._decide(self._result(check, Verdict.NOT_APPLICABLE, str(error)))
            return
        try:
            target.start()
            self._run_shared(target, [check for check in checks if not check.alone])
            for check in sorted((check for check in checks if check.alone), key=harm):
                self._run_alone(target, check)
        except TargetError as error:
            for check in checks:
                if check.id not in self.results:
                    reason = f"no brokers, {nodes}, under {dict(check.settings)}: {error}"
                    self._decide(self._result(check, Verdict.INCONCLUSIVE, reason))
        finally:
            target.stop()

    def _run_alone(self, target: Target, check: Check) -> None:
        """One check; if the broker does not answer afterwards, that is this check's violation."""
        if target in self._dead:
            reason = "the broker died before, and could not be started again"
            self._decide(self._result(check, Verdict.INCONCLUSIVE, reason))
            return
        result = self._try(target, check)
        if not target.answers():
            if result.verdict is not Verdict.VIOLATION:
                result = self._violated(result, ALIVE)
            self._revive(target)
        self._decide(result)

    def _revive(self, target: Target) -> None:
        """Start a dead broker anew, or know that it cannot be."""
        try:
            target.revive()
        except TargetError:
            self._dead.append(target)

    # One check

    def _try(self, target: Target, check: Check) -> Result:
        """Run a check to a verdict; whatever it raises ends here."""
        started = time.monotonic()
        result = self._result(check, Verdict.PASS)
        session = Session(target, check.clause.lower(), self.plan.timeout, self.plan.patience)
        try:
            check.body(session)
        except Violation as violation:
            result = self._violated(result, violation.judgement)
        except Broken as error:
            because = f"{check.clause} demands an answer here."
            result = self._violated(
                result, Judgement("the answer", str(error), "an answer that can be read", because)
            )
        except Inconclusive as error:
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=str(error))
        except NotApplicable as error:
            result = replace(result, verdict=Verdict.NOT_APPLICABLE, reason=str(error))
        except Exception as error:
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=fault_of(error))
        seconds = time.monotonic() - started
        steps, findings = session.transcript.steps, session.transcript.findings
        session.close()
        return replace(result, seconds=seconds, steps=steps, findings=findings)

    def _excluded(self, check: Check) -> bool:
        """Decide what is not applicable before it is tried."""
        reason = self._not_applicable(check)
        if reason:
            self._decide(self._result(check, Verdict.NOT_APPLICABLE, reason))
        return bool(reason)

    def _not_applicable(self, check: Check) -> str:
        """Why a check does not concern the target, or nothing."""
        profile, versions = self.target.profile, self.target.versions
        for prefix, reason in profile.not_applicable.items():
            if matches(check, prefix):
                return reason
        for api in check.apis:
            offered = versions.get(api.name, range(0))
            if not any(api.lowest <= version <= api.highest for version in offered):
                return f"{profile.name} does not advertise {api}"
        missing = check.needs - self.target.capabilities
        return f"needs {' and '.join(sorted(missing))}" if missing else ""

    def _violated(self, result: Result, judgement: Judgement) -> Result:
        """A violation, or what the level or the list of deviations makes of it."""
        check, profile = result.check, self.target.profile
        reason = f"{judgement.what}: {judgement.got}"
        verdict = Verdict.VIOLATION if result.level == "MUST" else Verdict.DEVIATION
        for known in self.plan.deviations:
            if known.covers(profile.name, profile.version, check):
                verdict = Verdict.DEVIATION
                reason = f"known ({known.ticket}): {known.what_differs}"
        return replace(result, verdict=verdict, reason=reason, judgement=judgement)

    def _result(self, check: Check, verdict: Verdict, reason: str = "") -> Result:
        level = check.effective_level(self.plan.clauses.get(check.clause))
        rerun = shlex.join(["brokerspec", "conform", *self.target.selector, check.id])
        return Result(check, level, verdict, reason, rerun=rerun)

    def _decide(self, result: Result) -> None:
        self.results[result.check.id] = result
        self.plan.progress(result)


def by_place(checks: Iterable[Check]) -> list[list[Check]]:
    """The checks in groups that can share one broker, or one cluster."""
    groups: dict[object, list[Check]] = {}
    for check in checks:
        place = ("cluster" in check.needs, *sorted(check.settings.items()))
        groups.setdefault(place, []).append(check)
    return list(groups.values())


def harm(check: Check) -> int:
    """How much a check may harm the broker; what may crash it unannounced is last."""
    if check.needs & {"controller", "faults"}:
        return 0
    if "restart" in check.needs:
        return 1
    return 2 if "kill" in check.needs else 3


def fault_of(error: Exception) -> str:
    """An exception of the check itself, with its place, in one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"the check itself failed: {type(error).__name__}: {error} ({place})"
