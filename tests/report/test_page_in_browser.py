"""What the page shows in a browser without its script: cards that open, and parts that say their descriptors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import CHROMIUM, REASON, Browser, Page
from described_heads import ask_head, head_run
from report_runs import HOSTILE, write_figure, write_regions, write_run

from mkbench.report.page import _show_run
from mkbench.report.rendering import render
from mkbench.runs.finished_runs import read_runs

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=REASON)]
#: The descriptors that are shown.
SHOWN = "[...document.querySelectorAll('.tip')].filter(one => one.checkVisibility()).map(one => one.innerText)"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str]]:
    folder = tmp_path_factory.mktemp("page")
    images, heads = write_run(folder / "vit"), head_run(folder / "heads")
    write_regions(write_figure(images, title="owl/0.png"), "striped wings", HOSTILE)
    ask_head(heads)
    runs = [_show_run(run, f"run-{place}", most=9) for place, run in enumerate([*read_runs(images), heads])]
    path = folder / "report.html"
    path.write_text(render("page.html", title="report", sections=[], runs=runs), encoding="utf-8")
    browser = Browser(folder / "profile")
    page = browser.new_page()
    page.resize(1280, 900)
    page.open(path.as_uri())
    page.wait("document.readyState === 'complete' && !!document.querySelector('.part')")
    yield page, path.as_uri()
    browser.close()


def point(page: Page, script: str) -> None:
    """Move the pointer to a place of the page."""
    x, y = page.run(script)
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def test_parts_say_their_descriptors_to_pointer_and_keyboard(opened: tuple[Page, str]) -> None:
    page, _ = opened
    page.run("document.querySelector('.parts').scrollIntoView()")
    assert page.run(SHOWN) == []
    # Panels begin at a tenth of the height, those on the right at half of the width; the first part is at their left.
    for left in (0.0, 0.5):
        point(page, f"(({{x, y, width, height}}) => [x + ({left} + 0.02) * width, y + 0.12 * height])"
                    "(document.querySelector('.parts').getBoundingClientRect())")  # fmt: skip
        assert page.wait(f"{SHOWN}.length === 1")
        assert page.run(SHOWN) == ["Part 1 striped wings"]
    point(page, "[1, 1]")
    assert page.wait(f"{SHOWN}.length === 0")
    page.run("document.querySelector('.scroll:has(.parts)').focus()")
    for number, text in enumerate(("striped wings", HOSTILE), start=1):
        page.send("Input.dispatchKeyEvent", type="keyDown", key="Tab", windowsVirtualKeyCode=9)
        assert page.run(SHOWN) == [f"Part {number} {text}"]
    page.send("Input.dispatchKeyEvent", type="keyDown", key="Tab", windowsVirtualKeyCode=9)
    assert page.run(SHOWN) == []


def test_card_opens_to_texts_and_image(opened: tuple[Page, str]) -> None:
    page, _ = opened
    assert page.text(".card").split() == ["11.0", "colour", "1", "of", "5"]
    page.click(".card summary")
    assert "a text 0 25.0 %, fits" in page.text(".card ol")
    page.run("document.querySelector('.card img').scrollIntoView()")
    assert page.wait("document.querySelector('.card img').naturalWidth === 800")


def test_phone_scrolls_the_figures_alone_and_paper_has_no_overlay(opened: tuple[Page, str]) -> None:
    page, _ = opened
    page.resize(390, 844, dark=True)
    assert page.wait("document.documentElement.scrollWidth === 390")
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.run("getComputedStyle(document.querySelector('.parts')).display") == "none"
    page.resize(1280, 900)


def test_nothing_was_wrong_and_nothing_was_asked_for(opened: tuple[Page, str]) -> None:
    page, address = opened
    assert page.errors == []
    assert page.requests == [address]
