"""`brokerspec check` as its users see it."""

import json
from pathlib import Path

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
        (["replication", "--property", "fun"], "replication has no claim 'fun'; it has isr_of_"),
        (["--all", "--export", "tla"], "leave out --export"),
        (["nowhere.py"], "nowhere.py cannot be read: No such file"),
        (["replication", "--design", "kip-101", "--prove"], "replication kip-101 has no proof"),
        (["group", "--scope", "tiny", "--export", "dot"], "choose fields"),
        (
            ["group", "--scope", "tiny", "--trace", "itf", "--states", "1"],
            "nothing to write as itf",
        ),
    ],
)
def test_bad_input_gets_a_sentence_and_status_two(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--explain"], "REPL-05 (MUST) Who may enter the set of in-sync replicas"),
        (["--mutate"], "breaks leader_is_a_member_of_the_isr in 3 states"),
        (["--refine"], "replication kip-320 implements partition-log at scope tiny"),
        (
            ["--property", "two_logs_differ_at_one_offset"],
            "7  leader_accepts_produce(leader=broker2)",
        ),
        (["--property", "replicas_end_up_equal_once_leaders_change_no_more"], "holds"),
        (["--simulate", "20", "--seed", "3"], "20 runs with seed 3"),
        (["--export", "tla"], "MODULE ReplicationKip320"),
        (["--export", "mermaid", "--only", "controller.leader"], "stateDiagram-v2"),
        (["--symmetry"], "orbits"),
        (["--kernel", "plain"], "957"),
        (["--kernel", "numpy"], "957"),
    ],
)
def test_each_reader_prints_what_it_found(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replication", "--scope", "tiny", *arguments]) == 0
    assert sentence in capsys.readouterr().out


def test_a_limit_is_said_and_is_not_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replication", "--scope", "tiny", "--states", "100"]) == 1
    assert "not complete: more than 100 states" in capsys.readouterr().out


def test_a_counterexample_is_written_as_itf_and_as_a_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = ["replication", "--design", "kip-101", "--property"]
    broken += ["committed_records_survive_election", "--trace"]
    assert main([*broken, "itf"]) == 1
    assert len(json.loads(capsys.readouterr().out)["states"]) == 11
    assert main([*broken, "program"]) == 1
    assert 'catalogue.machine("replication", "kip-101")' in capsys.readouterr().out


def test_files_of_an_export_go_into_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["group", "--scope", "tiny", "--export", "tla", "--to", str(tmp_path)]) == 0
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".cfg", ".tla"]
    assert ".tla" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def (", "line 1"),
        ("x = 1", "has no machine"),
        ("x = 1\ny", "mine.py, line 2: NameError"),
        ("from model.lang import *\nclass S(Record): pass", "the record S has no fields"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(text)
    assert main([str(tmp_path / "mine.py")]) == 2
    assert sentence in capsys.readouterr().err
