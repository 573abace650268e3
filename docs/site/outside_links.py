"""MkDocs hook: files outside of ``docs/`` that a page links to become part of the site, under ``files/``."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
_OUTSIDE = re.compile(r"\]\(\.\./([\w./-]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file that a page links to."""
    linked = {path for page in files.documentation_pages() for path in _OUTSIDE.findall(page.content_string)}
    for path in sorted(linked):
        if (ROOT / path).is_file():  # others stay broken links, which the build refuses
            files.append(File.generated(config, f"files/{path}", abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let the links of a page lead there."""
    return _OUTSIDE.sub(r"](files/\1)", markdown)
