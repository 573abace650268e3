from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_data import CONFIGS

from mkbench.cli import plugins

OWN = "from toy_classes import ColourBackbone\n\nclass Mine(ColourBackbone):\n    pass\n"


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    loaded: dict[str, Path] = {}
    monkeypatch.setattr(plugins, "loaded", loaded)  # what other tests loaded is none of theirs
    yield
    for name in loaded:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("words", [["--plugins=plugin_of_test.py"], ["--plugins", "plugin_of_test.py"]])
def test_class_of_a_plugin_is_a_backbone_by_its_path(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "plugin_of_test.py").write_text(OWN)
    chosen = [
        *predict_words,
        "--model.backbone=plugin_of_test.Mine",
        "--data.limit_classes=1",
        "--data.images_per_class=1",
    ]
    refused = command(*chosen)
    assert refused.code == 2
    assert "name the file of your own class with --plugins FILE" in refused.error
    outcome = command(*chosen, *words)
    assert (outcome.code, outcome.error) == (0, "")
    assert (tmp_path / "runs" / "colours" / "results.json").is_file()
    assert plugins.plugin_words() == [f"--plugins={tmp_path / 'plugin_of_test.py'}"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.py", None, "Expected a Python file after --plugins"),
        ("notes.txt", "x", "Expected a Python file after --plugins"),
        ("json.py", "x = 1", "found that of an installed module; rename the file"),
        ("broken.py", "1 / 0", "found ZeroDivisionError: division by zero"),
    ],
)
def test_wrong_plugin(
    command: Callable[..., Any], tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    outcome = command("predict", f"--plugins={name}", "--config=x")
    assert (outcome.code, outcome.error.count("\n")) == (2, 1)
    assert message in outcome.error


def test_working_directory_is_not_imported_by_accident(tmp_path: Path) -> None:
    (tmp_path / "surprise.py").write_text("print('imported')\n")
    words = [f"--config={CONFIGS / 'critters' / 'mutual_knowledge.yaml'}", "--data=surprise.Data"]
    process = subprocess.run(
        [sys.executable, "-m", "mkbench", "predict", *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(CONFIGS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert "No module named 'surprise'" in process.stderr
    assert "imported" not in process.stdout
