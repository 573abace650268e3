"""The README's Python runs, and its commands and links name what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mkbench.cli.command_table import COMMANDS, TRAINER_COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "explanation.png").is_file()


def test_commands_exist() -> None:
    commands = set(
        re.findall(r"\bmkbench ([a-z]+)\b(?= )", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)))
    )
    assert {"predict", "bench", "doctor", "verify"} <= commands <= {*COMMANDS, *TRAINER_COMMANDS}


def test_files_exist() -> None:
    named = set(re.findall(r"(?:configs|docs)/[\w/.-]+\.(?:yaml|png)", README))
    assert len(named) > 5
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
