"""One question to an endpoint, and all that may go wrong with it."""

from __future__ import annotations

import email.utils
import json
import logging
import sys
import time
from typing import Any

import pytest
from chat_server import HANG, SECRET, ChatServer, Response, completion, failure

from mkbench.errors import UsageError
from mkbench.language_models import Endpoint
from mkbench.language_models.answer_log import Answer
from mkbench.language_models.endpoint import ChatClient, UnansweredError, import_openai, read_wait

pytest.importorskip("openai")


def ask(endpoint: Endpoint, prompt: str = "Why?") -> Answer:
    client = ChatClient(endpoint)
    try:
        return client.ask(prompt)
    finally:
        client.close()


def test_question_and_answer(server: ChatServer, endpoint: Any) -> None:
    server.script(completion("Because."))
    assert ask(endpoint()) == Answer("Because.", "stop", None)
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body["model"] == "toy"
    assert request.body["temperature"] == 0
    assert request.prompt == "Why?"
    assert request.headers["authorization"] == f"Bearer {SECRET}"


def test_temperature_may_be_left_to_the_endpoint(server: ChatServer, endpoint: Any) -> None:
    ask(endpoint(temperature=None))
    assert "temperature" not in server.requests[0].body


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (completion(None, refusal="I will not."), Answer(None, "stop", "I will not.")),
        (completion("", finish_reason="content_filter"), Answer("", "content_filter")),
        (failure(400, code="content_filter"), Answer(None, "content_filter")),
        (completion('{"lab', finish_reason="length"), Answer('{"lab', "length")),
    ],
)
def test_refusals_and_cut_replies_are_answers(
    server: ChatServer, endpoint: Any, response: Response, answer: Answer
) -> None:
    server.script(response)
    assert ask(endpoint()) == answer


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (failure(429, "slow down"), "status 429: .*slow down"),
        (failure(502, "bad gateway"), "status 502: .*bad gateway"),
        (Response(b"<html>", status=500, kind="text/html"), "status 500"),
        (Response(b"<html>a login page", kind="text/html"), "no chat completion"),
        (Response(b'{"choices": ['), "no chat completion"),
        (Response(b'{"error": "later"}'), "no chat completion"),
        (Response(b'{"choices": []}'), "no chat completion"),
        (Response(b'{"choices": [{"message": null}]}'), "no chat completion"),
        (Response(b'{"choices": [3]}'), "no chat completion"),
        (Response(b"[]"), "no chat completion"),
        (Response(b"[" * 100_000), "no chat completion"),
        (Response(b'{"choices"', cut=True), "no connection"),
        (HANG, r"no answer within 0\.2 s"),
    ],
)
def test_what_may_be_answered_later(server: ChatServer, endpoint: Any, response: Response, found: str) -> None:
    server.script(response)
    with pytest.raises(UnansweredError, match=found):
        ask(endpoint(timeout=0.2 if response.hang else 20))


@pytest.mark.parametrize(
    ("header", "wait"), [({"Retry_After": "0.25"}, 0.25), ({}, None), ({"Retry_After": "?"}, None)]
)
def test_what_the_endpoint_says_of_waiting(
    server: ChatServer, endpoint: Any, header: dict[str, str], wait: float | None
) -> None:
    server.script(failure(429, **header))
    with pytest.raises(UnansweredError) as raised:
        ask(endpoint(max_retries=5))
    assert raised.value.wait == wait
    assert len(server.requests) == 1  # asking again is not its affair


def test_wait_until_a_date() -> None:
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert read_wait(in_a_minute) == pytest.approx(60, abs=5)
    assert read_wait("-3") == 0
    assert read_wait("1e999") is None


def test_no_server(endpoint: Any) -> None:
    with pytest.raises(UnansweredError, match="no connection: "):
        ask(endpoint(base_url="http://127.0.0.1:9/v1"))


@pytest.mark.parametrize(
    "response",
    [
        failure(401, "bad key"),
        failure(403),
        failure(404, "no such model"),
        failure(400),
        failure(422),
        failure(429, code="insufficient_quota"),
    ],
)
def test_what_asking_again_does_not_mend(server: ChatServer, endpoint: Any, response: Response) -> None:
    server.script(response)
    expected = rf"an answer from toy at {server.url}, found status {response.status} .*check model, base_url and"
    with pytest.raises(UsageError, match=expected):
        ask(endpoint())


@pytest.mark.parametrize("status", [401, 503])
def test_no_message_holds_the_key(
    server: ChatServer, endpoint: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script(failure(status, f"wrong key {SECRET}\x1b[31m\n of"))
    with pytest.raises((UsageError, UnansweredError)) as raised:
        ask(endpoint(base_url=f"{server.url}?token=t0ken"))
    message = str(raised.value)
    assert "wrong key ***" in message
    assert not any(secret in message for secret in (SECRET, "t0ken", "\x1b", "\n"))
    assert SECRET not in caplog.text
    assert len(message) < 500


def test_no_answer_holds_the_key(server: ChatServer, endpoint: Any) -> None:
    server.respond = lambda request: completion(json.dumps(request.headers))
    assert ask(endpoint()).content is not None
    assert SECRET not in str(ask(endpoint()))
    assert "***" in str(ask(endpoint()))


def test_what_is_no_secret_stays_in_answers(server: ChatServer, endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "o")
    server.script(completion("colour"))
    assert ask(endpoint()).content == "colour"


def test_key_goes_only_where_it_belongs(server: ChatServer, endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    ask(endpoint(api_key_variable=None))
    assert SECRET not in str(server.requests[0].headers)


@pytest.mark.parametrize("key", [None, "", " \n"])
def test_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    for variable in ("OPENAI_API_KEY", "OWN_KEY"):
        monkeypatch.delenv(variable, raising=False) if key is None else monkeypatch.setenv(variable, key)
    with pytest.raises(UsageError, match=r"key of https://api\.openai\.com/v1 .*variable OPENAI_API_KEY, found none"):
        ChatClient(Endpoint("toy"))
    with pytest.raises(UsageError, match=r"key of http://localhost .*variable OWN_KEY, found none"):
        ChatClient(Endpoint("toy", base_url="http://localhost", api_key_variable="OWN_KEY"))


def test_key_of_other_characters_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "schlüssel-und-geheim")
    with pytest.raises(UsageError, match="found other characters") as raised:
        ChatClient(Endpoint("toy", api_key_variable="TEST_KEY"))
    assert "geheim" not in str(raised.value)


def test_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(UsageError, match=r"`openai` .*found none; install it with pip install 'mkbench\[llm\]'"):
        import_openai()


def test_values_out_of_range() -> None:
    for wrong in ({"timeout": 0}, {"max_retries": -1}, {"concurrency": 0}):
        with pytest.raises(UsageError, match="positive timeout, max_retries of 0 or more and a concurrency of 1"):
            Endpoint("toy", **wrong)


def test_password_in_the_address_is_refused() -> None:
    with pytest.raises(UsageError, match="a base_url without a name or password") as raised:
        Endpoint("toy", base_url="http://name:t0psecret@localhost/v1")
    assert "t0psecret" not in str(raised.value)


def test_settings_hold_no_address() -> None:
    assert Endpoint("toy", base_url="http://localhost/v1").settings() == {"model": "toy", "temperature": 0.0}
