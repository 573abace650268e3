from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from own_metric import own_metric
from rich.console import Console, RenderableType

from mkbench.runs.finished_runs import Run
from mkbench.studies.head_segmentation.table import segmentation_table
from mkbench.studies.head_segmentation.write import write_segmentation
from mkbench.systems.records.head_segmentation import METHODS, SCORES
from mkbench.tables import to_console, to_csv

VALUES = {"heads": 0.75, "attention": 0.5, "random_heads": 0.625}


def run(**changes: Any) -> Run:
    metrics = [
        {"name": name, "explainer": method, "value": value, "interval": [value - 0.125, value + 0.125], "n": 7}
        for method, value in VALUES.items()
        for name in SCORES
    ]
    results = {
        "model": {"name": "vit", "label": "ViT", "random_weights": False},
        "data": {"images": 8},
        "settings": {"condition_on": "true", "num_heads": 20, "num_random_heads": 10},
        "metrics": [{"name": "top1", "explainer": None, "value": 1.0, "interval": [1.0, 1.0], "n": 8}, *metrics],
        "controls": [
            {
                "metric": name,
                "control": control,
                "difference": 0.75 - VALUES[control],
                "interval": [0.0, 0.5],
                "separates": control == "attention",
            }
            for name in SCORES
            for control in METHODS[1:]
        ],
        "fallbacks": {**{method: {"no_contrast": 0} for method in METHODS}, "ground_truth": {"no_mask": 0}},
    }
    return Run(Path("runs/vit"), "ViT", {**results, **changes}, {})


def printed(content: RenderableType, width: int = 200) -> list[str]:
    out = StringIO()
    Console(file=out, width=width).print(content)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_a_line_for_each_map_with_a_mark_where_the_heads_do_better() -> None:
    lines = printed(to_console(segmentation_table([run()]), width=200))
    three = " ".join(["0.750 [0.625, 0.875]"] * 3)
    assert f"ViT 7 all heads {three}" in lines
    assert f"raw attention {' '.join(['0.500 ✔ [0.375, 0.625]'] * 3)}" in lines
    assert f"random 10 of 20 {' '.join(['0.625 [0.500, 0.750]'] * 3)}" in lines


@pytest.mark.parametrize(("width", "interval"), [(85, True), (70, False)])
def test_narrow_terminals(width: int, interval: bool) -> None:
    lines = printed(to_console(segmentation_table([run()]), width=width), width=width)
    assert any(line.startswith("ViT 7 all heads 0.750 0.750 0.750") for line in lines)
    assert any("[0.375, 0.625]" in line for line in lines) is interval


def test_what_went_otherwise_is_said() -> None:
    settings = {**run().results["settings"], "condition_on": "predicted"}
    fallbacks = {
        "heads": {"no_contrast": 0},
        "attention": {"no_contrast": 0},
        "random_heads": {"no_contrast": 2},
        "ground_truth": {"no_mask": 3},
    }
    lines = printed(to_console(segmentation_table([run(settings=settings, fallbacks=fallbacks)]), width=200))
    assert "ViT: maps of the predicted class." in lines
    assert "ViT: 3 images without a visible object are left out." in lines
    assert "ViT: images with a map without contrast, so without an object: random 10 of 20 2." in lines


def test_run_without_any_mask_has_dashes() -> None:
    top1 = run().results["metrics"][:1]
    lines = printed(to_console(segmentation_table([run(metrics=top1, controls=[])]), width=200))
    assert "ViT – all heads – – –" in lines


def test_random_weights_are_named() -> None:
    model = {"name": "vit", "label": "ViT", "random_weights": True}
    lines = printed(to_console(segmentation_table([run(model=model)]), width=200))
    assert any(line.startswith("ViT (random weights) 7") for line in lines)


def test_files(tmp_path: Path) -> None:
    write_segmentation([run()], tmp_path)
    rows = list(csv.DictReader(StringIO((tmp_path / "segmentation.csv").read_text(encoding="utf-8"))))
    assert [row["map"] for row in rows] == list(METHODS)
    assert (rows[0]["model"], rows[0]["images"], rows[0]["mean_iou"]) == ("ViT", "7", "0.75")
    assert (rows[0]["mean_iou_heads_more"], rows[1]["mean_iou_heads_more"]) == ("", "0.25")
    assert (rows[1]["mean_iou_heads_more_low"], rows[1]["mean_iou_heads_more_high"]) == ("0.0", "0.5")
    text = (tmp_path / "segmentation.md").read_text(encoding="utf-8")
    assert "| ViT | 7 | all heads | 0.750 [0.625, 0.875] |" in text
    assert "brackets: 95 % over images" in text


def test_metric_of_a_user_is_a_column(tmp_path: Path) -> None:
    own = [own_metric(method, value) for method, value in VALUES.items()]
    table = segmentation_table([run(metrics=[*run().results["metrics"], *own])])
    assert [column.title for column in table.shown][-1] == "dark % ↓"
    rows = list(csv.DictReader(StringIO(to_csv(table))))
    assert [(row["map"], row["darkness"]) for row in rows] == [(name, str(value)) for name, value in VALUES.items()]
