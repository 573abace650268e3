from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mkbench.runs.finished_runs import Run
from mkbench.studies.classifiers.table import classifier_rows, note
from mkbench.studies.classifiers.write import write_classifiers


def make_run(label: str = "ViT-B/16", *, images: int = 50_000, random_weights: bool = False) -> Run:
    metrics = [
        {"name": name, "explainer": head, "value": value, "interval": [value - 0.01, value + 0.01]}
        for head, values in {None: (0.68, 0.9), "linear-probe": (0.73, 0.92), "mm-cbm": (0.78, 0.95)}.items()
        for name, value in zip(("top1", "top5"), values, strict=True)
    ]
    difference = {"metric": "top1", "explainer": "mm-cbm", "minus": "linear-probe", "value": 0.05}
    results: dict[str, Any] = {
        "model": {"name": "vit", "label": label, "random_weights": random_weights},
        "data": {"images": images},
        "settings": {"heads": {"linear-probe": {}, "mm-cbm": {}}},
        "metrics": metrics,
        "differences": [difference | {"interval": [0.04, 0.06]}],
    }
    return Run(Path(label), label, results, {})


def show(runs: list[Run], folder: Path, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(write_classifiers(runs, folder, width=width))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_zero_shot_first_then_the_heads_in_their_order() -> None:
    rows = classifier_rows([make_run()])
    assert [row["classifier"] for row in rows] == ["zero-shot", "linear-probe", "mm-cbm"]
    assert [row["top1"].value for row in rows] == pytest.approx([68, 73, 78])
    assert rows[0]["difference"] is rows[1]["difference"] is None
    assert rows[2]["difference"].value == pytest.approx(5)
    assert rows[2]["difference"].interval == pytest.approx((4, 6))


def test_files(tmp_path: Path) -> None:
    show([make_run(), make_run("other", random_weights=True)], tmp_path, 120)
    lines = (tmp_path / "classifiers.md").read_text(encoding="utf-8").splitlines()
    assert lines[4] == "| ViT-B/16 | MM-CBM | 78.0 [77.0, 79.0] | 95.0 [94.0, 96.0] | 5.0 [4.0, 6.0] |"
    assert lines[5].startswith("| other (random weights) | zero-shot | 68.0 [67.0, 69.0] | ")
    assert lines[-1].startswith("Shares of 50,000 images; ")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "classifiers.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 6
    assert float(rows[1]["top1_percent_low"]) == pytest.approx(72)
    assert (rows[1]["top1_less_first"], rows[5]["random_weights"]) == ("", "true")


@pytest.mark.parametrize("width", [120, 80])
def test_terminals_of_any_width_keep_numbers_whole(tmp_path: Path, width: int) -> None:
    text = show([make_run()], tmp_path, width)
    assert max(map(len, text.splitlines())) <= width
    for whole in ("78.0", "[77.0, 79.0]", "[4.0, 6.0]", "linear probe", "MM-CBM"):
        assert whole in text


def test_note_names_what_is_common() -> None:
    assert "Shares of 50,000 images" in note([make_run()])
    assert "First: linear probe; differences are paired." in note([make_run()])
    assert note([make_run(), make_run(images=9)]).startswith("Shares of the images")
