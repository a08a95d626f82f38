"""What is in reach where a formula stands: the names of terms, and what is known of them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from model.engines.export.facts import Fact, told_by
from model.engines.export.formulas import Formula
from model.engines.export.rewriting import nodes_of
from model.lang.nodes import Node


@dataclass(frozen=True)
class Names:
    """The names that a formula may use: of nodes (parameters, LET, `@`), and of the variables of
    quantifiers by type and depth.
    """

    nodes: Mapping[int, Formula] = field(default_factory=dict)
    bound: Mapping[tuple[Any, int], str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    facts: frozenset[Fact] = frozenset()

    def naming(self, named: Node, name: str) -> Names:
        """The names in which a node has a name."""
        return replace(
            self, nodes={**self.nodes, id(named): Formula(name)}, names=self.names | {name}
        )

    def knowing(self, claim: Node, holds: bool = True) -> Names:
        """The names where it is known that a claim holds, or that it does not."""
        return replace(self, facts=self.facts | set(told_by(claim, holds)))

    def forgetting(self, variable: Node) -> Names:
        """The names where nothing is known of a variable: a claim that was made outside of a
        quantifier may have one of its own that is the same node.
        """
        kept = (
            fact
            for fact in self.facts
            if not any(isinstance(part, Node) and variable in nodes_of(part) for part in fact)
        )
        return replace(self, facts=frozenset(kept))

    def without(self, named: Node) -> Names:
        """The names without that of a node, for its own definition."""
        return replace(self, nodes={k: v for k, v in self.nodes.items() if k != id(named)})
