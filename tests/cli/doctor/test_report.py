from __future__ import annotations

from collections.abc import Iterator

from mkbench.cli.doctor.findings import Finding, Remark, ok
from mkbench.cli.doctor.report import Report, merge
from mkbench.errors import DataError


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
