"""`model/README.md` is true: its machine is short, its bug is found, and its fix is one."""

import re
from pathlib import Path

import pytest

from model.command import main
from tests.repo.files import ROOT

TUTORIAL = (ROOT / "model" / "README.md").read_text()
MACHINE = next(re.finditer(r"```python\n(.*?)```", TUTORIAL, re.DOTALL))[1]
TRACE = next(re.finditer(r"```\n(violated.*?)```", TUTORIAL, re.DOTALL))[1]
FIX = next(re.finditer(r"```python fix\n(.*?)```", TUTORIAL, re.DOTALL))[1]
WRONG = "    needs(has_not_ended="


def checked(text: str, folder: Path, *options: str) -> int:
    file = folder / "two_phase_commit.py"
    file.write_text(text)
    return main([str(file), *options])


def test_the_machine_has_fewer_than_40_lines() -> None:
    assert sum(bool(line.strip()) for line in MACHINE.splitlines()) < 40


def test_its_bug_is_found_as_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(MACHINE, tmp_path) == 1
    assert TRACE in capsys.readouterr().out


def test_with_the_fix_all_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = next(line for line in MACHINE.splitlines() if line.startswith(WRONG))
    assert checked(MACHINE.replace(wrong + "\n", FIX), tmp_path) == 0
    states = re.search(r"all (\d+) states are good", TUTORIAL)
    assert states
    assert re.search(rf"two-phase-commit +current +{states[1]} ", capsys.readouterr().out)


def test_every_option_of_check_that_it_names_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = capsys.readouterr().out
    for option in re.findall(r"--[a-z]+", TUTORIAL):
        assert option in known
