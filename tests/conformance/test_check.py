"""What a check is: how it is made, found and selected."""

import ast
from pathlib import Path

import pytest

import conformance.checks
from conformance.check import (
    Api,
    Check,
    SelectionError,
    check,
    registry,
    select,
)
from conformance.session import Session
from spec import clauses


def body(session: Session) -> None:
    """Something is demanded."""


def make(clause: str, name: str) -> Check:
    def function(session: Session) -> None:
        """Something is demanded."""

    function.__name__ = name
    return check(clause)(function)


CHECKS = [make("ACKS-01", "one"), make("ACKS-02", "one"), make("ACKS-02", "one_more")]


def ids(*prefixes: str) -> list[str]:
    return [item.id for item in select(CHECKS, prefixes)]


def test_a_prefix_selects_whole_parts_of_ids() -> None:
    assert ids() == ["ACKS-01/one", "ACKS-02/one", "ACKS-02/one_more"]
    assert ids("ACKS") == ids()
    assert ids("ACKS-02") == ["ACKS-02/one", "ACKS-02/one_more"]
    assert ids("ACKS-02/one") == ["ACKS-02/one"]
    assert ids("ACKS-02/one_more", "ACKS-01") == ["ACKS-01/one", "ACKS-02/one_more"]


@pytest.mark.parametrize("prefix", ["ACK", "ACKS-0", "ACKS-03", "ACKS-02/on", "acks", ""])
def test_a_prefix_that_selects_nothing_is_a_sentence(prefix: str) -> None:
    with pytest.raises(SelectionError, match=r"is no area, clause or check .* shows them all\."):
        ids(prefix)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Fetch", "Fetch"), ("Fetch 4", "Fetch 4"), ("Fetch 4+", "Fetch 4+"), ("Fetch 4-9",) * 2],
)
def test_an_api_is_read_and_shown_in_the_notation_of_kafka(text: str, shown: str) -> None:
    assert str(Api.parse(text)) == shown


@pytest.mark.parametrize("text", ["fetch", "Fetch v4", "Fetch 4-", "Fetch 9-4 ", ""])
def test_a_misspelt_api_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no API"):
        Api.parse(text)


def test_a_check_of_settings_needs_a_broker_that_takes_them() -> None:
    assert check("ACKS-01", settings={"a": "b"})(body).needs == {"config"}


def test_a_check_that_restarts_the_broker_runs_alone() -> None:
    assert check("ACKS-01", needs=["restart"])(body).alone


def test_a_misused_decorator_says_what_it_wants() -> None:
    with pytest.raises(ValueError, match="is no clause id"):
        check("ACKS2")
    with pytest.raises(ValueError, match=r"a check can need cluster, config, .*, not luck"):
        check("ACKS-02", needs=["luck"])
    with pytest.raises(ValueError, match="a level is one of MUST, SHOULD, MAY"):
        check("ACKS-02", level="OUGHT")
    with pytest.raises(ValueError, match="needs a docstring"):
        check("ACKS-02")(lambda _: None)


def test_every_check_is_of_a_clause_that_stands_in_the_specification() -> None:
    known = clauses.load()
    assert [item.id for item in registry() if item.clause not in known] == []


def test_no_check_is_stronger_than_its_clause() -> None:
    known = clauses.load()
    order = {level: rank for rank, level in enumerate(clauses.LEVELS)}
    stronger = [
        item.id
        for item in registry()
        if item.level and order[item.level] < order[known[item.clause].level]
    ]
    assert stronger == []


def test_every_file_of_checks_is_in_the_registry() -> None:
    folder = Path(conformance.checks.__file__).parent
    names = {f"conformance.checks.{p.stem}" for p in folder.glob("*.py") if p.stem != "__init__"}
    assert names == set(conformance.checks.MODULES)


FORBIDDEN = {"asyncio", "select", "selectors", "socket", "threading", "time"}


def test_checks_leave_sockets_threads_and_clocks_to_the_suite() -> None:
    """So that no check can wait without a condition, or blame a broker for a slow machine."""
    folder = Path(conformance.checks.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {node.module or ""}
            else:
                continue
            assert not FORBIDDEN & imported, f"{path.name}:{node.lineno}"
