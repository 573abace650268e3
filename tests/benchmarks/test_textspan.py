from __future__ import annotations

import json

import pytest

from benchmarks import textspan

SMALL = ["--heads", "3", "--images", "40", "--texts", "30", "--width", "16", "--rank", "6", "--num-texts", "4"]


def test_both_ways_are_timed(capsys: pytest.CaptureFixture[str]) -> None:
    assert textspan.main([*SMALL, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["same_picks"] is True
    assert result["batched_s"] >= 0
    assert textspan.main(SMALL) == 0
    assert "times as fast" in capsys.readouterr().out


def test_other_picks_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textspan, "one_head", lambda *_: [0, 0, 0, 0])
    with pytest.raises(RuntimeError, match="picked different texts"):
        textspan.main(SMALL)
