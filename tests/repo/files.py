"""The files of the repository that its rules speak of."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("spec", "model", "impl", "conformance", "tests")


@cache
def python_files() -> dict[str, ast.Module]:
    """Every Python file of ours by its dotted module name, parsed."""
    paths = [ROOT / "brokerspec.py"]
    for package in PACKAGES:
        paths += sorted((ROOT / package).rglob("*.py"))
    return {_module(path): ast.parse(path.read_text()) for path in paths}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def path_of(module: str) -> Path:
    """The file of a module."""
    base = ROOT.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def text_files() -> list[Path]:
    """Every text file of ours that a person reads or a tool runs."""
    found = [
        p for p in ROOT.iterdir() if p.is_file() and p.suffix in (".md", ".toml", ".ini", ".py")
    ]
    for package in (*PACKAGES, ".ci"):
        found += [
            p
            for p in (ROOT / package).rglob("*")
            if p.is_file() and p.suffix in ("", ".py", ".md", ".txt", ".json", ".toml", ".hex")
        ]
    return sorted(p for p in found if "__pycache__" not in p.parts)
