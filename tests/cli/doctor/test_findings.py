from __future__ import annotations

import pytest

from mkbench.cli.doctor.findings import counted, duration, examples


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
