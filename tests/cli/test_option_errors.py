from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("option", "nearest"),
    [
        ("--trainer.devicess=1", "--trainer.devices"),
        ("--results.rot=x", "--results.root"),
        ("--model.poool=3", "pool"),
        ("--data.limit_clases=3", "limit_classes"),  # an option of the base class
    ],
)
def test_misspelt_option_of_predict(
    command: Callable[..., Any], predict_words: list[str], option: str, nearest: str
) -> None:
    outcome = command(*predict_words, option)
    assert outcome.code == 2
    assert outcome.error.endswith(f"; did you mean {nearest}?\n")


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["predct"], "predict"),
        (["verify", "runs", "--against", "mutual-knowledge-tabel3"], "mutual-knowledge-table3"),
        (["models", "--sett", "x"], "--set"),
        (["models", "--set", "mutual-knowledge-tabel3"], "mutual-knowledge-table3"),
        (["explain", "a.png", "--model", "critters-vit-xl"], "critters-vit-"),
    ],
)
def test_misspelt_word(command: Callable[..., Any], words: list[str], nearest: str) -> None:
    outcome = command(*words)
    assert outcome.code == 2
    assert f"did you mean {nearest}" in outcome.error
