"""`mkbench bank analyse` over banks and a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"owl": ["large eyes", "wings"], "bat": ["wings", "dark fur"]}))
    return path


def test_banks_are_compared(bank: Path, tiny_model: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    done = command("bank", "analyse", bank, f"--encoder=local-dir:{tiny_model}", "--out=analysis")
    assert done.code == 0, done.error
    assert "InterDiv" in done.output
    assert f"encoded by local-dir:{tiny_model}" in (tmp_path / "analysis" / "banks.md").read_text()
    assert len((tmp_path / "analysis" / "banks.csv").read_text().splitlines()) == 4


def test_an_encoder_is_needed(bank: Path, command: Callable[..., Any]) -> None:
    done = command("bank", "analyse", bank)
    assert (done.code, done.error) == (
        2,
        "mkbench: Expected --encoder MODEL, or runs of one model with --run, found neither; name the sentence "
        "encoder.\n",
    )
