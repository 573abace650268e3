from __future__ import annotations

from mkbench.runs.results import Estimate
from mkbench.studies.foreground.study import ForegroundComparison
from mkbench.studies.foreground.table import foreground_table
from mkbench.tables import to_markdown


def test_only_differences_above_zero_are_marked() -> None:
    better, unsure = Estimate(0.25, (0.125, 0.5)), Estimate(0.25, (0.0, 0.5))
    shares = (Estimate(0.5, (0.25, 0.75)), Estimate(0.75, (0.5, 0.875)), Estimate(0.5, (0.25, 0.75)))
    row = ForegroundComparison("ViT", ("tokens", "spectral"), 8, *shares, gain=better, gain_over_whole=unsure)
    text = to_markdown(foreground_table([row]))
    assert "| 50.0 [25.0, 75.0] | 75.0 [50.0, 87.5] | +25.0 ✔ [12.5, 50.0] | 50.0" in text
    assert "| +25.0 [0.0, 50.0] |" in text
    assert "second singular vector of the patch tokens (--model.features tokens" in text
