"""The modelling language: everything a model may use."""

from model.lang.containers import Map, Record, Seq, Set
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
from model.lang.terms import Bool, Bound, Option, Range, Sort

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
