from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "unknown"),
    [
        (["bench", "--frobnicate", "3"], "--frobnicate"),
        (["bench", "--confg=a.yaml"], "--confg; did you mean --config?"),
        (["mined-descriptors", "--frobnicate"], "--frobnicate"),
        (["compare", "--outt=a"], "--outt; did you mean --out?"),
        (["class-token", "--frobnicate=3"], "--frobnicate"),
    ],
)
def test_unknown_options_are_named_beside_what_is_missing(
    command: Callable[..., Any], words: list[str], unknown: str
) -> None:
    outcome = command(*words)
    assert outcome.code == 2
    assert f"required: {'RUN' if words[0] in ('compare', 'class-token') else '--config'}" in outcome.error
    assert f"; unknown options: {unknown}\n" in outcome.error


@pytest.mark.parametrize("word", ["--data.root=a", "--seed_everything=1", "--train.data.batch_size=2", "--over"])
def test_options_of_predict_and_short_forms_are_known(command: Callable[..., Any], word: str) -> None:
    outcome = command("bench", word)
    assert outcome.code == 2
    assert "required: --config" in outcome.error
    assert "unknown" not in outcome.error


def test_unknown_options_are_said_once(command: Callable[..., Any]) -> None:
    outcome = command("models", "--sett", "x")
    assert outcome.error.count("--sett") == 1
