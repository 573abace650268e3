"""Table of CorLoc by two settings of the foreground."""

from collections.abc import Sequence
from typing import Any

from mkbench.runs.results import Estimate
from mkbench.studies.foreground.study import ForegroundComparison
from mkbench.tables import BELOW, BESIDE, NO_INTERVALS, Cell, Column, ResultTable, csv_bounds

_FEATURES = {"tokens": "patch tokens", "keys": "attention keys", "both": "tokens and keys"}
_SALIENCY = {"spectral": "second singular vector", "pca": "first principal component"}


def foreground_table(found: Sequence[ForegroundComparison]) -> ResultTable:
    """Declare the table: a row for each model.

    Args:
        found: the comparisons, all of runs with the same settings.

    >>> [column.title for column in foreground_table([]).shown]
    ['model', 'this run % ↑', 'keys % ↑', 'more', 'whole image %', 'keys over that']
    """
    columns = [
        Column("model", lambda row: row.model, text=True, csv="model"),
        Column(None, lambda row: row.images, csv="images"),
        Column("this run %", lambda row: row.own, **_PERCENT, higher_is_better=True, csv=csv_bounds("corloc")),
        Column("keys %", lambda row: row.keys, **_PERCENT, higher_is_better=True, csv=csv_bounds("corloc_keys")),
        Column("more", lambda row: _gain(row.gain), **_PERCENT, signed=True, csv=csv_bounds("gain")),
        Column("whole image %", lambda row: row.whole, **_PERCENT, csv=csv_bounds("corloc_whole_image")),
        Column(
            "keys over that",
            lambda row: _gain(row.gain_over_whole),
            **_PERCENT,
            signed=True,
            csv=csv_bounds("gain_over_whole_image"),
        ),
    ]
    return ResultTable(
        columns,
        found,
        title="Does the foreground find the object? CorLoc by two settings",
        notes=[*_settings(found), _NOTE],
        notes_width="terminal",
        layouts=(BESIDE, BELOW, NO_INTERVALS),
    )


_PERCENT: dict[str, Any] = {"decimals": 1, "scale": 100}
_NOTE = (
    "CorLoc: images of which the box of the foreground overlaps a true box by more than half (IoU); whole image: its "
    "box, the control; [ ]: 95 % over images, of differences paired. ✔ the interval of the difference lies above 0."
)


def _settings(found: Sequence[ForegroundComparison]) -> list[str]:
    """Name both settings."""
    return [
        f"This run: {_SALIENCY[saliency]} of the {_FEATURES[features]} (--model.features {features} --model.saliency "
        f"{saliency}); keys: first principal component of the attention keys (--model.features keys --model.saliency "
        "pca)."
        for features, saliency in sorted({row.settings for row in found})
    ]


def _gain(gain: Estimate) -> Cell:
    return Cell(gain, marks=" ✔" if gain.interval is not None and gain.interval[0] > 0 else "")
