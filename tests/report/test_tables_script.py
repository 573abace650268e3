"""What the page does in a browser: the script of its tables runs, and nothing else does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_runs import HOSTILE, write_figure, write_run

from mkbench.report.page import write_page
from mkbench.runs.finished_runs import read_runs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; `apt-get install chromium` brings one"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    names = ("ant", "bat", "cow", "dog", "eel", HOSTILE, "gnu", "hen")
    run = write_run(folder / "vit", classes=names)
    write_figure(run, title="ant/0.png")
    write_page(read_runs(run), folder / "report.html")
    return folder / "report.html"


def open_page(page: Path, fragment: str, folder: Path) -> str:
    """The document after its script has run; nothing may have been logged, such as an error or a refused request."""
    words = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
        *(f"--user-data-dir={folder}", "--enable-logging=stderr", "--dump-dom", f"{page.as_uri()}#{fragment}"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    return done.stdout


def classes(document: str, name: str) -> list[str]:
    """The shown rows of a table of classes, by the first letters of their names."""
    table = re.search(rf'id="{name}".*?</table>', document, re.DOTALL)
    assert table is not None
    return [row[:4] for row in re.findall(r'<tr><th scope="row">([^<]+)', table[0])]


def table_of_classes(page: Path) -> str:
    found = re.search(
        r'id="(section-\d+-detail-\d+)"[^>]*>\s*<div[^>]*aria-label="Classes by AUC', page.read_text("utf-8")
    )
    assert found is not None
    return found[1]


def test_address_sorts_and_searches(page: Path, tmp_path: Path) -> None:
    name = table_of_classes(page)
    written = classes(page.read_text(encoding="utf-8"), name)
    assert written == ["hen", "gnu", "&lt;", "eel", "dog", "cow", "bat", "ant"]  # by AUC

    up = open_page(page, f"table={name}&column=4&order=ascending", tmp_path / "1")
    assert classes(up, name) == written[::-1]
    assert 'aria-sort="ascending"' in up

    found = open_page(page, f"table={name}&column=0&order=ascending&search=T", tmp_path / "2")
    assert classes(found, name) == ["&lt;", "ant", "bat"]  # the others are hidden, so that their rows say so
    assert "3 of 8 rows</output>" in found


def test_without_an_address_rows_stay_as_written(page: Path, tmp_path: Path) -> None:
    document = open_page(page, "", tmp_path / "1")
    assert classes(document, table_of_classes(page))[0] == "hen"
    assert document.count("<script") == 1
    assert "<button" in document  # headings that can be pressed
    assert "onerror=" not in re.sub(r">[^<]*<", "><", document)  # as an attribute; as text it is a name


def test_images_are_read_before_they_are_printed(page: Path, tmp_path: Path) -> None:
    assert 'loading="lazy"' in page.read_text(
        encoding="utf-8"
    )  # those that nobody scrolls to would stay blank on paper
    document = open_page(page, "", tmp_path / "1")
    assert 'loading="lazy"' not in document
    assert 'loading="eager"' in document
