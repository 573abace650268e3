"""What a language model is asked, and how its answers are read."""

import json

import pytest

from mkbench.heads.labels.questions import judge_question, label_question, read_fits, read_label
from mkbench.language_models.answer_log import Answer

TEXTS = ["A red {brick}", "two\nlines"]


def test_label_question_has_two_worked_examples() -> None:
    question = label_question(TEXTS)
    blocks = question.split("Sentences:\n")[1:]
    examples = [json.loads(block.partition("Answer: ")[2]) for block in blocks[:2]]
    assert [example["label"] for example in examples] == ["location", "counting"]
    assert [block.count("\n") for block in blocks[:2]] == [7, 7]  # five sentences each
    assert blocks[2] == "1. A red {brick}\n2. two lines\nAnswer:"


def test_judge_question_has_a_worked_example() -> None:
    question = judge_question("colour", TEXTS)
    example, asked = question.split("Property: ")[1:]
    assert json.loads(example.partition("Answer: ")[2]) == {"fits": [True, False, True]}
    assert asked == "colour\nSentences:\n1. A red {brick}\n2. two lines\nAnswer:"


@pytest.mark.parametrize(
    ("content", "label"),
    [
        ('{"label": "Locations"}', "location"),
        (' {"label": "body parts", "why": "arms"} ', "body part"),
        ('```json\n{"label": "colour"}\n```', "colour"),
        ('```\n{"label": "colour"}\n```', "colour"),
        ('<think>{"label": "size"}? No.</think>\n{"label": "colour"}', "colour"),
    ],
)
def test_labels_are_read(content: str, label: str) -> None:
    assert read_label(Answer(content, "stop")) == (label, None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("I cannot help with that.", "stop"), "not the JSON asked for"),
        (Answer('{"label": "colour"', "stop"), "not the JSON asked for"),
        (Answer('{"label": null}', "stop"), "not the JSON asked for"),
        (Answer('{"label": ["colour"]}', "stop"), "not the JSON asked for"),
        (Answer('{"property": "colour"}', "stop"), "not the JSON asked for"),
        (Answer('["colour"]', "stop"), "not the JSON asked for"),
        (Answer('"colour"', "stop"), "not the JSON asked for"),
        (Answer("```", "stop"), "not the JSON asked for"),
        (Answer("[" * 100_000, "stop"), "not the JSON asked for"),
        (Answer("__import__('os').getcwd()", "stop"), "not the JSON asked for"),
        (Answer('{"label": "things that people do outside"}', "stop"), "not one property"),
        (Answer('{"label": "!"}', "stop"), "not one property"),
        (Answer('{"label": "colour"}', "length"), "cut off"),
        (Answer('{"label": "colour"}', "content_filter"), "refused"),
        (Answer(None, "stop", "I will not."), "refused"),
        (Answer(None, "content_filter"), "refused"),
        (Answer(None, "stop"), "empty reply"),
        (Answer(" \n", "stop"), "empty reply"),
    ],
)
def test_what_is_no_label_says_why(answer: Answer, reason: str) -> None:
    assert read_label(answer) == (None, reason)


def test_judgements_are_read() -> None:
    assert read_fits(Answer('{"fits": [true, false, true]}'), 3) == ((True, False, True), None)
    assert read_fits(Answer('```json\n{"fits": []}\n```'), 0) == ((), None)


@pytest.mark.parametrize(
    "fits", ["[true, false]", "[true, false, true, true]", "[1, 0, 1]", '["true", "false", "true"]', "true", "null"]
)
def test_what_is_no_judgement_says_why(fits: str) -> None:
    assert read_fits(Answer(f'{{"fits": {fits}}}'), 3) == (None, "not the JSON asked for")
    assert read_fits(Answer(f'{{"fits": {fits}', "length"), 3) == (None, "cut off")
