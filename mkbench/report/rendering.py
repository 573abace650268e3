"""Rendering of the templates: autoescaped text, tables, plots, and a policy that forbids the network."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mkbench import __version__
from mkbench.plotting.svg import inline_svg
from mkbench.studies.presentation import Presentation
from mkbench.tables import ResultTable, to_html

_TEMPLATES = "templates"


@dataclass(frozen=True)
class ShownTable:
    """A table of a page.

    Attributes:
        name: its anchor.
        title: its caption.
        html: the table.
        rows: number of its rows; those of a few need no search.
        notes: below it.
    """

    name: str
    title: str
    html: Markup
    rows: int
    notes: Sequence[str]


@dataclass(frozen=True)
class ShownPlot:
    """A plot of a page: its anchor, its caption and its ``<svg>``."""

    name: str
    caption: str
    svg: Markup


@dataclass(frozen=True)
class Section:
    """A section of a page: its anchor, title, tables, plots, and tables to open."""

    name: str
    title: str
    tables: Sequence[ShownTable]
    plots: Sequence[ShownPlot]
    details: Sequence[ShownTable]


def show_table(table: ResultTable, name: str) -> ShownTable:
    """Return a table for a page.

    Args:
        table: with a title.
        name: its anchor.

    >>> from mkbench.tables import Column
    >>> shown = show_table(ResultTable([Column("n", "n")], [{"n": 3}], title="Counts", notes=["A note."]), "counts")
    >>> shown.rows, shown.notes, "A note." in shown.html
    (1, ('A note.',), False)
    """
    notes = tuple(line for note in table.notes for line in note.splitlines())
    # Everything of the table is escaped by its writer.
    html = Markup(to_html(replace(table, notes=())))
    return ShownTable(name, table.title, html, len(table.rows), notes)


def show_sections(presentations: Sequence[Presentation]) -> Iterator[Section]:
    """Return what studies present as the sections of a page, with anchors of their own."""
    for place, one in enumerate(presentations, start=1):
        name = f"section-{place}"
        yield Section(
            name,
            one.title,
            [show_table(table, f"{name}-table-{number}") for number, table in enumerate(one.tables, start=1)],
            [
                ShownPlot(
                    f"{name}-plot-{number}",
                    plot.caption,
                    # Letters are outlines, titles are escaped, and there is no script; see `inline_svg`.
                    Markup(inline_svg(plot.draw(), name=f"{name}-plot-{number}", title=plot.caption)),
                )
                for number, plot in enumerate(one.plots, start=1)
            ],
            [show_table(table, f"{name}-detail-{number}") for number, table in enumerate(one.details, start=1)],
        )


def render(template: str, **content: Any) -> str:
    """Render a page.

    Args:
        template: name of its file.
        content: what it shows; all text is escaped.

    Raises:
        UndefinedError: the template names something that it was not given.
    """
    script = _file("tables.js")
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(_file("style.css")),
            script=Markup(script),
            script_digest=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
            version=__version__,
            **content,
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("mkbench.report", _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _file(name: str) -> str:
    return (resources.files("mkbench.report") / _TEMPLATES / name).read_text(encoding="utf-8")
