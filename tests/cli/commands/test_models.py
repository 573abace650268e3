from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mkbench.backbones import model_entries


def test_every_model_is_listed(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    outcome = command("models")
    assert outcome.code == 0
    for entry in model_entries():
        assert entry.name in outcome.output


def test_names_are_whole_on_a_narrow_terminal(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    outcome = command("models")
    for entry in model_entries():
        assert entry.name in outcome.output


def test_models_of_a_set(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    outcome = command("models", "--set", "critters")
    listed = {entry.name for entry in model_entries() if f" {entry.name} " in outcome.output}
    assert listed == {"critters-vit-s", "critters-vit-m", "critters-vit-l", "critters-rn"}
    assert "bundled" in outcome.output


def test_unknown_set_is_told(command: Callable[..., Any]) -> None:
    outcome = command("models", "--set", "nowhere")
    assert outcome.code == 2
    assert "mutual-knowledge-table3" in outcome.error
