"""What is asked about a class, and what descriptors are read from replies."""

import json

import pytest

from mkbench.errors import UsageError
from mkbench.language_models.answer_log import Answer
from mkbench.language_models.descriptor_questions import (
    SCHEMA,
    descriptor_prompt,
    descriptor_question,
    prompt_names,
    read_descriptors,
)

#: As the paper words them.
PUBLISHED = {
    "P1": "What are useful visual features for distinguishing a {category} in a photo?",
    "P2": "What are the distinctive and physical features of a {category}?",
    "P3": "What specific attributes distinguish a {category}?",
    "P4": "Which physical features and attributes make a {category} different from others of the same type?",
}


def test_prompts_are_the_published_ones() -> None:
    assert {name: descriptor_prompt(name).splitlines()[0] for name in prompt_names()} == PUBLISHED


def test_unknown_prompt_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"Expected a prompt, found 'p4'; did you mean P4\."):
        descriptor_prompt("p4")


def test_form_of_the_answer_is_that_of_the_schema() -> None:
    form = descriptor_prompt("P1").splitlines()[1]
    assert list(json.loads(form.partition("form ")[2].partition("}")[0] + "}")) == SCHEMA["required"]


@pytest.mark.parametrize("name", ["{category}", "a {0} b", "snowy_owl"])
def test_class_names_are_taken_as_they_are(name: str) -> None:
    assert name.replace("_", " ") in descriptor_question("P2", name)


@pytest.mark.parametrize(
    "content",
    [
        '{"descriptors": ["large eyes", "wings"]}',
        '{"descriptors": [" large  eyes. ", "Large eyes", "", "wings"]}',
        '["large eyes", "wings"]',
        '```json\n{"descriptors": ["- large eyes", "2. wings"]}\n```',
        '<think>["beak"]</think>{"descriptors": ["large eyes", "wings"]}',
        "An owl has:\n- large eyes\n- wings\nand more.",
        "1. large eyes\n2) wings",
        "\u2022 large eyes\n* wings;",
    ],
)
def test_descriptors_are_read(content: str) -> None:
    assert read_descriptors(Answer(content, "stop")) == (("large eyes", "wings"), None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("It is hard to say."), "not the JSON asked for"),
        (Answer('{"features": ["wings"]}'), "not the JSON asked for"),
        (Answer('{"descriptors": "wings"}'), "not the JSON asked for"),
        (Answer('{"descriptors": ["wings", 2]}'), "not the JSON asked for"),
        (Answer('{"descriptors": []}'), "no descriptors"),
        (Answer('{"descriptors": [" . "]}'), "no descriptors"),
        (Answer('{"descriptors": ["wings"', "length"), "cut off"),
        (Answer(None, "stop", "I will not."), "refused"),
    ],
)
def test_what_holds_none_says_why(answer: Answer, reason: str) -> None:
    assert read_descriptors(answer) == ((), reason)


def test_numbers_within_a_descriptor_stay() -> None:
    assert read_descriptors(Answer('{"descriptors": ["2 large eyes", "3.5 m long"]}'))[0] == (
        "2 large eyes",
        "3.5 m long",
    )
