from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree

from matplotlib.figure import Figure

from mkbench.plotting.style import new_figure, print_style
from mkbench.plotting.svg import inline_svg

HOSTILE = '--><script>alert("x")</script></style>'


def figure(title: str = "MI") -> Figure:
    """A figure with a clip path, markers and letters."""
    with print_style():
        drawn = new_figure(200, 100)
        axes = drawn.add_subplot()
        axes.plot([1, 2, 3], marker="o", label=title)
        axes.set_title(title)
        axes.legend()
    return drawn


def test_the_same_figure_gives_the_same_text() -> None:
    text = inline_svg(figure(), name="a", title="A")
    assert text == inline_svg(figure(), name="a", title="A")
    assert not re.search(r"\d{4}-\d\d-\d\dT|[Mm]atplotlib v", text)  # neither a date nor a release


def test_identifiers_are_the_figures_own_and_all_used_ones_exist() -> None:
    text = inline_svg(figure(), name="a", title="A") + inline_svg(figure("other"), name="b", title="B")
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert max(Counter(identifiers).values()) == 1
    used = set(re.findall(r'(?:href="|url\()#([\w.-]+)', text))
    assert len(used) > 10
    assert used <= set(identifiers)


def test_nothing_that_a_page_would_run_or_take_for_its_own() -> None:
    text = inline_svg(figure(HOSTILE), name="a", title=HOSTILE)
    assert not re.search(r"<script|<style|<!--|http(?!://www.w3.org/2000/svg\")", text)
    root = ElementTree.fromstring(text)
    (title,) = (child for child in root if child.tag.endswith("title"))
    assert title.text == HOSTILE
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == title.attrib["id"]


def test_size_keeps_the_shape() -> None:
    root = ElementTree.fromstring(inline_svg(figure(), name="a", title="A"))
    assert (root.attrib["width"], root.attrib["height"]) == ("400", "200")
    assert root.attrib["viewBox"] == "0 0 200 100"
