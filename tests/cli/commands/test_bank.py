"""`mkbench bank` from end to end, against a local server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import SECRET, ChatServer, Request, Response, completion, failure

pytest.importorskip("openai")


def two_descriptors(request: Request) -> Response:
    name = request.prompt.splitlines()[0].rstrip("?.").split()[-1]
    return completion(json.dumps({"descriptors": [f"{name} eyes", "wings"]}))


@pytest.fixture
def words(server: ChatServer, tmp_path: Path) -> list[str]:
    """The command over two classes on the local server."""
    (tmp_path / "names.txt").write_text("owl\nbat\n")
    endpoint = [f"--base-url={server.url}", "--api-key-variable=TEST_KEY"]
    return ["bank", "--class-names=names.txt", "--llm=toy", "--prompt=P2", "--out=banks/birds.json", *endpoint]


def test_bank_is_made_and_resumed(
    server: ChatServer, words: list[str], command: Callable[..., Any], tmp_path: Path
) -> None:
    server.respond = two_descriptors
    done = command(*words)
    assert (done.code, len(server.requests)) == (0, 2)
    assert "banks/birds.json: 4 descriptors, 3 of them different, of 2 classes" in done.output
    folder = tmp_path / "banks"
    assert json.loads((folder / "birds.json").read_text()) == {
        "owl": ["owl eyes", "wings"],
        "bat": ["bat eyes", "wings"],
    }
    assert sorted(path.name for path in folder.iterdir()) == [
        "birds.answers.jsonl",
        "birds.json",
        "birds.provenance.json",
    ]
    assert SECRET not in "".join(path.read_text() for path in folder.iterdir())
    (folder / "birds.json").unlink()
    assert command(*words).code == 0
    assert len(server.requests) == 2


def test_classes_without_descriptors_are_named(
    server: ChatServer, words: list[str], command: Callable[..., Any]
) -> None:
    server.respond = lambda request: completion("No.") if "bat" in request.prompt else two_descriptors(request)
    done = command(*words)
    assert done.code == 0
    assert "No descriptors of 1 classes: bat." in done.output


def test_mistakes_are_one_sentence(server: ChatServer, words: list[str], command: Callable[..., Any]) -> None:
    server.script(failure(401, "wrong key"))
    for extra, said in (
        (["--out=bank.txt"], "mkbench: Expected --out FILE.json, found bank.txt; a bank with classes is JSON.\n"),
        (["--max-per-class=0"], "mkbench: Expected --max-per-class to be at least 1, found 0.\n"),
        (
            ["--class-names=none.txt"],
            "mkbench: Expected a file of class names at none.txt, found none; check --class-names.\n",
        ),
    ):
        done = command(*words, *extra)
        assert (done.code, done.error) == (2, said)
    assert server.requests == []
    done = command(*words)
    assert done.code == 2
    assert "found status 401" in done.error.splitlines()[-1]
