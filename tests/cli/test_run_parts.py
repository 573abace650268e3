from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

RUN = ("class-token", "heads remove", "heads prune", "heads topic-segmentation", "heads property-neighbors")
RUNS = ("heads", "compare", "report", "verify")
WORDS = {
    "heads remove": ["--heads", "3.2"],
    "heads prune": ["--heads", "3.2"],
    "heads topic-segmentation": ["--image", "owl/1.png", "--text", "red"],
    "heads property-neighbors": ["--property", "colour", "--image", "owl/1.png"],
    "verify": ["--against", "mutual-knowledge-table2"],
}


@pytest.mark.parametrize("name", [*RUN, *RUNS])
@pytest.mark.parametrize("exists", [False, True])
def test_folder_without_a_run_is_named(command: Callable[..., Any], tmp_path: Any, name: str, exists: bool) -> None:
    if exists:
        (tmp_path / "nothing").mkdir()
    outcome = command(*name.split(), "nothing", *WORDS.get(name, []))
    assert outcome.code == 2
    assert outcome.error.startswith("mkbench: Expected the folder of a ")
    assert "found none at nothing; name " in outcome.error
    assert "--config" not in outcome.error
