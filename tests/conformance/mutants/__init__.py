"""Mutants of the reference broker: for each check, a broker that fails it.

A mutant is data: one replacement in the source of one module, made while that module is imported
by a process of its own (`tests.conformance.mutant_broker`), so the broker has no switch for it.
Each area has a file here with a tuple `MUTANTS`; write the smallest change that breaks the
clause and leaves the broker alive. `old` must occur exactly once in the module; take as many
lines as that needs.
"""

import importlib
import importlib.util
import json
import pkgutil
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """A broker with one fault: in `module`, `new` stands where `old` was. `check` must notice."""

    check: str
    module: str
    old: str
    new: str

    def applied_to(self, source: str) -> str:
        """The source with the fault. Raises ValueError unless `old` occurs exactly once."""
        count = source.count(self.old)
        if count != 1:
            raise ValueError(
                f"the mutant for {self.check} fits {count} places in {self.module}: {self.old!r}"
            )
        return source.replace(self.old, self.new)

    def as_argument(self) -> str:
        """The mutant as one argument of `tests.conformance.mutant_broker`."""
        return json.dumps(asdict(self))

    def source(self) -> str:
        """The text of its module, unchanged; nothing is executed but parent packages."""
        found = importlib.util.find_spec(self.module)
        if found is None or found.origin is None:
            raise ValueError(f"the mutant for {self.check} names no module: {self.module}")
        return Path(found.origin).read_text(encoding="utf-8")


def all_mutants() -> list[Mutant]:
    """The mutants of every file of this package, in the order of the files."""
    found: list[Mutant] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").MUTANTS
    return found
