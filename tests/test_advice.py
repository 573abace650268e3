"""Remedies that error messages name: each is taken from the message, and applied."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Change = Callable[[Path], list[str]]


def remedy(message: str) -> list[str]:
    """The options that a message says to add, as words of a command."""
    found = re.findall(r"(--[\w.]+) (true|\d+)\b", message)
    assert found, message
    return [f"{option}={value}" for option, value in found]


def other_settings(run: Path) -> list[str]:
    return ["--model.num_language_concepts=11"]


def damaged_manifest(run: Path) -> list[str]:
    (run / "manifest.json").write_text("{", encoding="utf-8")
    return []


def mistyped_manifest(run: Path) -> list[str]:
    content = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (run / "manifest.json").write_text(json.dumps(content | {"groups": 3}), encoding="utf-8")
    return []


def crashed_elsewhere(run: Path) -> list[str]:
    owner = {"host": "another", "pid": 1, "started": "1", "since": "yesterday"}
    (run / "run.lock").write_text(json.dumps(owner), encoding="utf-8")
    return []


@pytest.mark.parametrize("change", [other_settings, damaged_manifest, mistyped_manifest, crashed_elsewhere])
def test_option_that_is_named_helps(command: Callable[..., Any], predict_words: list[str], change: Change) -> None:
    words = [*predict_words, "--data.limit_classes=2"]
    run = command(*words).run
    words += change(run)
    refused = command(*words)
    assert refused.code != 0
    outcome = command(*words, *remedy(refused.error))
    assert (outcome.code, outcome.error) == (0, "")
    assert json.loads((run / "results.json").read_text(encoding="utf-8"))["data"]["classes"] == 2


@pytest.mark.parametrize(
    "mistake", ["--data.limit_classes=0", "--data.images_per_class=0", "--data.group_size=0", "--data.num_workers=-1"]
)
def test_number_that_is_named_is_accepted(command: Callable[..., Any], predict_words: list[str], mistake: str) -> None:
    refused = command(*predict_words, mistake)
    assert refused.code == 2
    least = re.search(r"(--data\.\w+) to be at least (\d+)", refused.error)
    assert least is not None, refused.error
    assert command(*predict_words, "--data.limit_classes=1", f"{least[1]}={least[2]}").code == 0


def test_restoring_what_a_comparison_misses(command: Callable[..., Any], predict_words: list[str]) -> None:
    run = command(*predict_words, "--data.limit_classes=2").run
    for name in ("results.json", "groups/00001-000.parquet"):
        (run / name).unlink()
    refused = command("compare", run)
    assert (refused.code, "run its `mkbench predict` again" in refused.error) == (1, True)
    assert command(*predict_words, "--data.limit_classes=2").code == 0
    assert command("compare", run).code == 0
