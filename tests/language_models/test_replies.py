"""JSON in answers."""

import pytest

from mkbench.language_models.answer_log import Answer
from mkbench.language_models.replies import read_json, read_object, reason_unusable


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n["a"]\n```', ["a"]),
        ('<think>{"a": 2}?</think> {"a": 1}', {"a": 1}),
        ('{"a": 1, "a": 2}', None),
        ("[" * 100_000, None),
        ("words", None),
    ],
)
def test_json_is_found(content: str, found: object) -> None:
    assert read_json(Answer(content)) == found
    expected = (found, None) if isinstance(found, dict) else (None, "not the JSON asked for")
    assert read_object(Answer(content)) == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("{}", "length"), "cut off"),
        (Answer("{}", "content_filter"), "refused"),
        (Answer(None, "stop", "I will not."), "refused"),
        (Answer(" \n", "stop"), "empty reply"),
        (Answer(None), "empty reply"),
        (Answer("{}"), None),
    ],
)
def test_unusable_answers_say_why(answer: Answer, reason: str | None) -> None:
    assert reason_unusable(answer) == reason
