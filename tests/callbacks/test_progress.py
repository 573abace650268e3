from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mkbench.callbacks import GroupProgress
from mkbench.datamodules import ClassGroup

GROUP = ClassGroup(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 0, 0, ("a", "b"))
SYSTEM: Any = SimpleNamespace(backbone=SimpleNamespace(name="my-model"))


def make_trainer(*, first: bool = True) -> Any:
    return SimpleNamespace(is_global_zero=first, num_predict_batches=[2], world_size=1)


def go_through(bar: GroupProgress, trainer: Any, groups: int = 2) -> None:
    bar.on_predict_start(trainer, SYSTEM)
    for index in range(groups):
        bar.on_predict_batch_end(trainer, SYSTEM, None, GROUP, index)


def let_be_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")


def test_bar_tells_model_groups_and_speed_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_be_terminal(monkeypatch)
    bar = GroupProgress()
    go_through(bar, make_trainer())
    bar.on_predict_end(make_trainer(), SYSTEM)
    said = capsys.readouterr()
    assert said.out == ""
    for words in ("my-model", "2/2", "groups", "images/s"):
        assert words in said.err


@pytest.mark.parametrize(("enabled", "first"), [(False, True), (True, False)])
def test_silent_if_told_so_and_on_other_devices(capsys: pytest.CaptureFixture[str], enabled: bool, first: bool) -> None:
    bar = GroupProgress(enabled=enabled)
    trainer = make_trainer(first=first)
    go_through(bar, trainer)
    bar.on_predict_end(trainer, SYSTEM)
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_failure_gives_the_terminal_back(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    let_be_terminal(monkeypatch)
    bar = GroupProgress()
    go_through(bar, make_trainer(), groups=1)
    bar.on_exception(make_trainer(), SYSTEM, RuntimeError())
    assert "1/2" in capsys.readouterr().err
    bar.on_predict_batch_end(make_trainer(), SYSTEM, None, GROUP, 1)  # nothing is drawn any more
    assert capsys.readouterr().err == ""


def test_second_model_starts_at_zero(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    let_be_terminal(monkeypatch)
    bar = GroupProgress()
    go_through(bar, make_trainer())
    bar.on_predict_end(make_trainer(), SYSTEM)
    capsys.readouterr()
    go_through(bar, make_trainer(), groups=0)
    bar.on_predict_end(make_trainer(), SYSTEM)
    assert "0/2" in capsys.readouterr().err


def test_plain_lines_are_few_and_say_how_long_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 3))  # three seconds a group
    monkeypatch.setattr("mkbench.callbacks.progress.time", SimpleNamespace(monotonic=lambda: next(clock)))
    trainer: Any = SimpleNamespace(is_global_zero=True, num_predict_batches=[7], world_size=1)
    go_through(GroupProgress(), trainer, groups=7)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" groups")[0] for line in lines] == [f"my-model: {done}/7" for done in (2, 4, 6, 7)]
    assert all(line.endswith(" left") for line in lines[:-1])
    assert "images/s" in lines[-1]
    assert "left" not in lines[-1]
