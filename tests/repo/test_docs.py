"""What the documents say of commands, files and figures is so."""

import configparser
import re
from pathlib import Path

import pytest

import brokerspec
from conformance.command import main as conform
from impl.command import main as broker
from model import catalogue
from model.command import main as check
from spec.clauses import load
from spec.command import main as spec
from tests.repo.files import ROOT

DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
README = (ROOT / "README.md").read_text()


def code_of(document: str) -> str:
    """The indented and the quoted code of a document."""
    text = (ROOT / document).read_text()
    indented = [line for line in text.splitlines() if line.startswith("    ")]
    return "\n".join([*indented, *re.findall(r"`([^`]+)`", text)])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_the_documents_exist(document: str) -> None:
    code = code_of(document)
    named = set(re.findall(r"\bbrokerspec (\w+)", code))
    assert named <= brokerspec.COMMANDS.keys()
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    environments = {name.removeprefix("testenv:") for name in tox.sections()}
    assert set(re.findall(r"tox -e (\w+)", code)) <= environments


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_the_documents_name_exist(document: str) -> None:
    named = set(
        re.findall(r"\b(?:spec|model|impl|conformance|tests)/[\w/.-]*\w", code_of(document))
    )
    assert not {name for name in named if not (ROOT / name).exists()}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_of_the_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.parametrize("command", [check, conform, broker, spec])
def test_help_shows_an_example(command, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SystemExit) as ended:
        command(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "example" in shown
    assert re.search(r"^  brokerspec \w+ ", shown, re.MULTILINE)


def test_the_models_and_designs_that_the_readme_names_exist() -> None:
    for model, design in re.findall(r"brokerspec check (\w+)(?: --design ([\w-]+))?", README):
        catalogue.machine(model, design or None)


def test_the_number_of_clauses_in_the_changelog_is_the_number_of_clauses() -> None:
    (named,) = re.findall(r"(\d+) clauses in (\d+) areas", (ROOT / "CHANGELOG.md").read_text())
    clauses = load()
    assert named == (str(len(clauses)), str(len({clause.area for clause in clauses.values()})))


def test_architecture_stays_short() -> None:
    assert len(Path(ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 120
