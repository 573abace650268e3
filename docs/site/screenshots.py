"""Screenshots of the report and the app in ``docs/images``, of what runs now.

    mkbench demo --out runs/demo
    mkbench app --port 7860 &
    PYTHONPATH=tests python docs/site/screenshots.py runs/demo/report.html http://127.0.0.1:7860/

needs Chromium and Pillow; pictures are kept small by a palette.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from browser import Browser, Page
from PIL import Image

IMAGES = Path(__file__).resolve().parents[1] / "images"
_DESK, _PHONE = (1440, 1900), (390, 1300)


def main(report: Path, app: str) -> None:
    """Take all screenshots."""
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder))
        try:
            show_report(browser.new_page(), report.resolve().as_uri())
            show_report_on_a_phone(browser.new_page(), report.resolve().as_uri())
            show_app(browser.new_page(), app)
            show_app_on_a_phone(browser.new_page(), app)
        finally:
            browser.close()


def show_report(page: Page, address: str) -> None:
    """The main table of a report, and the plots below it."""
    page.resize(*_DESK)
    page.open(address)
    page.wait("!!document.querySelector('thead button')")
    keep(page, "report.png")


def show_report_on_a_phone(page: Page, address: str) -> None:
    """The first image of its gallery, with its concepts in words."""
    page.resize(*_PHONE, dark=True)
    page.open(address)
    page.wait("document.readyState === 'complete' && !!document.querySelector('.picture img')?.naturalWidth")
    page.run("document.querySelector('.picture details').open = true")
    page.run("document.querySelector('#images').scrollIntoView()")
    keep(page, "report-phone.png")


def show_app(page: Page, address: str) -> None:
    """An image explained by both encoders."""
    page.resize(1180, 1000)
    ask(page, address, "mutual_knowledge")
    keep(page, "app.png")


def show_app_on_a_phone(page: Page, address: str) -> None:
    """The images for which a head writes what a text says."""
    page.resize(*_PHONE, dark=True)
    ask(page, address, "text_neighbors")
    page.run("document.querySelector('#views').scrollIntoView()")
    keep(page, "app-phone.png")


def ask(page: Page, address: str, view: str) -> None:
    """Show the example of a view."""
    page.open(address)
    page.click(f"#tab-{view}-button")
    page.click(f"#example-{view} tbody tr, #example-{view} .gallery-item")
    page.wait(f"!!document.querySelector('#result-{view} .answer-figure img')?.naturalWidth")
    page.run("document.activeElement.blur()")


def keep(page: Page, name: str) -> None:
    """Write a screenshot, once what moves stands still."""
    page.run("new Promise((done) => setTimeout(done, 1000))")
    with tempfile.TemporaryDirectory() as folder:
        page.look(Path(folder) / name)
        shot = Image.open(io.BytesIO((Path(folder) / name).read_bytes())).convert("RGB")
    shot.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
