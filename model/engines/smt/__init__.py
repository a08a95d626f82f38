"""Z3 reads a machine: search for a violation up to a length, and proofs for runs of any length.

Both work on one scope, whose types are finite: a slot of the state is a bit vector. What does not
fit the scope is never passed over. This file is the door: `smt_terms` writes the formulas,
`smt_search` and `smt_prove` ask the solver, `obligations` is what a proof is made of.
"""

from model.engines.smt.obligations import ROOM, Obligation, Proof
from model.engines.smt.prove import houdini, prove
from model.engines.smt.search import Search, search
from model.engines.smt.terms import RULES, Translation

__all__ = [
    "ROOM",
    "RULES",
    "Obligation",
    "Proof",
    "Search",
    "Translation",
    "houdini",
    "prove",
    "search",
]
