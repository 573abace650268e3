from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mkbench.cli.trainer_help import show_help
from mkbench.errors import UsageError


def test_help_of_predict_is_its_own_and_short(command: Callable[..., Any]) -> None:
    outcome = command("predict", "--help")
    lines = outcome.output.splitlines()
    assert outcome.code == 0
    assert lines[0] == "usage: mkbench predict --config FILE [options]"
    assert lines[2].startswith("Evaluate one model")
    assert len(lines) < 100
    for option in ("--config", "--model.backbone", "--data.bank", "--results.root", "--figures.samples", "--help-all"):
        assert any(line.startswith(f"  {option}") for line in lines), option
    assert "as there" not in outcome.output
    assert "--trainer.gradient_clip_val" not in outcome.output


def test_help_in_full_has_the_options_of_the_trainer(command: Callable[..., Any]) -> None:
    assert "--trainer.gradient_clip_val" in command("predict", "--help-all").output


def test_help_is_of_the_classes_of_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    show_help(["predict", "--config", "configs/critters/heads.yaml", "--help"])
    shown = capsys.readouterr().out
    assert "mkbench.systems.HeadDecomposition" in shown
    assert "--data.images_per_class" in shown
    assert "--model.num_language_concepts" not in shown
    with pytest.raises(UsageError, match=r"Expected a class that can be imported for data, found no\.Data"):
        show_help(["predict", "--data=no.Data", "--help"])
