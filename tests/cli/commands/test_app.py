from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mkbench.report.app import gradio_library, serving


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio as if it were installed; whoever would serve a page with it fails."""
    monkeypatch.setattr(gradio_library, "find_spec", lambda name: name)
    monkeypatch.setattr(serving, "serve", lambda *values, **named: pytest.fail("a page was served"))


def write_unfinished(run: Path) -> str:
    (run / "results.json").unlink()
    (next((run / "groups").glob("*.parquet"))).unlink()
    return "Expected a finished run in"


def write_other_schema(run: Path) -> str:
    for name in ("results.json", "manifest.json"):
        content = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps(content | {"schema_version": 99}))
    return "99"


def write_damaged(run: Path) -> str:
    (run / "results.json").write_text("[")
    shutil.rmtree(run / "groups")
    return "class groups missing"


def write_none(run: Path) -> str:
    shutil.rmtree(run)
    return "found none at runs/tiny"


@pytest.mark.parametrize("spoil", [write_unfinished, write_other_schema, write_damaged, write_none])
def test_what_is_no_finished_run_is_refused(
    command: Callable[..., Any], predict_words: list[str], no_server: None, spoil: Callable[[Path], str]
) -> None:
    run = command(*predict_words).run
    said = spoil(run)
    outcome = command("app", "runs/tiny")
    assert outcome.code in (1, 2)
    assert said in outcome.error
    assert outcome.error.startswith("mkbench: ")
    assert outcome.error.count("\n") == 1  # a sentence


def test_missing_gradio(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_library, "find_spec", lambda name: None)
    outcome = command("app", "nowhere")
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert "pip install 'mkbench[app]'" in outcome.error
