"""Segmentation by heads, on readings that are worked out by hand, and with the tiny model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning as L
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toy_data import CONFIGS

from mkbench.callbacks import ResultWriter
from mkbench.concepts import ConceptBank
from mkbench.datamodules import ClassGroup, Critters
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.ground_truth import GroupGroundTruth, ImageGroundTruth
from mkbench.errors import BackboneError, MkbenchError, UsageError
from mkbench.heads import random_heads
from mkbench.heads.token_readings import TokenReadings
from mkbench.systems import HeadSegmentation

CONFIG = CONFIGS / "critters" / "segmentation.yaml"
KEYS = ["00000-000", "00001-000", "00002-000"]


def readings(written: Tensor, embedding: Tensor, attended: Tensor) -> TokenReadings:
    """Two layers of two heads of width 1 and a class token: the first head alone writes, along the first class.

    Args:
        written: (B, h, w), at each patch.
        embedding: (B, 2).
        attended: (B, h, w), by both heads of the last layer.
    """
    images, tokens = len(written), 1 + written[0].numel()
    mixed = torch.zeros(images, tokens, 2, 1)
    mixed[:, 1:, 0, 0] = written.flatten(1)
    first = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])  # (heads, width, joint width)
    attention = torch.zeros(images, 2, 2, tokens)
    attention[:, 1, :, 1:] = attended.flatten(1)[:, None]
    return TokenReadings((mixed, torch.zeros_like(mixed)), (first, first), embedding, attention, (0, 1))


class Reads:
    """What stands in the place of a decomposer."""

    def __init__(self, read: Callable[[Tensor], TokenReadings]) -> None:
        self.read_tokens = read


class ToySegmentation(HeadSegmentation):
    """The system on readings that a function of the images gives; the two classes are the axes."""

    def __init__(self, model: Path, read: Callable[[Tensor], TokenReadings], **options: Any) -> None:
        super().__init__(f"local-dir:{model}", text_cache="off", **options)
        self.read = read

    def answer(self, group: ClassGroup) -> Any:
        reader: Any = self.backbone._reader
        reader.patch_size = group.images.shape[-1] // self.backbone.grid[0]  # the images are not of the model's size
        return super().answer(group)

    def prepare(self, data: ClassGroupDataModule | None = None) -> None:
        self._decomposer: Any = Reads(self.read)
        self._classes = torch.eye(2)


ROW = torch.zeros(4, 4)
ROW[0] = 1  # written in the first row
LAST = ROW.flip(0)  # looked at in the last


def hand_made(images: Tensor) -> TokenReadings:
    """The embedding of a black image is the first class, that of a white one the second."""
    white = (images.float().mean(dim=(1, 2, 3)) > 100)[:, None]
    embedding = torch.where(white, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    return readings(ROW.expand(len(images), 4, 4), embedding, LAST.expand(len(images), 4, 4))


def hand_made_group() -> ClassGroup:
    """A black and a white image of the first class, of 4 x 4 pixels, and one whose object cannot be seen.

    The object is the first two rows, in two parts.
    """
    images = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    images[1] = 255
    masks = torch.zeros(3, 2, 4, 4, dtype=torch.bool)
    masks[:2, 0, 0, :2] = True
    masks[:2, 1, 0, 2:] = True
    masks[:2, 1, 1] = True
    ground_truth = GroupGroundTruth(3, part_masks=masks, part_names=("head", "tail"))
    return ClassGroup(images, 0, 0, ("a", "b", "c"), ground_truth=ground_truth)


def rows_of(system: HeadSegmentation, group: ClassGroup) -> tuple[dict[tuple[str, str], dict[str, Any]], Any]:
    record = system.record(group, system.predict_step(group, 0), ["ant", "bee"])
    return {(row["sample_id"], row["method"]): row for row in record.rows.to_pylist()}, record


def test_numbers_by_hand(tiny_model: Path) -> None:
    """All of 16 pixels, of which 8 are the object; the map of the heads is the first row.

    Of the heads: 8 background pixels right, 4 object pixels right, 4 object pixels missed. Ranking all pixels as
    object (1 in the first row, else 0) and as background (one less that), 16 score 1, of which 4 + 8 are right, and 16
    score 0, of which 4 are right: AP = 12/16 * 12/16 + 4/16 * 16/32.

    Of attention, the last row: 4 background pixels right, 4 taken for object, 8 object pixels missed. 16 score 1, of
    which 0 + 4 are right (the three other rows as background hold 4 of it), and 16 score 0, of which 8 + 4 are right:
    AP = 4/16 * 4/16 + 12/16 * 16/32.
    """
    system = ToySegmentation(tiny_model, hand_made, draws=5)
    system.prepare()
    rows, record = rows_of(system, hand_made_group())
    found = rows["a", "heads"]
    assert found["pixels"] == [8, 0, 4, 4]
    assert found["pixel_accuracy"] == 12 / 16
    assert (found["background_iou"], found["object_iou"]) == (8 / 12, 4 / 8)
    assert found["average_precision"] == pytest.approx(12 / 16 * 12 / 16 + 4 / 16 / 2)
    looked = rows["a", "attention"]
    assert looked["pixels"] == [4, 4, 8, 0]
    assert (looked["background_iou"], looked["object_iou"]) == (4 / 16, 0)
    assert looked["average_precision"] == pytest.approx(4 / 16 * 4 / 16 + 12 / 16 / 2)
    # Draws of two heads of four that miss the one that writes give a flat map: all background, half of it right.
    drawn = [random_heads(hand_made(torch.zeros(1, 3, 4, 4)), 2, seed=seed) for seed in range(5)]
    hits = sum((0, 0) in heads for heads in drawn)
    assert 0 < hits < 5
    assert rows["a", "random_heads"]["pixel_accuracy"] == pytest.approx((hits * 12 / 16 + (5 - hits) / 2) / 5)
    assert rows["a", "random_heads"]["object_iou"] == pytest.approx(hits * 4 / 8 / 5)
    assert record.fallbacks == {
        "heads": {"no_contrast": 0},
        "attention": {"no_contrast": 0},
        "random_heads": {"no_contrast": 3},
        "ground_truth": {"no_mask": 1},
    }
    for method in ("heads", "attention", "random_heads"):
        assert rows["c", method]["pixels"] is rows["c", method]["object_iou"] is None
    assert [rows[name, "heads"]["predicted_index"] for name in "abc"] == [0, 1, 0]


def test_predicted_class_is_looked_for_if_it_is_asked_for(tiny_model: Path) -> None:
    true, predicted = (ToySegmentation(tiny_model, hand_made, condition_on=on) for on in ("true", "predicted"))
    for system in (true, predicted):
        system.prepare()
    of_true, of_predicted = (rows_of(system, hand_made_group())[0] for system in (true, predicted))
    assert [of_true[name, "heads"]["mapped_index"] for name in "ab"] == [0, 0]
    assert of_true["b", "heads"]["pixels"] == of_true["a", "heads"]["pixels"]
    assert [of_predicted[name, "heads"]["mapped_index"] for name in "ab"] == [0, 1]
    assert of_predicted["b", "heads"]["pixels"] == [0, 8, 4, 4]  # for the other class, all but the first row is it
    assert of_predicted["b", "attention"] == {**of_true["b", "attention"], "mapped_index": 1}


def test_a_map_that_is_constant_has_no_object(tiny_model: Path) -> None:
    flat = torch.ones(3, 4, 4)
    system = ToySegmentation(tiny_model, lambda images: readings(flat, torch.ones(3, 2), flat))
    system.prepare()
    rows, record = rows_of(system, hand_made_group())
    assert rows["a", "heads"]["pixels"] == rows["a", "attention"]["pixels"] == [8, 0, 8, 0]
    assert rows["a", "heads"]["average_precision"] == pytest.approx(8 / 32 + 8 / 32)
    assert {
        method: counts["no_contrast"] for method, counts in record.fallbacks.items() if method != "ground_truth"
    } == {
        "heads": 3,
        "attention": 3,
        "random_heads": 3,
    }


def test_no_image(tiny_model: Path) -> None:
    system = ToySegmentation(tiny_model, hand_made)
    group = ClassGroup(torch.zeros(0, 3, 4, 4, dtype=torch.uint8), 0, 0, (), ("bad.png is no image",))
    assert system.predict_step(group, 0) is None
    record = system.record(group, None, ["ant", "bee"])
    assert (len(record.rows), record.unreadable) == (0, ("bad.png is no image",))
    summary = system.summarise([record], Critters())
    assert (summary["images"], summary["metrics"], summary["controls"]) == (0, [], [])


@dataclass(frozen=True)
class RedSource:
    """One black image of the first class, whose red object reaches past the middle."""

    shape: tuple[int, int]
    class_names = ("ant", "bee")

    @property
    def mask(self) -> Tensor:
        height, width = self.shape
        mask = torch.zeros(self.shape, dtype=torch.bool)
        mask[height // 8 : 5 * height // 8, width // 8 : 5 * width // 8] = True
        return mask

    def sample_ids(self, class_index: int) -> Sequence[str]:
        return ["0.png"] if class_index == 0 else []

    def read(self, class_index: int, sample_id: str) -> Tensor:
        return torch.stack([self.mask * 255, *torch.zeros(2, *self.shape)]).to(torch.uint8)

    def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth | None:
        return ImageGroundTruth(part_masks=self.mask[None], part_names=("body",))


class Mirrored(RedSource):
    """The same images with the mirror images of their masks."""

    def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth | None:
        return ImageGroundTruth(part_masks=self.mask.flip(0, 1)[None], part_names=("body",))


class BoxesOnly(RedSource):
    """The same images, of which boxes alone are known."""

    def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth | None:
        return ImageGroundTruth(boxes=torch.tensor([[0, 0, 3, 3]]))


class ToyData(ClassGroupDataModule):
    """Images of a source, with a bank that nobody reads."""

    def __init__(self, source: Any, **options: Any) -> None:
        super().__init__(templates=["{}"], num_workers=0, **options)
        self._source = source

    def make_source(self) -> Any:
        return self._source

    @cached_property
    def bank(self) -> ConceptBank:
        return ConceptBank(descriptors=("a leg",), by_class=None, source="toy", sha256="0")


def red_patches(images: Tensor) -> TokenReadings:
    """Written is how red each patch of 2 x 2 pixels is."""
    red = F.avg_pool2d(images[:, 0].float()[:, None] / 255, 2)[:, 0]
    return readings(red, torch.ones(len(images), 2), red)


def evaluate(system: HeadSegmentation, data: ClassGroupDataModule, root: Path) -> Path:
    """Run the system as `mkbench predict` would; return the folder of the run."""
    writer = ResultWriter(root)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[writer],
    )
    trainer.predict(system, datamodule=data, return_predictions=False)
    return writer.folder


@pytest.fixture(params=["squash", "shortest", "longest"])
def model_of_mode(request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with another way of resizing images."""
    folder = tmp_path / request.param / tiny_model.name
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
    config["preprocess_cfg"]["resize_mode"] = request.param
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize("shape", [(40, 70), (70, 40)])
def test_image_that_is_not_square_and_its_mask_go_one_way(
    model_of_mode: Path, tmp_path: Path, shape: tuple[int, int]
) -> None:
    """A red object, found by its colour: wherever the resizing puts it, its mask is there too.

    The mirror image of the mask is the control.
    """
    found = {}
    for source in (RedSource(shape), Mirrored(shape)):
        system = ToySegmentation(model_of_mode, red_patches)
        system.backbone.grid = (16, 16)
        run = evaluate(system, ToyData(source, resize="model"), tmp_path / type(source).__name__)
        results = json.loads((run / "results.json").read_text(encoding="utf-8"))
        found[type(source)] = {
            metric["name"]: metric["value"] for metric in results["metrics"] if metric["explainer"] == "heads"
        }
        assert results["fallbacks"]["ground_truth"] == {"no_mask": 0}
    assert found[RedSource]["mean_iou"] > 0.8
    assert found[RedSource]["pixel_accuracy"] > 0.9
    assert found[RedSource]["average_precision"] > 0.95
    assert found[Mirrored]["mean_iou"] < 0.5


def test_data_without_masks_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    class Bare:
        class_names = ("ant", "bee")
        sample_ids, read = RedSource.sample_ids, RedSource.read

    with pytest.raises(UsageError, match="masks of the object, found none in ToyData; use Critters"):
        evaluate(ToySegmentation(tiny_model, red_patches), ToyData(Bare()), tmp_path / "bare")
    with pytest.raises(UsageError, match="masks of the object, found none in the group 00000-000; use Critters"):
        evaluate(ToySegmentation(tiny_model, red_patches), ToyData(BoxesOnly((40, 40))), tmp_path / "boxes")


def test_class_of_images_without_labels_is_the_predicted_one(tiny_model: Path, tmp_path: Path) -> None:
    data = ToyData(RedSource((40, 40)))
    data.labelled = False
    with pytest.raises(UsageError, match=r"condition_on predicted for images without labels .* found true"):
        evaluate(ToySegmentation(tiny_model, red_patches), data, tmp_path / "runs")
    run = evaluate(ToySegmentation(tiny_model, red_patches, condition_on="predicted"), data, tmp_path / "runs")
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert {metric["explainer"] for metric in results["metrics"]} == {"heads", "attention", "random_heads"}


def test_what_has_no_heads_is_refused(tiny_model: Path) -> None:
    with pytest.raises(BackboneError, match="critters-rn cannot be told apart: a ResNet is convolutional"):
        HeadSegmentation("critters-rn")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_random_heads": 0}, "num_random_heads of 1 to 4, found 0"),
        ({"num_random_heads": 5}, "num_random_heads of 1 to 4, found 5"),
        ({"draws": 0}, "draws to be at least 1, found 0"),
    ],
)
def test_options_are_checked(tiny_model: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(MkbenchError, match=message):
        HeadSegmentation(f"local-dir:{tiny_model}", **options)  # type: ignore[arg-type]


def test_nothing_is_known_before_it_is_prepared(tiny_model: Path) -> None:
    with pytest.raises(RuntimeError, match="prepared system, found none"):
        HeadSegmentation(f"local-dir:{tiny_model}").predict_step(hand_made_group(), 0)


@pytest.mark.parametrize("chunk", [1, 2])
def test_chunks_of_the_encoder_change_nothing(tiny_model: Path, chunk: int) -> None:
    data = Critters(images_per_class=5, limit_classes=1)
    answers = []
    for size in (64, chunk):
        system = HeadSegmentation(f"local-dir:{tiny_model}", encoder_chunk=size, text_cache="off")
        system.prepare(data)
        group = data.dataset(system.geometry, data.specs, with_ground_truth=True)[0]
        answers.append(rows_of(system, group)[0])
    whole, chunked = answers
    assert whole.keys() == chunked.keys()
    for key, row in whole.items():
        numbers = ("pixel_accuracy", "object_iou", "background_iou", "average_precision")
        assert [chunked[key][name] for name in numbers] == pytest.approx([row[name] for name in numbers], abs=1e-5)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def words(tiny_model: Path) -> list[str]:
    """`mkbench predict` of the configuration with the tiny model, on two images each of three kinds of critters."""
    return [
        "predict",
        f"--config={CONFIG}",
        f"--model.backbone=local-dir:{tiny_model}",
        "--data.images_per_class=2",
        "--data.limit_classes=3",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
        "--figures.samples=0",
        "--results.root=runs",
    ]


def contents(run: Path) -> dict[str, bytes]:
    """All files of a run whose bytes are promised, by name."""
    files = [run / "results.json", run / "manifest.json", *run.glob("groups/*")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


def test_rows_of_a_run_and_going_on_with_it(command: Callable[..., Any], words: list[str]) -> None:
    outcome = command(*words)
    assert (outcome.code, outcome.error) == (0, "")
    rows = pq.read_table(outcome.run / "groups" / f"{KEYS[0]}.parquet").to_pylist()
    assert [(row["sample_id"][-4:], row["method"]) for row in rows] == [
        (name, method) for method in ("heads", "attention", "random_heads") for name in ("0000", "0001")
    ]
    assert outcome.results()["settings"]["num_random_heads"] == 2
    assert [entry["control"] for entry in outcome.results()["controls"]] == ["attention", "random_heads"] * 3
    before = contents(outcome.run)
    (outcome.run / "groups" / f"{KEYS[1]}.parquet").unlink()
    (outcome.run / "results.json").unlink()
    assert command(*words).code == 0
    assert contents(outcome.run) == before


def test_other_draws_are_another_run(command: Callable[..., Any], words: list[str]) -> None:
    before = command(*words).results()
    outcome = command(*words, "--model.seed=1")
    assert outcome.code == 2
    assert "one that differs in settings.seed" in outcome.error
    after = command(*words, "--model.seed=1", "--results.overwrite=true").results()
    values = [
        {(metric["name"], metric["explainer"]): metric["value"] for metric in results["metrics"]}
        for results in (before, after)
    ]
    differing = {explainer for name, explainer in values[0] if values[0][name, explainer] != values[1][name, explainer]}
    assert differing == {"random_heads"}


@pytest.mark.slow
def test_two_processes_write_what_one_writes(command: Callable[..., Any], words: list[str], tmp_path: Path) -> None:
    alone = contents(command(*words).run)
    both = [*words, "--trainer.devices=2", "--trainer.strategy=ddp", "--results.root=both"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "mkbench", *both], cwd=tmp_path, env=environment, check=True, timeout=600)
    assert contents(tmp_path / "both" / "tiny") == alone
