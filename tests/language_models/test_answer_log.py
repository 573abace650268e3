"""Answers on disk, one line each."""

import json
import threading
from pathlib import Path

import pytest

from mkbench.language_models.answer_log import Answer, AnswerLog

GOOD = {"key": "k", "content": "yes", "finish_reason": "stop", "refusal": None}


def test_what_is_added_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.jsonl"
    log = AnswerLog(path)
    answers = {"a": Answer("two\nlines \u2028 ü"), "b": Answer(None, "stop", "no")}
    for key, answer in answers.items():
        log.add(key, answer)
    assert len(path.read_bytes().splitlines()) == 2
    assert AnswerLog(path).answers == answers
    log.add("a", Answer("other"))  # the last one holds
    assert AnswerLog(path).answers["a"] == Answer("other")


@pytest.mark.parametrize(
    "line",
    [
        '{"key": "k2", "content": "ye',
        "",
        "[]",
        "3",
        "null",
        json.dumps({**GOOD, "key": 3}),
        json.dumps({**GOOD, "content": ["yes"]}),
        json.dumps({**GOOD, "more": 1}),
        json.dumps({"key": "k2"}),
        "[" * 100_000,
        "\x00\x00",
    ],
)
def test_damaged_lines_do_not_count(tmp_path: Path, line: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(f"{line}\n{json.dumps(GOOD)}\n{line}")
    log = AnswerLog(path)
    assert log.answers == {"k": Answer("yes", "stop")}
    log.add("n", Answer("new"))  # on a line of its own, whatever stood there
    log.add("m", Answer("more"))
    assert set(AnswerLog(path).answers) == {"k", "n", "m"}


def test_bytes_that_are_no_text_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b"\xff\xfe{\n" + json.dumps(GOOD).encode() + b"\n\xc3")
    assert set(AnswerLog(path).answers) == {"k"}


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    log = AnswerLog(path)

    def add(name: str) -> None:
        for number in range(20):
            log.add(f"{name}{number}", Answer(name * 500))

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AnswerLog(path).answers == log.answers
    assert len(log.answers) == 80
