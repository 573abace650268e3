"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import mkbench

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(mkbench.__path__, "mkbench.") if module.name != "mkbench.__main__"
)


def test_all_modules_are_found() -> None:
    assert {"mkbench.cli.main", "mkbench.concepts.saliency", "mkbench.datamodules.base"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    module = import_module(name)
    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE)
    assert outcome.failed == 0
