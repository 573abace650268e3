from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where answers are kept."""
    return tmp_path / "answers.jsonl"
