"""Known deviations: how the table is read, and what a line of it covers."""

from pathlib import Path

import pytest

from conformance.deviations import COLUMNS, Deviation, DeviationsError, load, parse
from tests.conformance.test_check import make

HEADER = f"| {' | '.join(COLUMNS)} |\n|---|---|---|---|---|\n"


def test_rows_are_read_and_prose_and_other_tables_are_passed_over() -> None:
    text = f"# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n{HEADER}"
    text += "| tansu | 0.6.*, 0.7.0 | `ACKS-01` | #12 | It accepts acks=2. |\n\nProse.\n"
    found = parse(text)
    assert found == [
        Deviation("tansu", ("0.6.*", "0.7.0"), "ACKS-01", "#12", "It accepts acks=2.")
    ]


def test_a_line_covers_a_target_its_versions_and_the_checks_under_its_clause() -> None:
    known = Deviation("tansu", ("0.6.*",), "ACKS-01", "#12", "It accepts acks=2.")
    assert known.covers("tansu", "0.6.3", make("ACKS-01", "one"))
    assert not known.covers("tansu", "0.7.0", make("ACKS-01", "one"))
    assert not known.covers("tansu", "0.6.3", make("ACKS-02", "one"))
    assert not known.covers("reference", "0.6.3", make("ACKS-01", "one"))


def test_a_row_with_an_empty_column_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "known.md"
    path.write_text(HEADER + "| tansu | 0.6.* | ACKS-01 | | It accepts acks=2. |\n")
    with pytest.raises(DeviationsError, match=r"known\.md: line 3 needs 5 filled columns"):
        load(path)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeviationsError, match="cannot be read"):
        load(tmp_path / "none.md")


def test_the_deviations_of_the_specification_can_be_read() -> None:
    assert all(known.ticket for known in load(None))
