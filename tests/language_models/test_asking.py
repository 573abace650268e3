"""Many questions: in parallel, kept as they are answered, and asked for again after an interruption."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from chat_server import HANG, ChatServer, Request, Response, completion, failure

from mkbench.errors import EndpointError, UsageError
from mkbench.language_models import asking
from mkbench.language_models.asking import ask_all, question_key

pytest.importorskip("openai")
PROMPTS = [f"question {number}" for number in range(6)]


def echo(request: Request) -> Response:
    return completion(f"answer to {request.prompt}")


def contents(endpoint: Any, log: Path | None, prompts: list[str], *, progress: bool = False) -> list[str | None]:
    return [answer.content for answer in ask_all(endpoint, prompts, doing="test", log=log, progress=progress)]


def test_answers_come_in_the_order_of_the_questions(server: ChatServer, endpoint: Any, log: Path) -> None:
    def slow_first(request: Request) -> Response:
        time.sleep(0.1 if request.prompt == "question 0" else 0)
        return echo(request)

    server.respond = slow_first
    assert contents(endpoint(), log, PROMPTS) == [f"answer to {prompt}" for prompt in PROMPTS]


def test_equal_questions_are_asked_once(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.respond = echo
    assert contents(endpoint(), log, ["a", "b", "a"]) == ["answer to a", "answer to b", "answer to a"]
    assert len(server.requests) == 2
    assert contents(endpoint(), log, []) == []


def test_so_many_at_the_same_time_and_no_more(server: ChatServer, endpoint: Any, log: Path) -> None:
    meeting, under_way, most = threading.Barrier(3, timeout=10), [0], [0]
    lock = threading.Lock()

    def respond(request: Request) -> Response:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        meeting.wait()  # nobody goes on before three are here
        with lock:
            under_way[0] -= 1
        return echo(request)

    server.respond = respond
    assert len(contents(endpoint(concurrency=3), log, PROMPTS)) == 6
    assert most == [3]


def test_second_run_asks_nothing(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.respond = echo
    first = contents(endpoint(), log, PROMPTS)
    server.requests.clear()
    assert contents(endpoint(), log, PROMPTS) == first
    assert server.requests == []
    contents(endpoint(temperature=1.0), log, PROMPTS[:1])  # another question to a model
    contents(endpoint(model="other"), log, PROMPTS[:1])
    assert len(server.requests) == 2


def test_one_failure_loses_no_other_answer(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.respond = lambda request: failure(500, "oops") if request.prompt == "question 2" else echo(request)
    with pytest.raises(EndpointError, match=r"found none to 1 of 6 questions \(status 500: .*oops.*run the same"):
        contents(endpoint(), log, PROMPTS)
    server.requests.clear()
    server.respond = echo
    assert contents(endpoint(), log, PROMPTS) == [f"answer to {prompt}" for prompt in PROMPTS]
    assert [request.prompt for request in server.requests] == ["question 2"]


def test_endpoint_that_is_down_is_left_alone(server: ChatServer, endpoint: Any, log: Path) -> None:
    def down_after_two(request: Request) -> Response:
        return echo(request) if request.prompt in PROMPTS[:2] else HANG

    server.respond = down_after_two
    prompts = [f"question {number}" for number in range(30)]
    with pytest.raises(EndpointError, match=r"none to 3 questions in a row \(no answer within 0\.2 s\)"):
        contents(endpoint(concurrency=1, timeout=0.2), log, prompts)
    assert len(server.requests) <= 6  # at most one more was under way
    server.requests.clear()
    server.respond = echo
    contents(endpoint(), log, prompts[:4])
    assert len(server.requests) == 2


def test_rate_limits_and_faults_are_asked_again(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.script(failure(429, Retry_After="0.3"), failure(503, Retry_After="0.01"), completion("yes"))
    start = time.monotonic()
    assert contents(endpoint(max_retries=2), log, ["a"]) == ["yes"]
    assert time.monotonic() - start >= 0.3  # as long as the endpoint asked for
    assert len(server.requests) == 3


def test_waits_grow(server: ChatServer, endpoint: Any, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(asking, "LONGEST_WAIT", 0.15)
    server.script(*[failure(500)] * 4, completion("yes"))
    start = time.monotonic()
    assert contents(endpoint(max_retries=4), log, ["a"]) == ["yes"]
    assert time.monotonic() - start >= 0.05 + 0.1 + 0.15 + 0.15


def test_waits_and_retries_have_an_end(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.script(failure(429, "come tomorrow", Retry_After="86400"))
    with pytest.raises(EndpointError, match="come tomorrow"):
        contents(endpoint(max_retries=5), log, ["a"])
    assert len(server.requests) == 1
    server.script(failure(429, Retry_After="0.01"))
    with pytest.raises(EndpointError, match=r"none to 1 of 1 questions \(status 429"):
        contents(endpoint(max_retries=2), log, ["a"])
    assert len(server.requests) == 4


def test_wrong_key_ends_it_at_once(server: ChatServer, endpoint: Any, log: Path) -> None:
    # The others would wait for a minute.
    server.respond = lambda request: failure(401) if request.prompt == "question 0" else failure(429, Retry_After="60")
    start = time.monotonic()
    with pytest.raises(UsageError, match="found status 401"):
        contents(endpoint(concurrency=3, max_retries=3), log, PROMPTS)
    assert len(server.requests) <= 5
    assert time.monotonic() - start < 30


def test_bar_goes_to_standard_error(
    server: ChatServer, endpoint: Any, log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    contents(endpoint(), log, PROMPTS, progress=True)
    said = capfd.readouterr()
    assert said.out == ""
    assert re.search(r"test .*6/6", said.err)
    contents(endpoint(model="other"), log, PROMPTS)
    assert capfd.readouterr().err == ""


def test_answers_may_stay_in_memory(server: ChatServer, endpoint: Any) -> None:
    server.respond = echo
    assert contents(endpoint(), None, ["a"]) == ["answer to a"]


PROGRAM = """
import signal
import sys
from pathlib import Path
from mkbench.language_models.asking import ask_all
from mkbench.language_models.endpoint import Endpoint

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells that start it in the background ignore it
url, log = sys.argv[1:]
prompts = [f"question {number}" for number in range(6)]
ask_all(Endpoint("toy", base_url=url, concurrency=1), prompts, doing="test", log=Path(log))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_run_goes_on_where_it_was(
    server: ChatServer, endpoint: Any, tmp_path: Path, how: signal.Signals
) -> None:
    log = tmp_path / "run" / "answers.jsonl"
    asked = threading.Event()

    def hang_on_the_fourth(request: Request) -> Response:
        if request.prompt != "question 3":
            return echo(request)
        asked.set()
        return HANG

    server.respond = hang_on_the_fourth
    words = [sys.executable, "-c", PROGRAM, server.url, str(log)]
    with subprocess.Popen(words, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL) as process:
        try:
            assert asked.wait(120)
            process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)  # on a busy machine it must see the signal before the fourth question ends
            server.released.set()
            assert process.wait(60) != 0
        finally:
            process.kill()
    lines = log.read_text().splitlines()
    assert len(lines) == 3
    log.write_text(log.read_text()[:-20])  # a line that was only half written
    server.requests.clear()
    server.respond = echo
    assert contents(endpoint(), log, PROMPTS) == [f"answer to {prompt}" for prompt in PROMPTS]
    assert sorted(request.prompt for request in server.requests) == PROMPTS[2:]
    server.requests.clear()
    assert contents(endpoint(), log, PROMPTS) == [f"answer to {prompt}" for prompt in PROMPTS]
    assert server.requests == []


def test_no_file_holds_the_key(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.respond = lambda request: completion(str(request.headers))
    contents(endpoint(), log, ["a"])
    text = log.read_text()
    assert "authorization" in text
    assert "sk-a-secret-of-the-tests" not in text


def test_key_of_a_question_depends_on_model_sampling_and_words(endpoint: Any) -> None:
    keys = {
        question_key(endpoint(**changes), prompt)
        for changes in ({}, {"model": "b"}, {"temperature": 0.5}, {"temperature": None})
        for prompt in ("a", "b")
    }
    assert len(keys) == 8
    # Where it is asked, and how patiently, changes no answer.
    assert question_key(endpoint(), "a") == question_key(endpoint(base_url="http://b", max_retries=3, timeout=1), "a")
