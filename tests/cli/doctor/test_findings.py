from __future__ import annotations

from collections.abc import Iterator

import pytest

from mkbench.cli.doctor.findings import Finding, Remark, Report, counted, duration, examples, merge, ok
from mkbench.errors import DataError


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than 1 s"),
        (1, "about 1 s"),
        (59.4, "about 59 s"),
        (60, "about 1 min"),
        (599, "about 9 min 59 s"),
        (600, "about 10 min"),
        (3600 * 5 + 60 * 20, "about 5 h 20 min"),
        (3600 * 11.6, "about 12 h"),
        (86400 * 1.5, "about 1 d 12 h"),
        (86400 * 2000, "about 2,000 d"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_numbers_with_their_nouns() -> None:
    assert counted(0, "class", "classes") == "0 classes"
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(50_000, "image") == "50,000 images"


def test_examples_name_the_first_and_count_the_rest() -> None:
    assert examples(["a"]) == "'a'"
    assert examples([str(number) for number in range(2003)]) == "'0', '1', '2' and 2,000 more"


def test_a_check_that_fails_halfway_keeps_what_it_said() -> None:
    def check() -> Iterator[Remark]:
        yield ok("so far so good")
        raise DataError("Expected an image, found none; add one.")

    heard: list[str] = []
    report = Report(heard.append)
    report.note("data", check(), doing="looking", model="a")
    report.note("bank", [ok("fine")])
    assert report.findings == [
        Finding("data", "ok", "so far so good", "a"),
        Finding("data", "problem", "Expected an image, found none; add one", "a"),
        Finding("bank", "ok", "fine"),
    ]
    assert heard == ["looking"]


def test_an_attempt_returns_what_was_made_or_says_why_not() -> None:
    report = Report(lambda doing: None)
    assert report.attempt("data", lambda: 3, doing="counting") == 3
    assert report.attempt("model", lambda: int("one"), doing="choosing", model="b") is None
    said = "ValueError: invalid literal for int() with base 10: 'one'"
    assert report.findings == [Finding("model", "problem", said, "b")]


def test_merging_keeps_what_differs_between_models() -> None:
    both = [Finding("bank", "ok", "all fit", model) for model in ("a", "b")]
    one = Finding("bank", "warning", "3 are too long", "b")
    shared = Finding("data", "ok", "6 images")
    assert merge([shared, both[0], one, both[1]], ["a", "b"]) == [shared, Finding("bank", "ok", "all fit"), one]
    assert merge([both[0]], ["a", "b"]) == [both[0]]
    assert merge([shared], [None]) == [shared]
