import copy
import csv
import io
from pathlib import Path

import pytest
from own_metric import own_metric
from rich.console import Console

from mkbench.runs.finished_runs import Run
from mkbench.studies.descriptor_zero_shot.table import (
    descriptor_row,
    descriptor_run_table,
    descriptor_table,
)
from mkbench.studies.descriptor_zero_shot.write import write_descriptor_zero_shot
from mkbench.tables import to_console, to_csv, to_markdown


def metric(name, value):
    return {"name": name, "explainer": None, "value": value, "interval": [value - 0.05, value + 0.05], "n": 40}


def difference(name, minus, value):
    return {"metric": name, "minus": minus, "value": value, "interval": [value - 0.01, value + 0.01], "n": 40}


RESULTS = {
    "schema_version": 1,
    "model": {"name": "vit", "label": "ViT-B/16", "parameters": 1, "random_weights": False},
    "data": {"name": "toy", "classes": 4, "images": 40},
    "settings": {"split": "train", "mined_from": {}, "held_out_from": {}},
    "metrics": [metric("top1", 0.6), metric("top1_descriptors", 0.55), metric("top1_mined", 0.625)],
    "differences": [
        difference("top1_descriptors", "top1", -0.05),
        difference("top1_mined", "top1", 0.025),
        difference("top1_mined", "top1_descriptors", 0.075),
    ],
    "mining": {"seen": {"mined_from": 0, "held_out_from": 0}, "classes": []},
    "fallbacks": {"descriptions": {"no_descriptors": 0, "nothing_mined": 0, "hurt": 2}, "text": {"truncated": 0}},
}


def run(**settings):
    results = copy.deepcopy(RESULTS)
    results["settings"] |= settings
    return Run(Path("runs/vit"), "ViT-B/16", results, {})


def plain():
    """A run that used nothing mined."""
    made = run(mined_from=None, held_out_from=None)
    del made.results["mining"]
    made.results["metrics"].pop()
    del made.results["differences"][1:]
    made.results["fallbacks"]["descriptions"] = {"no_descriptors": 3}
    made.results["fallbacks"]["text"]["truncated"] = 7
    return made


def printed(runs, width):
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(to_console(descriptor_table([descriptor_row(one) for one in runs]), width=width))
    return console.export_text()


def test_markdown_has_a_line_for_each_way():
    lines = to_markdown(descriptor_table([descriptor_row(run())])).splitlines()
    assert lines[2:5] == [
        "| ViT-B/16 | train | base | 60.0 [55.0, 65.0] |  |  |",
        "|  |  | descriptors | 55.0 [50.0, 60.0] | -5.0 [-6.0, -4.0] |  |",
        "|  |  | mined | 62.5 [57.5, 67.5] | +2.5 [1.5, 3.5] | +7.5 [6.5, 8.5] |",
    ]


def test_notes_say_by_which_protocol():
    train, paper = (to_markdown(descriptor_table([descriptor_row(run(split=split))])) for split in ("train", "paper"))
    assert "Split train: mined and chosen with images that are not evaluated." in train
    assert "Classes without mined descriptors, as they hurt on held-out images: ViT-B/16 2." in train
    assert "Split paper: mined, chosen and evaluated on the same images, as published, which can flatter" in paper
    assert "as they hurt on the evaluated images: ViT-B/16 2." in paper
    both = to_markdown(descriptor_table([descriptor_row(run()), descriptor_row(run(split="paper"))]))
    assert both.count("Split train") == both.count("Split paper") == 1
    assert "Top-1 accuracy of 40 images" in both


def test_run_that_chose_nothing_says_so():
    undecided = run(held_out_from=None)
    undecided.results["mining"]["seen"] = {"mined_from": 10}
    text = to_markdown(descriptor_table([descriptor_row(undecided)]))
    assert "ViT-B/16: every class uses what was mined for it." in text
    assert "ViT-B/16: 10 of 40 images were mined from, so that this is no evaluation." in text


def test_run_without_mining():
    text = to_markdown(descriptor_table([descriptor_row(plain())]))
    assert "| ViT-B/16 | – | base |" in text
    assert "mined" not in text
    assert "3 classes have no descriptors and are compared by their prompts." in text
    assert "7 texts were cut short by the text encoder." in text


def test_console_keeps_intervals_in_a_narrow_terminal():
    wide, narrow = printed([run()], 120), printed([run()], 78)
    assert "62.5 [57.5, 67.5]" in wide
    assert "62.5 [57.5, 67.5]" not in narrow
    assert "[57.5, 67.5]" in narrow
    assert all(len(line.rstrip()) <= 78 for line in narrow.splitlines())
    for word in ("ViT-B/16", "train", "descriptors", "+7.5"):
        assert word in narrow


def test_csv_has_a_row_for_each_run():
    rows = list(
        csv.DictReader(io.StringIO(to_csv(descriptor_run_table([descriptor_row(run()), descriptor_row(plain())]))))
    )
    assert [row["split"] for row in rows] == ["train", ""]
    assert float(rows[0]["mined_minus_descriptors"]) == 7.5
    assert float(rows[0]["mined_minus_base_low"]) == pytest.approx(1.5)
    assert (rows[0]["decided"], rows[0]["hurt_classes"], rows[0]["images"], rows[0]["seen"]) == ("true", "2", "40", "0")
    assert (rows[1]["mined"], rows[1]["mined_minus_base_high"], rows[1]["hurt_classes"]) == ("", "", "")
    assert float(rows[1]["descriptors_minus_base"]) == -5.0


def test_random_weights_are_named_once():
    random = run()
    random.results["model"]["random_weights"] = True
    labelled = Run(random.folder, "vit (random weights)", random.results, {})
    assert descriptor_row(labelled).model == "vit (random weights)"
    assert descriptor_row(random).model == "ViT-B/16 (random weights)"


def test_files_are_written(tmp_path):
    write_descriptor_zero_shot([run()], tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "descriptor_zero_shot.csv",
        "descriptor_zero_shot.md",
    ]


def test_metric_of_a_user_is_a_column():
    own = run()
    own.results["metrics"].append(own_metric(None, 0.25))
    rows = [descriptor_row(own), descriptor_row(run())]
    header, _, first, *_ = to_markdown(descriptor_table(rows)).splitlines()
    assert header.endswith(" dark % ↓ |")
    assert first.endswith("| 25.0 [12.5, 37.5] |")
    with_it, without = csv.DictReader(io.StringIO(to_csv(descriptor_run_table(rows))))
    assert (with_it["darkness"], without["darkness"]) == ("0.25", "")
