"""`python -m tests.conformance.mutant_broker MUTANT ...`: `brokerspec broker ...` with one fault.

MUTANT is `Mutant.as_argument()`. The fault is put in while its module is imported; compiled
files are neither read nor written, so no other process meets it.
"""

import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

import brokerspec
from tests.conformance.mutants import Mutant


class FaultyLoader(SourceFileLoader):
    """Loads one module from its source with the fault in it."""

    def __init__(self, mutant: Mutant, path: str) -> None:
        super().__init__(mutant.module, path)
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        source = self.mutant.applied_to(self.get_data(self.path).decode("utf-8"))
        return self.source_to_code(source.encode("utf-8"), self.path)


class FaultyFinder(MetaPathFinder):
    """Finds the mutant's module, and no other."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.mutant.module:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.origin is not None:
            found.loader = FaultyLoader(self.mutant, found.origin)
        return found


def main(arguments: list[str]) -> int:
    argument, *rest = arguments
    mutant = Mutant(**json.loads(argument))
    sys.meta_path.insert(0, FaultyFinder(mutant))
    status = brokerspec.main(["broker", *rest])
    if mutant.module not in sys.modules:
        raise SystemExit(f"{mutant.module} was never imported, so nothing was faulty")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
