"""Banks made by a language model on a local server: asked once, kept, merged and limited."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import SECRET, ChatServer, Request, Response, completion, failure

from mkbench.concepts import load_bank
from mkbench.errors import DataError, EndpointError, UsageError
from mkbench.language_models.bank_origin import bank_origin, origin_path
from mkbench.language_models.descriptor_bank import BankOptions, make_bank

pytest.importorskip("openai")
NAMES = ("owl", "bat", "cat")


def words_of(request: Request) -> Response:
    """Three descriptors that name the class, the prompt's first word and a number."""
    question = request.prompt.splitlines()[0]
    name = next(name for name in NAMES if name in question.split("a ")[-1] or f"a {name}" in question)
    first = question.split()[0].lower()
    return completion(json.dumps({"descriptors": [f"{name} {first} {number}" for number in range(3)]}))


def test_each_class_and_prompt_is_asked_once(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.respond = words_of
    options = BankOptions((endpoint(),), ("P1", "P4"), max_per_class=4)
    bank = make_bank([*NAMES, "owl"], options, log=log, progress=False)
    assert len(server.requests) == 6
    assert list(bank.descriptors) == list(NAMES)
    # The first of both prompts, then the second of both.
    assert bank.descriptors["owl"] == ("owl what 0", "owl which 0", "owl what 1", "owl which 1")
    assert make_bank(NAMES, options, log=log, progress=False) == bank
    assert len(server.requests) == 6
    make_bank(NAMES, BankOptions((endpoint(),), ("P1", "P2")), log=log, progress=False)
    assert len(server.requests) == 9  # only what is new


def test_structured_output_is_asked_for(server: ChatServer, endpoint: Any) -> None:
    server.respond = words_of
    make_bank(["owl"], BankOptions((endpoint(),)), progress=False)
    (request,) = server.requests
    form = request.body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"]["required"] == ["descriptors"]


@pytest.mark.parametrize("status", [400, 422])
def test_endpoint_without_structured_output_is_asked_without(
    server: ChatServer, endpoint: Any, log: Path, status: int
) -> None:
    def respond(request: Request) -> Response:
        if "response_format" in request.body:
            return failure(status, "response_format is not supported")
        return completion("- large eyes\n- wings")

    server.respond = respond
    options = BankOptions((endpoint(concurrency=1),))
    bank = make_bank(NAMES, options, log=log, progress=False)
    assert bank.descriptors == dict.fromkeys(NAMES, ("large eyes", "wings"))
    assert len(server.requests) == 4  # it is refused once
    make_bank(NAMES, options, log=log, progress=False)
    assert len(server.requests) == 4


def test_question_that_is_refused_without_a_form_too_is_an_error(server: ChatServer, endpoint: Any) -> None:
    server.script(failure(400, "no such parameter"))
    with pytest.raises(UsageError, match="found status 400"):
        make_bank(["owl"], BankOptions((endpoint(),)), progress=False)
    assert len(server.requests) == 2


def test_interrupted_bank_goes_on(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.respond = lambda request: failure(500) if "bat" in request.prompt else words_of(request)
    options = BankOptions((endpoint(),))
    with pytest.raises(EndpointError, match="none to 1 of 3 questions"):
        make_bank(NAMES, options, log=log, progress=False)
    server.respond = words_of
    server.requests.clear()
    assert list(make_bank(NAMES, options, log=log, progress=False).descriptors) == list(NAMES)
    assert len(server.requests) == 1


def test_unusable_replies_are_kept_and_named(server: ChatServer, endpoint: Any, log: Path) -> None:
    server.respond = lambda request: completion("Sorry.") if "bat" in request.prompt else words_of(request)
    bank = make_bank(NAMES, BankOptions((endpoint(),)), log=log, progress=False)
    assert (list(bank.descriptors), bank.without) == (["owl", "cat"], ("bat",))
    assert [(reply.class_name, reply.reason) for reply in bank.unusable] == [("bat", "not the JSON asked for")]
    assert "Sorry." in log.read_text()


def test_replies_without_descriptors_are_no_bank(server: ChatServer, endpoint: Any) -> None:
    server.script(completion("Sorry."))
    with pytest.raises(DataError, match="found 0; the first reply without any: not the JSON asked for; ask another"):
        make_bank(NAMES, BankOptions((endpoint(),)), progress=False)


def test_several_language_models_give_one_bank(server: ChatServer, endpoint: Any) -> None:
    server.respond = lambda request: completion(json.dumps([f"{request.body['model']} eyes", "wings"]))
    bank = make_bank(["owl"], BankOptions((endpoint(model="a"), endpoint(model="b"))), progress=False)
    assert bank.descriptors == {"owl": ("a eyes", "b eyes", "wings")}


def test_files_say_what_the_bank_was_made_with(server: ChatServer, endpoint: Any, log: Path, tmp_path: Path) -> None:
    server.respond = words_of
    options = BankOptions((endpoint(),), ("P3",))
    path = tmp_path / "made" / "bank.json"
    make_bank(NAMES, options, log=log, progress=False).write(path)
    first = [file.read_bytes() for file in (path, origin_path(path))]
    make_bank(NAMES, options, log=log, progress=False).write(path)
    assert [file.read_bytes() for file in (path, origin_path(path))] == first
    loaded = load_bank(path)
    assert loaded.sha256 == hashlib.sha256(first[0]).hexdigest()
    assert loaded.by_class is not None
    assert list(loaded.by_class) == list(NAMES)
    assert bank_origin(path, loaded.sha256) == {"prompts": ["P3"], "language_models": ["toy"]}
    assert SECRET.encode() not in b"".join(first)
    assert sorted(file.name for file in path.parent.iterdir()) == ["bank.json", "bank.provenance.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bank_sha256": "a"}', '{"bank_sha256": "a", "prompts": 3}'])
def test_other_files_are_no_origin(tmp_path: Path, text: str) -> None:
    bank = tmp_path / "bank.json"
    origin_path(bank).write_text(text)
    assert bank_origin(bank, "a") == {}
    origin_path(bank).write_text('{"bank_sha256": "a", "prompts": {"P1": ""}, "language_models": [{"model": "b"}]}')
    assert bank_origin(bank, "a") == {"prompts": ["P1"], "language_models": ["b"]}
    assert bank_origin(bank, "edited since") == {}


def test_options_are_checked(endpoint: Any) -> None:
    with pytest.raises(UsageError, match="--max-per-class to be at least 1, found 0"):
        BankOptions((endpoint(),), max_per_class=0)
    with pytest.raises(UsageError, match="at least one --llm and one --prompt"):
        BankOptions(())
    with pytest.raises(UsageError, match="Expected a prompt, found 'P5'"):
        BankOptions((endpoint(),), ("P5",))
