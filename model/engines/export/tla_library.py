"""The words that a module must not use for its own things, and operators that it can have."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What TLA+ reads as a word of its own, what its standard modules define, what each module has.
_WORDS = """
    ACTION ASSUME ASSUMPTION AXIOM BY CASE CHOOSE CONSTANT CONSTANTS COROLLARY DEF DEFINE DEFS
    DOMAIN ELSE ENABLED EXCEPT EXTENDS HAVE HIDE IF IN INSTANCE LAMBDA LEMMA LET LOCAL MODULE NEW
    OBVIOUS OMITTED ONLY OTHER PICK PROOF PROPOSITION PROVE QED RECURSIVE SF_ STATE STEP SUBSET
    SUFFICES TAKE TEMPORAL THEN THEOREM UNCHANGED UNION USE VARIABLE VARIABLES WF_ WITH WITNESS
    TRUE FALSE BOOLEAN STRING Nat Int Real Infinity Seq Len Append Head Tail SubSeq SelectSeq
    Cardinality IsFiniteSet Print PrintT Assert JavaTime TLCGet TLCSet Permutations SortSeq
    RandomElement Any ToString TLCEval IsABag BagToSet SetToBag BagIn EmptyBag CopiesIn BagCup
    BagUnion SqSubseteq SubBag BagOfAll BagCardinality None Outside Init Next Spec TypeOK MayEnd
    NoDeadlock vars
"""


@dataclass(frozen=True)
class Operator:
    """An operator: what it means, its definition, the module and the model value it needs."""

    meaning: str
    definition: str
    module: str = ""
    model: str = ""


# The operations of the language are total; these say so where those of TLA+ are not.
OPERATORS: dict[str, Operator] = {
    "OrElse": Operator(
        "The value of an option; where there is none, the lowest one of its type.",
        "OrElse(option, lowest) == IF option = None THEN lowest ELSE option",
        model="None",
    ),
    "Under": Operator(
        "What a function holds under a key; the lowest value under one that it does not have.",
        "Under(function, key, lowest) ==\n"
        "    IF key \\in DOMAIN function THEN function[key] ELSE lowest",
    ),
    "ElementAt": Operator(
        "The element of a sequence at an index from 0 on; past its end, the lowest value.",
        "ElementAt(sequence, index, lowest) ==\n"
        "    IF index \\in 0 .. Len(sequence) - 1 THEN sequence[index + 1] ELSE lowest",
        module="Sequences",
    ),
    "UpTo": Operator(
        "The first elements of a sequence, at most `length` of them.",
        "UpTo(sequence, length) ==\n"
        "    IF length < Len(sequence) THEN SubSeq(sequence, 1, length) ELSE sequence",
        module="Sequences",
    ),
    "SequencesOf": Operator(
        "All sequences of at most `most` elements of a set.",
        "SequencesOf(set, most) == UNION {[1 .. length -> set] : length \\in 0 .. most}",
    ),
    "Largest": Operator(
        "The greatest number of a set; of the empty set, `otherwise`.",
        "Largest(set, otherwise) ==\n"
        "    IF set = {} THEN otherwise ELSE CHOOSE n \\in set : \\A m \\in set : m <= n",
    ),
    "Smallest": Operator(
        "The least number of a set; of the empty set, `otherwise`.",
        "Smallest(set, otherwise) ==\n"
        "    IF set = {} THEN otherwise ELSE CHOOSE n \\in set : \\A m \\in set : n <= m",
    ),
    "Least": Operator(
        "The smaller of two numbers.",
        "Least(one, other) == IF one <= other THEN one ELSE other",
    ),
    "Greatest": Operator(
        "The larger of two numbers.",
        "Greatest(one, other) == IF one >= other THEN one ELSE other",
    ),
    "Inside": Operator(
        "A value as an element of a set of its type; all that the type does not have is one.",
        "Inside(value, type) == IF value \\in type THEN value ELSE Outside",
        model="Outside",
    ),
    "Holds": Operator(
        "A claim as one condition: TLC takes a bare \\/ or \\E in an action for several steps.",
        "Holds(claim) == claim = TRUE",
    ),
}

RESERVED = {*_WORDS.split(), *OPERATORS}
# The parameters of the operators above, which nothing of a whole module can be called too.
PARAMETERS = {
    word
    for operator in OPERATORS.values()
    for word in re.findall(r"\b[a-z]+\b", operator.definition)
}
