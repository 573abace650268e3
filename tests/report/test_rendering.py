from __future__ import annotations

import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure
from report_runs import HOSTILE

from mkbench.plotting.style import new_figure
from mkbench.report.rendering import render, show_sections, show_table
from mkbench.studies.presentation import Plot, Presentation
from mkbench.tables import Column, ResultTable


def table(title: str = "Counts", rows: int = 1) -> ResultTable:
    return ResultTable([Column("name", "name", text=True)], [{"name": HOSTILE}] * rows, title=title, notes=["one\ntwo"])


def figure() -> Figure:
    return new_figure(72, 36)


def page(*presentations: Presentation, title: str = "mkbench") -> str:
    return render("page.html", title=title, sections=list(show_sections(presentations)), runs=[])


def test_hostile_text_stays_text() -> None:
    shown = Presentation(HOSTILE, [table(HOSTILE)], [Plot(HOSTILE, figure)], [table(HOSTILE)])
    text = page(shown, title=HOSTILE)
    assert text.count("<script") == 1  # its own
    assert text.count("</style>") == 1
    assert "<img" not in text
    assert text.count("&lt;/style&gt;&lt;script&gt;") > 5


def test_policy_allows_the_own_script_alone() -> None:
    text = page()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    script = re.search(r"<script>(.*)</script>", text, re.DOTALL)
    assert policy is not None
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert policy[1].split("; ") == [
        "default-src 'none'",
        "img-src data:",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_nothing_is_loaded() -> None:
    """No address but those within the page, and the namespace of SVG."""
    text = page(Presentation("A", [table()], [Plot("a plot", figure)]))
    assert set(re.findall(r"[a-z]+://[^\"'\s<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|iframe|object|embed)|@import|url\((?!#)", text)
    assert {address[0] for address in re.findall(r'(?:src|href)="([^"]*)"', text)} == {"#"}


def test_anchors_are_unique_and_the_links_lead_to_them() -> None:
    shown = Presentation("A", [table(), table()], [Plot("a plot", figure)], [table()])
    text = page(shown, shown)
    anchors = re.findall(r'\bid="([^"]+)"', text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(anchors)


def test_tables_say_what_can_be_done_with_them() -> None:
    def opening(rows: int) -> str:
        return page(Presentation("A", [table(rows=rows)])).partition('<div class="table"')[2].partition(">")[0]

    assert opening(1).split() == ['id="section-1-table-1"']
    assert opening(2).split() == ['id="section-1-table-1"', "data-sortable"]
    assert opening(8).split() == ['id="section-1-table-1"', "data-sortable", "data-searchable"]


def test_notes_stand_below_the_table() -> None:
    shown = show_table(table(), "counts")
    assert shown.notes == ("one", "two")
    assert "<p>" not in shown.html


def test_a_name_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("page.html", title="mkbench", sections=[])
