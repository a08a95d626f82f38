"""The reader of clauses on small chapters, and the rules that hold for the real ones."""

import re
from pathlib import Path

import pytest

from spec.clauses import HERE, Clause, ClauseError, load

GOOD = """# Acknowledgements

Prose before the first clause.

### ACKS-02 (MUST) acks=0 is not answered

The broker MUST NOT answer. It MAY log.

| acks | answer |
|---|---|
| 0 | none |

- Since: 0.8.0 (all protocols)
- Source: `KafkaApis.handleProduceRequest`,
  KIP-13

## A section that is no clause

More prose, with a MUST that belongs to nobody.

```
### not a heading, but an example
```

### ACKS-01 (SHOULD) Another one

A broker SHOULD answer.

- Since: 4.0
- Source: KIP-1
- Unchecked: needs several brokers
"""


def chapter(folder: Path, text: str, name: str = "acks.md") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(ClauseError) as caught:
        load(folder)
    return [line.removeprefix(f"{folder.name}/") for line in str(caught.value).splitlines()]


def test_clauses_are_read_in_the_order_of_their_ids(tmp_path: Path) -> None:
    clauses = load(chapter(tmp_path, GOOD))
    assert list(clauses) == ["ACKS-01", "ACKS-02"]
    assert clauses["ACKS-02"] == Clause(
        id="ACKS-02",
        area="ACKS",
        level="MUST",
        title="acks=0 is not answered",
        text="The broker MUST NOT answer. It MAY log.\n\n"
        "| acks | answer |\n|---|---|\n| 0 | none |",
        since="0.8.0 (all protocols)",
        source="`KafkaApis.handleProduceRequest`, KIP-13",
        chapter="acks.md",
        unchecked=None,
    )
    assert clauses["ACKS-01"].unchecked == "needs several brokers"


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            "### ACKS-02 (MUST) acks",
            "### ACKS-2 (MUST) acks",
            "acks.md:5: A heading of level 3 is a clause and reads '### ACKS-02 (MUST) Title', "
            "not '### ACKS-2 (MUST) acks=0 is not answered'.",
        ),
        ("###", "####", None),
        ("- Since: 4.0\n", "", "acks.md:25: ACKS-01 has no line '- Since: ...'."),
        ("- Source: KIP-1\n", "", "acks.md:25: ACKS-01 has no line '- Source: ...'."),
        ("- Source: KIP-1\n", "- Source:\n", "acks.md:25: The line '- Source:' is empty."),
        (
            "Since: 4.0",
            "Since: long ago",
            "acks.md:25: 'Since' of ACKS-01 begins with a version such as 0.11.0, not 'long ago'.",
        ),
        (
            "(MUST)",
            "(SHOULD)",
            "acks.md:5: ACKS-02 is headed SHOULD but the strongest word of its text is MUST.",
        ),
        (
            "(SHOULD)",
            "(MUST)",
            "acks.md:25: ACKS-01 is headed MUST but the strongest word of its text is SHOULD.",
        ),
        (
            "A broker SHOULD answer",
            "A broker should answer",
            "acks.md:25: ACKS-01 demands nothing: its text has none of MUST, SHOULD, MAY.",
        ),
        (
            "ACKS-01",
            "ACKS-02",
            "acks.md:25: ACKS-02 stands already in acks.md:5; ids are not reused.",
        ),
        (
            "  KIP-13\n",
            "  KIP-13\n\nAn afterthought.\n",
            "acks.md:17: Text after the closing lines belongs before them.",
        ),
        (
            "- Source: KIP-1\n",
            "- Source: KIP-1\n- Source: KIP-2\n",
            "acks.md:31: A second line '- Source:' in one clause.",
        ),
    ],
)
def test_a_fault_is_a_sentence_with_its_place(
    tmp_path: Path, before: str, after: str, fault: str | None
) -> None:
    folder = chapter(tmp_path, GOOD.replace(before, after))
    if fault is None:
        assert load(folder) == {}, "headings below level 3 are no clauses"
    else:
        assert faults(folder) == [fault]


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    chapter(tmp_path, GOOD.replace("- Since: 4.0\n", ""))
    chapter(tmp_path, GOOD, name="twice.md")
    assert len(faults(tmp_path)) == 2


def test_the_chapters_of_this_project_are_well_formed() -> None:
    assert all(clause.text and clause.title for clause in load().values())


def test_a_withdrawn_id_is_not_minted_again() -> None:
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    _, _, withdrawn = readme.partition("## Withdrawn ids")
    assert withdrawn, "spec/README.md lost its section on withdrawn ids"
    table = withdrawn.partition("\n## ")[0]
    assert not set(re.findall(r"^\| ([A-Z]{4}-\d{2}) \|", table, re.MULTILINE)) & set(load())


def test_a_clause_mentioned_in_a_chapter_exists() -> None:
    clauses = load()
    unknown = {
        f"{path.name}: {id_}"
        for path in HERE.glob("*.md")
        if path.name != "README.md"
        for id_ in re.findall(r"\b[A-Z]{4}-\d{2}\b(?!\d)", path.read_text(encoding="utf-8"))
        if id_ not in clauses
    }
    assert not unknown


def test_links_between_chapters_lead_somewhere() -> None:
    broken = {
        f"{path.name}: {target}"
        for path in HERE.glob("*.md")
        for target in re.findall(r"\]\(([^)#:\s]+)\)", path.read_text(encoding="utf-8"))
        if not (HERE / target).exists()
    }
    assert not broken


def test_every_chapter_has_its_place_in_the_reading_order() -> None:
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    order = re.findall(r"^\d+\. \[[^]]+\]\(([^)]+)\)", readme, re.MULTILINE)
    assert sorted(order) == sorted(
        path.name for path in HERE.glob("*.md") if path.name != "README.md"
    )
