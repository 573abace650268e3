from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_runs import write_object, write_run

from mkbench.report.app import gradio_library, serving
from mkbench.runs.finished_runs import read_runs


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio as if it were installed; whoever would serve a page with it fails."""
    monkeypatch.setattr(gradio_library, "find_spec", lambda name: name)
    monkeypatch.setattr(serving, "serve", lambda *values, **named: pytest.fail("a page was served"))


def other_version(run: Path) -> None:
    (found,) = read_runs(run)
    write_object(run / "results.json", found.results | {"schema_version": 99})


def unfinished(run: Path) -> None:
    (run / "results.json").unlink()
    (run / "config.yaml").touch()
    next((run / "groups").iterdir()).unlink()


def damaged(run: Path) -> None:
    (run / "results.json").write_text("{", encoding="utf-8")


def of_another_system(run: Path) -> None:
    (found,) = read_runs(run)
    write_object(run / "results.json", found.results | {"system": "my_system"})


def without_configuration(run: Path) -> None:
    """A run that is whole, but of which no model can be built."""


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (other_version, 1, "results.json of schema version 1, found 99"),
        (unfinished, 1, "Expected a finished run in vit, found 1 of 3 class groups missing"),
        (damaged, 1, "Expected JSON in vit/results.json"),
        (of_another_system, 2, "Expected runs of attention heads or of mutual knowledge, found vit of my_system"),
        (without_configuration, 2, "Expected the folder of a model's run with config.yaml, found none at vit"),
    ],
)
def test_runs_that_cannot_be_asked_are_refused(
    command: Callable[..., Any], tmp_path: Path, change: Callable[[Path], None], code: int, said: str
) -> None:
    change(write_run(tmp_path / "vit"))
    outcome = command("app", "vit")
    assert (outcome.code, outcome.error.count("\n")) == (code, 1)
    assert said in outcome.error


@pytest.mark.parametrize(
    ("word", "said"),
    [("nowhere", "results.json, found none at nowhere"), ("local-dir:nowhere", "open_clip_config.json, found no ")],
)
def test_no_run_and_no_model(command: Callable[..., Any], word: str, said: str) -> None:
    outcome = command("app", word)
    assert outcome.code in (1, 2)
    assert said in outcome.error


def test_missing_gradio(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_library, "find_spec", lambda name: None)
    outcome = command("app", "nowhere")
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert "pip install 'mkbench[app]'" in outcome.error


def test_class_names_beside_runs_alone(command: Callable[..., Any], tmp_path: Path) -> None:
    write_run(tmp_path / "vit")
    (tmp_path / "names.txt").write_text("owl\nbat")
    (tmp_path / "bank.txt").write_text("wings\nlarge eyes")
    outcome = command("app", "vit", "--class-names", "names.txt", "--bank", "bank.txt")
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert "Expected a model for --class-names and --bank, found runs alone" in outcome.error


def test_class_names_without_descriptors(command: Callable[..., Any]) -> None:
    outcome = command("app", "local-dir:nowhere", "--class-names", "names.txt")
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert "Expected --class-names and --bank together, found no --bank" in outcome.error
