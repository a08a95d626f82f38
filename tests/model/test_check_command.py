"""`brokerspec check` as its users see it."""

import json

import pytest

from model.command import main


def test_a_small_scope_prints_its_table_and_exits_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replication", "--scope", "tiny"]) == 0
    out = capsys.readouterr().out
    assert "957" in out
    assert "6 of 6 proved" in out


def test_a_design_that_loses_data_prints_the_trace_and_exits_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["replication", "--design", "kip-101"]) == 1
    out = capsys.readouterr().out
    assert "committed_records_survive_election (REPL-05 REPL-13)" in out
    assert "\n11  " in out
    assert "\n12  " not in out


def test_json_on_standard_output_is_only_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replication", "--scope", "tiny", "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["distinct"], data["generated"], data["depth"]) == (957, 1819, 15)
    assert data["seconds"] > 0
    assert data["properties"]["committed_records_survive_election"]["verdict"] == "holds"
    assert all(proof["proved"] for proof in data["proofs"].values())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a model, or --all"),
        (["replication", "--all"], "name a model, or --all"),
        (["nothing"], "there is no model 'nothing'"),
        (["replication", "--design", "kip-1"], "replication has no design 'kip-1'"),
        (["replication", "--scope", "huge"], "replication has no scope 'huge'"),
        (["--all", "--design", "kip-101"], "leave out --design"),
        (["replication", "--scope", "tiny", "--json", "/nowhere/file"], "No such file"),
    ],
)
def test_bad_input_gets_a_sentence_and_status_two(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err
