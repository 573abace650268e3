import time

import pytest

from mkbench.progress import late_bar


def test_short_work_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with late_bar("encoding", "texts,", total=3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_long_work_draws_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # how rich is told that it writes to a terminal
    with late_bar("encoding", "texts,", total=3, after=0.01) as advance:
        time.sleep(0.02)
        advance(2)
        advance(1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "encoding" in err
    assert "3/3" in err


def test_long_work_prints_a_line_now_and_then_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with late_bar("encoding", "texts,", total=3, every=0.01) as advance:
        time.sleep(0.02)
        advance(2)
        advance(1)
    assert capsys.readouterr() == ("", "encoding 2/3 texts\n")
