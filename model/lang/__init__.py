"""The modelling language: everything a model may use."""

from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.expressions import (
    each,
    every,
    everything,
    exists,
    greatest_of,
    if_else,
    implies,
    largest,
    least_of,
    no_element,
    none,
    set_of,
    smallest,
    some,
    those,
)
from model.lang.machine import LeadsTo, Machine, leads_to, needs
from model.lang.parts import Scope
from model.lang.places import ModelError
from model.lang.terms import Bool, Bound, Enum, Option, Range, Sort, Value

__all__ = [
    "Bag",
    "Bool",
    "Bound",
    "Enum",
    "LeadsTo",
    "Machine",
    "Map",
    "ModelError",
    "Option",
    "Range",
    "Record",
    "Scope",
    "Seq",
    "Set",
    "Sort",
    "Value",
    "each",
    "every",
    "everything",
    "exists",
    "greatest_of",
    "if_else",
    "implies",
    "largest",
    "leads_to",
    "least_of",
    "needs",
    "no_element",
    "none",
    "set_of",
    "smallest",
    "some",
    "those",
]
