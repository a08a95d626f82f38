"""What an expression of the language comes to, outside of any machine: to try things out, and for
the examples in the docstrings of the language.
"""

from collections.abc import Callable

from model.engines.lowering.layout import Layout
from model.engines.lowering.values import Values
from model.lang.containers import Record
from model.lang.terms import Bool, Term
from model.lang.tracing import read_value


class Nothing(Record):
    """A state for what speaks of none."""

    nothing: Bool


def value(expression: Callable[[], Term], **bounds: int) -> str:
    """The value of an expression as a person writes it; keywords are the bounds of its types.

    >>> from model.lang import Bool
    >>> value(lambda: Bool(True) & ~Bool(True))
    'False'
    """
    found: list[Term] = []

    def read(_: Nothing) -> Bool:
        found.append(expression())
        return Bool(True)

    read_value("expression", Nothing, read, Bool)
    of, node = type(found[0]), found[0].node
    values = Values(Layout(Nothing, bounds))
    parts = {path: values.leaf(node, path).low for path, *_ in values.sizes.leaves(of)}
    return values.layout.show_value(of, parts)
