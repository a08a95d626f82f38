"""The examples in the documentation of the suite are true."""

import doctest
import importlib
import pkgutil

import pytest

import conformance

NAMES = [
    module.name
    for module in pkgutil.walk_packages(conformance.__path__, "conformance.")
    if not module.name.startswith("conformance.checks")
]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
