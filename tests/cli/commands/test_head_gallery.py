from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_data import CONFIGS

from mkbench.cli.main import main
from mkbench.report.head_cards import read_head_cards
from mkbench.runs.finished_runs import read_runs


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the last two layers, over two images each of three kinds of critters, whose heads have texts."""
    folder = tmp_path_factory.mktemp("described")
    words = [
        "predict",
        f"--config={CONFIGS / 'critters' / 'heads.yaml'}",
        "--model.backbone=critters-vit-s",
        "--model.num_layers=2",
        "--data.images_per_class=2",
        "--data.limit_classes=3",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
    ]
    assert main([*words, f"--results.root={folder}"]) == 0
    run = folder / "critters-vit-s"
    assert main(["heads", str(run)]) == 0
    return run


@pytest.fixture
def run(described: Path, tmp_path: Path) -> Path:
    """A described run that a test may change."""
    return Path(shutil.copytree(described, tmp_path / "run"))


def answers(run: Path) -> dict[str, Any]:
    found = {path.name: json.loads(path.read_text()) for path in run.glob("analyses/text-neighbors_*.json")}
    assert all((run / "analyses" / name).with_suffix(".png").is_file() for name in found)
    return found


def test_every_head_has_the_images_of_its_first_text(command: Callable[..., Any], run: Path) -> None:
    outcome = command("heads", "gallery", run, "--top=3", "--similarity=centred")
    assert (outcome.code, outcome.error) == (0, "")
    first = {
        (one["layer"], one["head"]): one["texts"][0]["text"]
        for one in json.loads((run / "heads.json").read_text())["heads"]
    }
    found = answers(run)
    assert {tuple(one["question"]["head"]): one["question"]["text"] for one in found.values()} == first
    assert outcome.output.strip() == f"{len(first)} heads: {run / 'analyses'}; `mkbench report {run}` shows them"
    cards = read_head_cards(read_runs(run)[0], "run-1", most=99)
    assert cards is not None
    assert all(len(figures) == 1 for shown in cards.layers.values() for _, figures in shown)
    # The same as asking one head by hand, up to the rounding of texts that are encoded together: the file is the same.
    (layer, head), text = max(first.items())
    words = ["--head", f"{layer}.{head}", "--text", text, "--top=3", "--similarity=centred"]
    assert command("heads", "text-neighbors", run, *words).code == 0
    again = answers(run)
    assert again.keys() == found.keys()
    for name, one in again.items():
        neighbors, others = one["result"]["neighbors"], found[name]["result"]["neighbors"]
        assert [one["id"] for one in neighbors] == [other["id"] for other in others]
        assert [one["score"] for one in neighbors] == pytest.approx([other["score"] for other in others], abs=1e-5)


def test_heads_without_texts_are_refused(command: Callable[..., Any], run: Path) -> None:
    (run / "heads.json").unlink()
    outcome = command("heads", "gallery", run)
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert "Expected heads with texts in" in outcome.error
    assert not (run / "analyses").exists() or not answers(run)


@pytest.mark.parametrize(("options", "reason"), [(["--top=0"], "Expected --top of 1 or more, found 0")])
def test_wrong_options_write_nothing(command: Callable[..., Any], run: Path, options: list[str], reason: str) -> None:
    outcome = command("heads", "gallery", run, *options)
    assert outcome.code == 2
    assert reason in outcome.error
    assert not answers(run)


def test_text_that_the_model_does_not_read_whole_comes_before_the_first_figure(
    command: Callable[..., Any], run: Path
) -> None:
    content = json.loads((run / "heads.json").read_text())
    content["heads"][-1]["texts"][0]["text"] = "wings " * 200
    (run / "heads.json").write_text(json.dumps(content))
    outcome = command("heads", "gallery", run)
    assert outcome.code == 2
    assert "reads whole, found a longer one" in outcome.error
    assert not answers(run)
