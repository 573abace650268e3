from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace

from mkbench.cli.trainer import MkbenchCLI, Trainer, usable_accelerator, with_absolute_paths
from mkbench.datamodules import ImageFolder
from mkbench.errors import DataError, UsageError
from mkbench.systems import MutualKnowledge


def test_parts_are_built_one_by_one(folder_words: list[str], photo_tree: Callable[..., Path]) -> None:
    root = photo_tree()
    cli = MkbenchCLI([*folder_words[1:], f"--data.root={root}", "--data.limit_classes=2"], run=False)
    data = cli.build("data")
    assert isinstance(data, ImageFolder)
    assert len(data.specs) == 2
    system = cli.build("model")
    assert isinstance(system, MutualKnowledge)
    assert system.num_language_concepts == 5
    trainer = cli.build("trainer")
    assert isinstance(trainer, Trainer)
    assert trainer.world_size == 1


def test_a_fault_of_one_part_hides_none_of_another(folder_words: list[str]) -> None:
    words = [*folder_words[1:], "--model.backbone=nonsense", "--trainer.accelerator=cpu", "--data.root=nowhere"]
    cli = MkbenchCLI(words, run=False)
    with pytest.raises(UsageError, match="Expected the name of a model, got 'nonsense'"):
        cli.build("model")
    data = cli.build("data")
    with pytest.raises(DataError, match="Expected a folder of class folders at nowhere, found nothing"):
        _ = data.class_names
    assert cli.build("trainer").world_size == 1


def test_options_that_a_part_refuses(folder_words: list[str]) -> None:
    cli = MkbenchCLI([*folder_words[1:], "--data.limit_classes=0", "--trainer.accelerator=abacus"], run=False)
    with pytest.raises(UsageError, match=r"Expected --data\.limit_classes to be at least 1, found 0"):
        cli.build("data")
    with pytest.raises(UsageError, match="abacus"):
        cli.build("trainer")


def test_options_are_checked_before_anything_is_built(folder_words: list[str]) -> None:
    with pytest.raises(UsageError, match="Option 'pol' is not accepted"):
        MkbenchCLI([*folder_words[1:], "--model.pol=3"], run=False)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(False, True, "cpu"), (True, True, "auto"), (False, False, "auto")]
)
def test_auto_is_never_mps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cuda: bool, mps: bool, expected: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert usable_accelerator("auto") == expected
    assert ("MPS has no float64" in capsys.readouterr().err) is (expected == "cpu")
    assert usable_accelerator("mps") == "mps"  # who asks for it gets it


def test_trainer_runs_where_auto_would_be_mps(folder_words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    trainer = MkbenchCLI([*folder_words[1:], "--trainer.accelerator=auto"], run=False).build("trainer")
    assert trainer.strategy.root_device.type == "cpu"


@pytest.mark.parametrize(
    ("kind", "option", "given", "local"),
    [
        ("HuggingFace", "path", "ethz/food101", False),
        ("HuggingFace", "path", "saved", True),
        ("HuggingFace", "cache", "not-there-yet", True),
        ("WebDataset", "shards", "val-{000..049}.tar", True),
        ("ImageFolder", "class_names", "imagenet", False),
        ("ImageFolder", "class_names", "names.json", True),
        ("ImageFolder", "bank", "missing.json", True),
    ],
)
def test_saved_paths_are_absolute_and_names_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, option: str, given: str, local: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved").mkdir()
    (tmp_path / "names.json").touch()
    make: Any = Namespace  # its constructor is not annotated
    section = make(class_path=f"mkbench.datamodules.{kind}", init_args=make(**{option: given}))
    kept = with_absolute_paths(section).init_args[option]
    assert kept == (str(tmp_path / given) if local else given)
