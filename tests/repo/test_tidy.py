"""The house rules that a tool can hold: sizes, names, and what must not stand in a file."""

import ast
import re

import pytest

from tests.repo.files import path_of, python_files, text_files

LINES_OF_A_FILE = 500
LINES_OF_A_FUNCTION = 60
# Longer than the rule, each with its reason. This list only shrinks.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS = {
    "tests.model.test_mutate.tank": "a whole machine",
    "tests.model.test_unbounded_prover.logs": "a whole machine",
}

BANNED_NAMES = re.compile(
    r"(^|_)(helper|helpers|util|utils|manager|misc|stuff)($|_)", re.IGNORECASE
)
BANNED_TEXT = {
    r"\bTO" + "DO\\b": "a known hole is a test named known_hole_..., or an issue",
    r"\bFIX" + "ME\\b": "a known hole is a test named known_hole_..., or an issue",
    r"\bX{3}\b": "say what is meant",
    r"/(home|root|work|Users)/[\w.]+": "no path of a machine",
    r"\btime\.sleep\((?!POLL_INTERVAL_S\))": "poll a condition instead",
}


@pytest.mark.parametrize("module", python_files())
def test_files_and_functions_are_short(module: str) -> None:
    lines = len(path_of(module).read_text().splitlines())
    assert lines <= LINES_OF_A_FILE or module in LONG_FILES, f"{module} has {lines} lines"
    for node in ast.walk(python_files()[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            length = node.end_lineno - node.lineno + 1
            name = f"{module}.{node.name}"
            assert length <= LINES_OF_A_FUNCTION or name in LONG_FUNCTIONS, (
                f"{name}: {length} lines"
            )


@pytest.mark.parametrize("module", python_files())
def test_modules_say_what_they_are_for(module: str) -> None:
    tree = python_files()[module]
    assert not tree.body or ast.get_docstring(tree), f"{module} has no docstring"


@pytest.mark.parametrize("module", python_files())
def test_names_say_something(module: str) -> None:
    names = module.split(".")
    for node in ast.walk(python_files()[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
    assert not [name for name in names if BANNED_NAMES.search(name)]


@pytest.mark.parametrize("pattern", BANNED_TEXT)
def test_no_file_has(pattern: str) -> None:
    found = []
    for path in text_files():
        if path.suffix != ".json" and path.name != "test_tidy.py":
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(pattern, line):
                    found.append(f"{path.name}:{number}: {line.strip()}")
    assert not found, f"{BANNED_TEXT[pattern]}\n" + "\n".join(found)


def test_the_identity_of_model_states_is_derived() -> None:
    for module, tree in python_files().items():
        if module.startswith("model.areas"):
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    assert node.name not in ("__eq__", "__hash__"), module
