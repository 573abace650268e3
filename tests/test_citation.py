from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import mkbench

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return content


def test_what_the_format_requires_is_there(citation: dict[str, Any]) -> None:
    """The required keys of the Citation File Format 1.2.0, of the software and of what is preferred to be cited."""
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["type"] in ("software", "dataset")
    assert {"type", "title", "authors"} <= set(citation["preferred-citation"])
    for authors in (citation["authors"], citation["preferred-citation"]["authors"]):
        assert authors
        assert all("name" in author or {"family-names", "given-names"} <= set(author) for author in authors)


def test_it_is_this_version(citation: dict[str, Any]) -> None:
    assert citation["version"] == mkbench.__version__
    assert (citation["title"], citation["license"]) == ("mkbench", "Apache-2.0")
    assert f"version = {{{mkbench.__version__}}}" in (ROOT / "docs" / "cite.md").read_text(encoding="utf-8")


def test_the_page_cites_the_same_work(citation: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "cite.md").read_text(encoding="utf-8").replace("{", "").replace("}", "")
    preferred = citation["preferred-citation"]
    assert preferred["title"] in page
    assert all(author["family-names"] in page for author in preferred["authors"])
    assert preferred["identifiers"][0]["value"] in page
