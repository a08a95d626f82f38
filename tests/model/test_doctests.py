"""The examples in the docstrings of the language are true, and every public name has one."""

import doctest
import inspect
from types import ModuleType

import pytest

from model import lang
from model.engines import calculator
from model.engines.calculator import value
from model.engines.explore import explore
from model.lang import (
    Bag,
    Bool,
    Range,
    Record,
    Seq,
    Sort,
    containers,
    expressions,
    machine,
    parts,
    places,
    terms,
)


class Broker(Sort):
    """A broker."""

    size = 3


class Offset(Range):
    """A position in a log."""

    low, high = 0, 9


class Entry(Record):
    """A record in a log."""

    record_id: Offset
    epoch: Offset


class Log(Seq[Entry]):
    """A log."""

    capacity = 3


class Network(Bag[Entry]):
    """What is on its way."""

    capacity = 3


class Door(Record):
    """A door."""

    is_open: Bool


NAMES = {name: getattr(lang, name) for name in lang.__all__} | {
    "value": value,
    "explore": explore,
    "Broker": Broker,
    "Offset": Offset,
    "Entry": Entry,
    "Door": Door,
    "ANY_BROKER": Broker.of_node(lang.nodes.node("default", Broker)),
    "EMPTY_LOG": Log.of_node(lang.nodes.node("default", Log)),
    "EMPTY_NETWORK": Network.of_node(lang.nodes.node("default", Network)),
}
MODULES = (calculator, containers, expressions, machine, parts, places, terms)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_examples_of_a_module_are_true(module: ModuleType) -> None:
    result = doctest.testmod(module, extraglobs=NAMES)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", lang.__all__)
def test_every_public_name_has_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(lang, name)) or "")
