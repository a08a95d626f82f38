"""What `brokerspec spec` prints and returns."""

import json
from pathlib import Path

import pytest

from spec import command
from spec.clauses import Clause

CLAUSES = {
    id_: Clause(id_, id_[:4], "MUST", "Title", "It MUST.", "4.0", "KIP-1", "some.md", unchecked)
    for id_, unchecked in {"ACKS-01": None, "ACKS-02": "reason", "REPL-01": None}.items()
}


@pytest.fixture(autouse=True)
def _small_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load", lambda: CLAUSES)


def test_without_a_prefix_the_areas_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["area", "clauses", "MUST", "SHOULD", "MAY", "chapter"],
        ["ACKS", "2", "2", "0", "0", "some.md"],
        ["REPL", "1", "1", "0", "0", "some.md"],
        [],
        ["3", "clauses;", "1", "wait", "for", "a", "property", "or", "a", "check."],
    ]


def test_a_prefix_prints_its_clauses(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["acks"]) == 0
    printed = capsys.readouterr().out
    assert "ACKS-01 (MUST) Title\n\nIt MUST.\n\n- Since: 4.0\n- Source: KIP-1\n" in printed
    assert "- Unchecked: reason" in printed
    assert "REPL" not in printed


def test_an_unknown_prefix_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["ACKS", "ZZZZ"]) == 2
    message = capsys.readouterr().err
    assert message == "brokerspec spec: no clause begins with 'ZZZZ'; the areas are ACKS, REPL.\n"


def test_json_holds_every_field(tmp_path: Path) -> None:
    file = tmp_path / "clauses.json"
    assert command.main(["REPL", "--json", str(file)]) == 0
    assert [Clause(**fields) for fields in json.loads(file.read_text())] == [CLAUSES["REPL-01"]]


def test_a_file_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    assert command.main(["--json", str(tmp_path / "absent" / "file")]) == 2


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"])
    assert left.value.code == 0
    assert "brokerspec spec ACKS-02" in capsys.readouterr().out
