from __future__ import annotations

import json

import pytest

from benchmarks.interleaved import median_seconds, print_rows


def test_medians_are_of_the_rounds_after_the_first() -> None:
    # Start and end of a (1 s, warm-up), b (2 s), then a: 3, 5, 100 s and b: 4, 4, 4 s.
    spans = [1, 2, 3, 4, 5, 4, 100, 4]
    clock = iter([float(value) for span in spans for value in (10, 10 + span)]).__next__
    turns: list[str] = []
    found = median_seconds({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 3, clock=clock)
    assert found == {"a": 5, "b": 4}
    assert turns == ["a", "b"] * 4


def test_no_round_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one round, got 0"):
        median_seconds({}, 0)


def test_rows_are_printed_as_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"cpu_s": 1.5, "name": "owl"}, {"cpu_s": 2.5, "name": "bat"}]
    print_rows(rows, as_json=True)
    assert json.loads(capsys.readouterr().out) == rows
    print_rows(rows, as_json=False)
    printed = capsys.readouterr().out
    assert "cpu s" in printed
    assert printed.index("owl") < printed.index("bat")
