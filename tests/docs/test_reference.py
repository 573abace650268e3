"""The reference pages are what the code says: `python docs/site/reference.py` would change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import pytest

from docs.site import reference
from mkbench.cli.command_table import COMMANDS
from mkbench.metrics.catalogue import CATALOGUE


def test_pages_are_those_of_the_code(tmp_path: Path) -> None:
    for path in reference.write_pages(tmp_path):
        kept = (reference.DOCS / path.name).read_text(encoding="utf-8")
        assert kept == path.read_text(encoding="utf-8"), "run `make docs`"


def test_every_metric_and_command_is_there() -> None:
    metrics = reference.metric_list()
    assert [name for name in CATALOGUE if f"| `{name}` |" not in metrics] == []
    options = reference.options()
    assert [name for name in COMMANDS if f"### mkbench {name}\n" not in options] == []
    assert "| `--data.limit_classes` |" in options


def test_pages_name_no_path_of_this_machine() -> None:
    for path in (reference.DOCS / name for name in ("metric-list.md", "results-schema.md", "configuration.md")):
        text = path.read_text(encoding="utf-8")
        assert str(reference.ROOT) not in text
        assert str(Path.home()) + "/" not in text


class Inner(TypedDict):
    """An entry of :class:`Outer`, such as ``a|b``."""

    bounds: tuple[float, float] | None


class Outer(TypedDict, total=False):
    """A document."""

    names: list[str]
    inner: dict[str, Inner]


def test_a_document_and_what_it_holds() -> None:
    assert reference._documents(Outer) == [
        "A document.",
        "| entry | type | always |\n| :-- | :-- | :-- |\n| `names` | list of string |  |\n"
        "| `inner` | object of [Inner](#inner) |  |",
        "### Inner",
        "An entry of `Outer`, such as `a|b`.",
        "| entry | type | always |\n| :-- | :-- | :-- |\n| `bounds` | list of 2 × number or null | yes |",
    ]


@pytest.mark.parametrize(
    ("said", "shown"), [("a <b> | `c<d>`", r"a &lt;b> \| `c<d>`"), ("``x`` of :meth:`~y`", "`x` of `y`")]
)
def test_cells_are_safe(said: str, shown: str) -> None:
    assert reference._cell(said) == shown
