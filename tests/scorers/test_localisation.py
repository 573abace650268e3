from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image
from toy_context import ALL, NONE, ONE, make_context
from toy_data import CONFIGS

from mkbench.datamodules.ground_truth import GroupGroundTruth, ImageGroundTruth, stack_ground_truth
from mkbench.errors import UsageError
from mkbench.scorers import Localisation, ScorerContext

TINY = Path(__file__).resolve().parents[3] / "shared" / "data" / "images" / "tiny-imagenet-20x10"


def with_boxes(context: ScorerContext, *boxes: list[list[int]]) -> ScorerContext:
    own = [ImageGroundTruth(boxes=torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)) for rows in boxes]
    return replace(context, group=replace(context.group, ground_truth=stack_ground_truth(own)))


def test_boxes_by_hand() -> None:
    # The foreground of ALL is the whole image of 24 x 24, of ONE its middle third, of NONE nothing.
    context = with_boxes(
        make_context([ALL, ALL, ONE, ONE, NONE, NONE]),
        [[0, 0, 23, 12]],  # 13 of 24 rows
        [[0, 0, 23, 11]],  # half of it, which is not more than half
        [[0, 0, 1, 1], [8, 0, 15, 20]],  # the better of two
        [],
        [[0, 0, 23, 23]],
        [],
    )
    columns = Localisation().score(context)
    assert columns["localised"] == [True, False, True, None, False, None]
    # The whole image finds the boxes that are more than half of it.
    assert columns["localised_by_whole"] == [True, False, False, None, True, None]


def test_group_without_a_single_box() -> None:
    columns = Localisation().score(with_boxes(make_context([ALL, ONE]), [], []))
    assert columns == {"localised": [None, None], "localised_by_whole": [None, None]}


def test_data_without_boxes() -> None:
    context = make_context([ALL])
    message = r"with true boxes, for the scorer `localisation`, found none in the group 00001-000; give --data\.boxes"
    for ground_truth in (None, GroupGroundTruth(1)):
        with pytest.raises(UsageError, match=message):
            Localisation().score(replace(context, group=replace(context.group, ground_truth=ground_truth)))


def test_columns_are_those_announced() -> None:
    scorer = Localisation()
    assert list(scorer.score(with_boxes(make_context([ALL]), []))) == list(scorer.columns)
    assert (scorer.settings(), scorer.needs_ground_truth, scorer.needs_explanation) == ({}, True, False)


@pytest.fixture
def corloc_words(write_bank: Callable[[], Path]) -> Callable[..., list[str]]:
    """`mkbench predict` by the configuration, of a model on the class folders and boxes given."""

    def words(model: str, root: Path, boxes: Path | None, *more: str) -> list[str]:
        return [
            "predict",
            f"--config={CONFIGS / 'corloc.yaml'}",
            f"--model.backbone={model}",
            "--model.random_weights=false",
            "--model.num_language_concepts=5",
            "--model.pool=6",
            f"--data.root={root}",
            f"--data.boxes={boxes or 'null'}",
            f"--data.bank={write_bank()}",
            "--data.num_workers=0",
            "--trainer.accelerator=cpu",
            "--progress.enabled=false",
            "--figures.samples=0",
            "--results.root=runs",
            *more,
        ]

    return words


def find(results: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [metric for metric in results["metrics"] if metric["name"] == name]
    assert found["explainer"] is None
    return dict(found)


def paint(path: Path, box: tuple[int, int, int, int]) -> None:
    """A blue image of 96 x 32 pixels with a red box."""
    x0, y0, x1, y1 = box
    image = Image.new("RGB", (96, 32), (0, 0, 200))
    image.paste((200, 0, 0), (x0, y0, x1 + 1, y1 + 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


# The model sees 4 x 4 patches of 16 x 16 pixels: of 24 x 8 pixels of the file where it is squashed, and of 8 x 8, from
# column 32 on, where the centre is cropped. The red ones, the fewer, are the foreground.
@pytest.mark.parametrize(("resize", "box"), [("squash", (24, 8, 47, 23)), ("model", (40, 8, 55, 23))])
def test_object_in_a_wide_image_is_found_where_it_is(
    command: Callable[..., Any],
    tmp_path: Path,
    write_bank: Callable[[], Path],
    resize: str,
    box: tuple[int, int, int, int],
) -> None:
    x0, y0, x1, y1 = box
    # In files 0 and 1 the true box is that of the object; in 2 it lies beside it, and of 3 none is known.
    lines = [f"{x0},{y0},{x1},{y1}", f"{x0},{y0},{x1},{y1 - 2}", f"{x0 - 8},0,{x0 - 1},31"]
    table = [f"{label},{number}.png,{line}" for label in ("ant", "bee") for number, line in enumerate(lines)]
    (tmp_path / "boxes.csv").write_text("\n".join(["class,file,x_min,y_min,x_max,y_max", *table]), encoding="utf-8")
    for label, number in product(("ant", "bee"), range(4)):
        paint(tmp_path / "wide" / label / f"{number}.png", box)
    content = yaml.safe_load((CONFIGS / "corloc.yaml").read_text(encoding="utf-8"))
    content["model"]["init_args"] |= {
        "backbone": {"class_path": "toy_classes.ColourBackbone"},
        "random_weights": False,
        "refine": "components",
        "num_language_concepts": 5,
        "pool": 6,
    }
    paths = {"root": "wide", "boxes": "boxes.csv", "bank": str(write_bank())}
    content["data"]["init_args"] |= {**paths, "resize": resize, "num_workers": 0}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    quiet = ["--trainer.accelerator=cpu", "--progress.enabled=false", "--figures.samples=0"]
    outcome = command("predict", "--config=config.yaml", *quiet)
    assert (outcome.code, outcome.error) == (0, "")
    run = tmp_path / "runs" / "corloc" / "colours"
    rows = pq.read_table(run / "groups").to_pylist()
    # Two classes; two explainers and two controls.
    assert [row["localised"] for row in rows] == [True, True, False, None] * 8
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert find(results, "corloc") | {"interval": []} == {
        "name": "corloc",
        "explainer": None,
        "value": pytest.approx(2 / 3),
        "higher_is_better": True,
        "n": 6,
        "interval": [],
    }
    assert find(results, "kept_region_top1")["n"] == 8
    assert (find(results, "corloc_whole_image")["value"], find(results, "corloc_whole_image")["n"]) == (0.0, 6)


def test_scorer_without_boxes_is_refused_before_anything_is_written(
    command: Callable[..., Any],
    corloc_words: Callable[..., list[str]],
    tiny_model: Path,
    photo_tree: Callable[..., Path],
) -> None:
    outcome = command(*corloc_words(f"local-dir:{tiny_model}", photo_tree(), None))
    assert outcome.code == 2
    assert outcome.error.startswith("mkbench: Expected data with ground truth")
    assert not outcome.run.exists()


@pytest.mark.skipif(not TINY.exists(), reason="needs ../shared/data, which may not be shipped")
def test_photographs_with_boxes(command: Callable[..., Any], corloc_words: Callable[..., list[str]]) -> None:
    words = corloc_words("critters-vit-s", TINY, TINY / "boxes.csv")
    outcome = command(*words, "--data.limit_classes=2", "--data.limit_images_per_class=3")
    assert (outcome.code, outcome.error) == (0, "")
    run = outcome.run.parent / "critters-vit-s"
    rows = pq.read_table(run / "groups").to_pylist()
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    with (TINY / "boxes.csv").open() as file:
        boxed = {f"{row['class']}/{row['file']}" for row in csv.DictReader(file)}
    assert {row["sample_id"] for row in rows} <= boxed
    assert len(rows) == 24  # two explainers and two controls
    assert find(results, "corloc")["n"] == find(results, "kept_region_top1")["n"] == 6
    assert find(results, "corloc")["value"] == pytest.approx(np.mean([row["localised"] for row in rows]))
    assert results["data"]["boxes_sha256"]
    assert "localisation" in results["settings"]["scorers"]
