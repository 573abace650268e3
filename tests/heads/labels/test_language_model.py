"""Labels and judgements by a language model behind a server on this machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_server import ChatServer, Request, Response, completion

from mkbench.heads.labels import HeadTexts, LabelContext, LanguageModelJudge, LanguageModelLabeller
from mkbench.heads.labels.questions import judge_question, label_question

pytest.importorskip("openai")


def about(head: int, request: Request) -> bool:
    return f"thing {head}" in request.prompt


def test_labels_with_what_they_come_from(
    server: ChatServer, endpoint: Any, context: LabelContext, heads: tuple[HeadTexts, ...]
) -> None:
    server.script(completion('{"label": "Colours"}'))
    labels = LanguageModelLabeller(endpoint()).label(heads, context)
    assert [label.label for label in labels] == ["colour"] * 3
    assert labels[1].source.model == "toy"
    assert labels[1].source.prompt == label_question(heads[1].texts)
    assert labels[1].source.reply == '{"label": "Colours"}'
    assert labels[1].reason is None
    assert sorted(request.prompt for request in server.requests) == sorted(label_question(h.texts) for h in heads)


def test_one_bad_reply_loses_no_other_head(
    server: ChatServer, endpoint: Any, context: LabelContext, heads: tuple[HeadTexts, ...]
) -> None:
    def respond(request: Request) -> Response:
        if about(0, request):
            return completion(None, refusal="I would rather not.")
        return completion("Colour, I think." if about(1, request) else '{"label": "colour"}')

    server.respond = respond
    labels = LanguageModelLabeller(endpoint()).label(heads, context)
    assert [label.label for label in labels] == [None, None, "colour"]
    assert [label.reason for label in labels] == ["refused", "not the JSON asked for", None]
    assert [label.source.reply for label in labels[:2]] == ["I would rather not.", "Colour, I think."]
    server.requests.clear()
    assert LanguageModelLabeller(endpoint()).label(heads, context) == labels
    assert server.requests == []  # a refusal is an answer


def test_head_without_texts_is_not_asked_about(
    server: ChatServer, endpoint: Any, context: LabelContext, heads: tuple[HeadTexts, ...]
) -> None:
    labels = LanguageModelLabeller(endpoint()).label([HeadTexts(9, 0, ()), heads[0]], context)
    assert [(label.label, label.reason) for label in labels] == [(None, "no texts"), ("colour", None)]
    assert len(server.requests) == 1
    assert LanguageModelLabeller(endpoint()).label([], context) == []


def test_judgements(server: ChatServer, endpoint: Any, context: LabelContext, heads: tuple[HeadTexts, ...]) -> None:
    def respond(request: Request) -> Response:
        if about(2, request):
            return completion('{"fits": [true]}')
        return completion(json.dumps({"fits": [about(0, request), False, True, True, True]}))

    server.respond = respond
    judge = LanguageModelJudge(endpoint())
    assert judge.any_label
    judgements = judge.judge([*heads, heads[0]], ["colour", "shape", "size", None], context)
    assert [judgement.fits for judgement in judgements] == [
        (True, False, True, True, True),
        (False, False, True, True, True),
        None,
        None,
    ]
    assert [judgement.reason for judgement in judgements] == [None, None, "not the JSON asked for", "no label"]
    assert judgements[1].source.prompt == judge_question("shape", heads[1].texts)
    assert judgements[3].source.prompt is None
    assert len(server.requests) == 3


def test_settings_tell_what_changes_answers(endpoint: Any) -> None:
    first, other = (LanguageModelLabeller(endpoint(model=model)).settings() for model in ("toy", "other"))
    assert first != other
    assert first == LanguageModelLabeller(endpoint(timeout=3, concurrency=1)).settings()
    judge = LanguageModelJudge(endpoint()).settings()
    assert judge["question"] != first["question"]
    assert "sk-" not in json.dumps([first, other, judge])
