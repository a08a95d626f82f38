"""`brokerspec conform` on the command line: what it prints, and its exit status."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import command
from conformance.broker import TargetError
from conformance.check import registry
from conformance.targets.catalogue import open_target, parse_address
from spec import clauses


def conform(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of one run in this process."""
    status = command.main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


def test_a_broker_that_is_not_there_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, err = conform(capsys, "--bootstrap-server", "127.0.0.1:1")
    assert (status, out) == (2, "")
    assert err == "brokerspec conform: 127.0.0.1:1 cannot be reached: Connection refused.\n"


@pytest.mark.parametrize(
    "address", ["localhost", ":9092", "host:", "host:x", "h:0", "h:65536", "a:1,b:2"]
)
def test_a_bad_address_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], address: str
) -> None:
    status, out, err = conform(capsys, "--bootstrap-server", address)
    assert (status, out) == (2, "")
    assert err == (
        f"brokerspec conform: {address!r} is no address; write one HOST:PORT,"
        " such as 127.0.0.1:9092.\n"
    )


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert parse_address("[::1]:9092") == ("::1", 9092)


def test_an_unknown_check_or_target_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, _, err = conform(capsys, "NONE-01")
    assert status == 2
    assert err.startswith("brokerspec conform: 'NONE-01' is no area, clause or check")
    status, _, err = conform(capsys, "--target", "pulsar")
    assert status == 2
    assert err.startswith(
        "brokerspec conform: there is no target 'pulsar'; there are apache-kafka"
    )


def test_a_clause_without_a_check_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    clause = next(clause for clause in clauses.load().values() if clause.unchecked)
    said = f"brokerspec conform: {clause.id} has no check: {clause.unchecked}.\n"
    assert conform(capsys, clause.id) == (2, "", said)


def test_the_list_shows_every_check_with_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = conform(capsys, "--list")
    assert status == 0
    table, counts = out.split("\n\n")
    assert counts.startswith(f"{len(registry())} checks: ACKS ")
    shown = {line.split()[0]: line.split()[1] for line in table.splitlines()[2:]}
    assert list(shown) == [check.id for check in registry()]
    assert set(shown.values()) <= {"MUST", "SHOULD", "MAY"}


def test_only_apache_kafka_comes_in_versions() -> None:
    with pytest.raises(TargetError, match="leave out ':2'"):
        open_target("tansu:2")


def test_kafka_without_java_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TargetError, match="needs Java 17 or newer: there is no java on the PATH"):
        open_target("apache-kafka")


def test_kafka_without_maven_and_home_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "java").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    with pytest.raises(TargetError, match=r"needs Maven \(or KAFKA_HOME\)"):
        open_target("apache-kafka")
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(TargetError, match=r"there is no kafka_2\.13-\*\.jar in"):
        open_target("apache-kafka")


def test_the_reports_for_machines_are_written_and_the_text_makes_way(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    junit = tmp_path / "junit.xml"
    status, out, err = conform(capsys, "ACKS-02", "--json", "-", "--junit", str(junit))
    assert status == 0, err
    document = json.loads(out)
    assert {check["verdict"] for check in document["checks"]} == {"pass"}
    assert "passed" in err
    assert junit.read_text(encoding="utf-8").startswith("<?xml")


def test_a_report_that_cannot_be_written_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, err = conform(capsys, "ACKS-02", "--json", str(tmp_path / "no" / "file"))
    assert (status, out) == (2, "")  # No broker was started for it.
    assert err.endswith("cannot be written: No such file or directory.\n")


def test_a_run_that_is_interrupted_stops_the_broker() -> None:
    """The broker is a process of its own session, so nothing but the suite would stop it."""
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.interrupted_run"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert run.stdout is not None
        broker = int(run.stdout.readline())
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=30) == 128 + signal.SIGINT
        with pytest.raises(ProcessLookupError):
            os.kill(broker, 0)
    finally:
        run.kill()
        run.wait()
        assert run.stdout is not None
        run.stdout.close()
