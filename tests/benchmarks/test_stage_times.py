from __future__ import annotations

import time

import pytest
import torch

from benchmarks.stage_times import StageTimes


def test_both_clocks_add_up_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    times = StageTimes(torch.device("cpu"))
    monkeypatch.setattr(times, "now", iter([1.0, 3.0, 10.0, 15.0]).__next__)
    monkeypatch.setattr(time, "thread_time", iter([0.0, 0.5, 2.0, 3.5]).__next__)
    for _ in range(2):
        with times("render"):
            pass
    assert dict(times.seconds) == {"render": 7.0}
    assert times.cpu_ms(2) == {"render": 1000.0}
