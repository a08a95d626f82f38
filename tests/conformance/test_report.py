"""How a run is told: the five blocks of a failure, the tables, and what machines read."""

import json
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

from conformance.check import Check
from conformance.report import Report, as_json, as_junit, failure, text
from conformance.runner import Result
from conformance.transcript import Transcript
from conformance.verdict import Judgement, Verdict
from spec.clauses import Clause
from tests.conformance.test_check import make

CLAUSES = {
    "ACKS-02": Clause(
        id="ACKS-02",
        area="ACKS",
        level="MUST",
        title="acks=0 is not answered",
        text="When a request asks for `acks` 0\nthe broker MUST NOT send a response.\n\nMore.",
        since="0.8.0",
        source="`KafkaApis.handleProduceRequest`",
        chapter="acks.md",
        unchecked=None,
    )
}

FIVE_BLOCKS = """\
VIOLATION ACKS-02/one

  The clause: ACKS-02 (MUST) acks=0 is not answered
    When a request asks for `acks` 0 the broker MUST NOT send a response.
    Demanded: Something is demanded.

  What we did:
     1  A connects to 127.0.0.1:9092
     2  A → Produce v9 #1 {acks: 0}
     3  A ← a response of 40 bytes

  What is permitted:
    what arrives on connection A: nothing for 0.2 s
    Nobody waits for an answer to acks=0.

  What came back:
    what arrives on connection A: a response of 40 bytes

  Run it again:
    brokerspec conform --target tansu ACKS-02/one"""


def violated() -> Result:
    transcript = Transcript()
    letter = transcript.open()
    transcript.note("connects to 127.0.0.1:9092", letter)
    transcript.note("→ Produce v9 #1 {acks: 0}", letter)
    transcript.note("← a response of 40 bytes", letter)
    judgement = Judgement(
        "what arrives on connection A",
        "a response of 40 bytes",
        "nothing for 0.2 s",
        "Nobody waits for an answer to acks=0.",
    )
    return Result(
        make("ACKS-02", "one"),
        "MUST",
        Verdict.VIOLATION,
        reason="a response\x00",
        seconds=0.25,
        judgement=judgement,
        steps=transcript.steps,
        rerun="brokerspec conform --target tansu ACKS-02/one",
    )


def result(name: str, verdict: Verdict, reason: str = "", finding: str = "") -> Result:
    check: Check = make("WIRE-08", name)
    return Result(check, "MUST", verdict, reason, findings=[finding] if finding else [])


def report(results: Sequence[Result]) -> Report:
    return Report("tansu", "0.6.0", {"Produce": range(3, 10)}, results, CLAUSES, 1.5)


MIXED = report(
    [
        violated(),
        result("fine", Verdict.PASS, finding="Fetch v4 #7: 3 trailing bytes"),
        result("also_fine", Verdict.PASS, finding="Fetch v4 #9: 3 trailing bytes"),
        result("slow", Verdict.INCONCLUSIVE, "no response"),
        result("not_ours", Verdict.NOT_APPLICABLE, "needs cluster"),
    ]
)


def test_a_failure_is_told_in_five_blocks() -> None:
    assert failure(violated(), CLAUSES) == FIVE_BLOCKS


def test_the_text_counts_each_verdict_by_area_and_ends_with_the_sum() -> None:
    lines = text(MIXED).splitlines()
    rows = [line.split() for line in lines if line.startswith(("ACKS ", "WIRE ", "all "))]
    assert rows == [["ACKS", "1"], ["WIRE", "2", "1", "1"], ["all", "2", "1", "0", "1", "1"]]
    assert lines[-1] == (
        "tansu 0.6.0: 2 passed, 1 violated, 1 inconclusive, 1 not applicable, in 1.5 s."
    )


def test_the_text_gives_the_reasons_and_each_finding_once() -> None:
    told = text(MIXED)
    assert "Inconclusive\n  no response\n    WIRE-08/slow\n" in told
    assert "Not applicable\n  needs cluster\n    WIRE-08/not_ours\n" in told
    assert told.count("Fetch v4: 3 trailing bytes (WIRE-08/fine)") == 1
    assert "also_fine)" not in told


def test_the_status_is_good_only_if_something_was_concluded_and_nothing_violated() -> None:
    fine = result("fine", Verdict.PASS)
    slow = result("slow", Verdict.INCONCLUSIVE, "no response")
    assert report([fine, slow]).status == 0
    assert report([result("weak", Verdict.DEVIATION)]).status == 0
    assert report([fine, violated()]).status == 1
    assert report([slow]).status == 1
    assert report([]).status == 1
    assert "No check was conclusive" in text(report([slow]))


def test_the_json_document_has_an_entry_for_each_check() -> None:
    document = json.loads(as_json(MIXED))
    assert document["target"] == {"name": "tansu", "version": "0.6.0"}
    assert document["apis"] == {"Produce": [3, 9]}
    assert document["counts"]["violation"] == 1
    first, second, *_ = document["checks"]
    assert first["id"] == "ACKS-02/one"
    assert first["verdict"] == "violation"
    assert first["steps"][1] == "  2  A → Produce v9 #1 {acks: 0}"
    assert first["judgement"]["permitted"] == "nothing for 0.2 s"
    assert second["verdict"] == "pass"
    assert "steps" not in second


def test_the_junit_document_is_xml_that_counts_and_explains() -> None:
    suite = ElementTree.fromstring(as_junit(MIXED)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "1", "2")
    failed = suite.find("testcase/failure")
    assert failed is not None
    assert failed.get("message") == "a response�"
    assert failed.text == FIVE_BLOCKS
    skipped = [each.get("message") for each in suite.iter("skipped")]
    assert skipped == ["inconclusive: no response", "not applicable: needs cluster"]


def test_a_broker_that_died_during_the_run_is_no_success() -> None:
    passed = report([result("fine", Verdict.PASS)])
    assert passed.status == 0
    died = replace(passed, answers=False)
    assert died.status == 1
    assert text(died).endswith("The broker does not answer any more: it died during this run.\n")
    assert json.loads(as_json(died))["answers_at_the_end"] is False
