"""Nothing is sent and nothing is fetched unless asked: with all connections refused, every command still works."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from toy_data import CONFIGS


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Refuses every connection; what was asked for."""
    asked: list[Any] = []
    unused = socket.socket()

    def refuse(self: socket.socket, address: Any) -> NoReturn:
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *name, **options: refuse(unused, name))
    yield asked
    unused.close()


def test_connections_are_refused(no_network: list[Any]) -> None:
    with pytest.raises(OSError, match="no network"):
        socket.create_connection(("127.0.0.1", 1))
    assert no_network


def test_the_hub_is_told_nothing() -> None:
    code = "import mkbench, huggingface_hub.constants as hub; print(hub.HF_HUB_DISABLE_TELEMETRY)"
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_TELEMETRY"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"


def test_commands_ask_for_no_connection(
    command: Callable[..., Any], predict_words: list[str], tiny_model: Path, tmp_path: Path, no_network: list[Any]
) -> None:
    knowledge = command(*predict_words)
    assert (knowledge.code, knowledge.error) == (0, "")
    shutil.copytree(knowledge.run, tmp_path / "again" / "tiny")
    config = f"--config={CONFIGS / 'critters' / 'heads.yaml'}"
    words = [word for word in predict_words[1:] if not word.startswith(("--config", "--model.refine", "--results"))]
    heads = command("predict", config, *words, "--results.root=heads")
    assert (heads.code, heads.error) == (0, "")
    for words in (
        ["heads", "heads/tiny"],
        ["compare", "runs/tiny", "again/tiny"],
        ["verify", "runs/tiny", "--against=again"],
        ["models"],
    ):
        assert command(*words).code == 0, words
    assert command("doctor", *predict_words[1:-1]).code in (0, 1)  # whatever it thinks of random weights
    assert no_network == []
