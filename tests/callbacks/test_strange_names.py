from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_class_names_that_look_like_paths_stay_within_the_run(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    photo_tree()
    names = {"ant": "../../ant", "bee": "/tmp/bee", "cat": "..\\cat/\n".strip()}
    (tmp_path / "names.json").write_text(json.dumps(names), encoding="utf-8")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    outcome = command(*folder_words, "--data.class_names=names.json", "--figures.samples=3")
    assert outcome.code == 0
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert written
    assert all(path.is_relative_to(outcome.run) for path in written)
