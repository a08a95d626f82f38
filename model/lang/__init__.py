"""The modelling language: everything a model may use."""

from model.lang.expressions import (
    every,
    everything,
    exists,
    if_else,
    implies,
    largest,
    least_of,
    no_element,
    none,
    set_of,
    smallest,
    some,
)
from model.lang.machine import Machine, Scope, needs
from model.lang.places import ModelError
from model.lang.terms import Bool, Bound, Map, Option, Range, Record, Seq, Set, Sort

__all__ = [
    "Bool",
    "Bound",
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
    "every",
    "everything",
    "exists",
    "if_else",
    "implies",
    "largest",
    "least_of",
    "needs",
    "no_element",
    "none",
    "set_of",
    "smallest",
    "some",
]
