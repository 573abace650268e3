"""The site builds without a warning, holds every page, and asks nobody else for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
#: What a browser fetches by itself; links that a reader may follow are none of it.
_FETCHED = re.compile(
    r"<(?!a\b)\w+\b[^>]*?\b(?:src|srcset|href|data|poster|action)=[\"']?\s*((?:https?:)?//[^\"'\s>]+)"
)
_IN_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?\s*((?:https?:)?//[^\"')\s]+)")


def fetched(html: str) -> list[str]:
    """Addresses of other hosts that a page makes a browser fetch."""
    return _FETCHED.findall(html) + _IN_STYLES.findall(html)


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<link rel="preconnect" href="https://fonts.example">', ["https://fonts.example"]),
        ("<script src=//cdn.example/a.js></script>", ["//cdn.example/a.js"]),
        ("<style>@import 'https://a.example/b.css'; i {background: url(//c.example/d.png)}</style>", None),
        ('<a class="x" href="https://arxiv.org/abs/2410.13016">paper</a> <img src="images/sample.png">', []),
    ],
)
def test_what_a_page_fetches_is_found(html: str, found: list[str] | None) -> None:
    assert fetched(html) == (["https://a.example/b.css", "//c.example/d.png"] if found is None else found)


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = [page for section in yaml.safe_load(text)["nav"] for pages in section.values() for page in pages]
    assert sorted(listed) == PAGES


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(site)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


needs_mkdocs = pytest.mark.skipif(
    not (find_spec("mkdocs") and find_spec("material") and find_spec("mkdocstrings")),
    reason="builds the documentation: pip install 'mkbench[docs]'",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT / "mkdocs.yml", folder)
    assert built.returncode == 0, built.stderr
    return folder


@needs_mkdocs
@pytest.mark.slow
def test_site_holds_every_page(site: Path) -> None:
    assert [name for name in PAGES if not (site / name).with_suffix(".html").is_file()] == []
    assert (site / "files" / "examples" / "tour.ipynb").is_file()
    assert not list(site.rglob("*.py"))[1:]  # the one that the tutorial links to
    api = (site / "api.html").read_text(encoding="utf-8")
    for name in ("explain", "predict", "read_runs", "load_backbone", "Explainer", "ScorerContext", "Backbone"):
        assert re.search(rf'<h\d id="mkbench[\w.]*\.{name}"', api), name
    assert "<blockquote>" not in api  # examples are code


@needs_mkdocs
@pytest.mark.slow
def test_site_asks_nobody(site: Path) -> None:
    """Neither pages nor styles do; the theme's script would for diagrams (mermaid) and a repository's counts."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in [*site.rglob("*.html"), *site.rglob("*.css")]}
    assert len(pages) > len(PAGES)
    assert {name: fetched(text) for name, text in pages.items() if fetched(text)} == {}
    for text in pages.values():
        assert 'class="mermaid"' not in text
        assert 'data-md-component="source"' not in text
    scripts = " ".join(path.read_text(encoding="utf-8") for path in site.rglob("*.js"))
    hosts = set(re.findall(r"[\"'`]https?://([\w.-]+)", scripts)) - {"www.w3.org"}
    assert hosts <= {"unpkg.com", "api.github.com", "gitlab.com"}


@needs_mkdocs
@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["[x](no-such-page.md)", "[x](index.md#no-such-heading)", "[x](../no/such.file)"])
def test_a_wrong_link_stops_the_build(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# A page\n\n{wrong}\n", encoding="utf-8")
    kept = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    hooks = [str(ROOT / hook) for hook in kept["hooks"]]
    config = {"site_name": "x", "strict": True, "hooks": hooks, "validation": kept["validation"], "plugins": []}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    built = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert built.returncode == 1
    assert wrong.split("(")[1].rstrip(")").split("/")[-1].split("#")[-1] in built.stderr
