from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toy_context import ALL, BANK, NONE, ONE, SIDE, make_context

from mkbench.backbones import Geometry
from mkbench.concepts import GroupExplanation, VisionConcepts
from mkbench.concepts.upscale import clear_uncovered
from mkbench.datamodules import ClassGroup, Critters
from mkbench.datamodules.ground_truth import GroupGroundTruth
from mkbench.errors import UsageError
from mkbench.metrics.catalogue import metrics_of
from mkbench.scorers import GroundTruth, ScorerContext
from mkbench.systems import MutualKnowledge


def with_ground_truth(context: ScorerContext, **changes: Any) -> ScorerContext:
    """Every image shows descriptors 0 to 3; true part 0 is the left half, part 1 the lower half."""
    images = len(context.group)
    masks = torch.zeros(images, 2, SIDE, SIDE, dtype=torch.bool)
    masks[:, 0, :, : SIDE // 2] = True
    masks[:, 1, SIDE // 2 :] = True
    known: dict[str, Any] = {
        "part_masks": masks,
        "part_names": ("left", "lower"),
        "descriptors": (torch.arange(BANK) < 4).expand(images, -1),
        "descriptor_parts": torch.tensor([0, 1, -1, 0, 1, -1, 0, 1]),
    }
    ground_truth = GroupGroundTruth(images, **(known | changes))
    return replace(context, group=replace(context.group, ground_truth=ground_truth))


def with_concepts(context: ScorerContext, ids: list[list[int]]) -> ScorerContext:
    padded = torch.tensor([[*row, *[-1] * (6 - len(row))] for row in ids])
    vision = VisionConcepts(padded, torch.zeros(padded.shape), torch.tensor([len(row) for row in ids]))
    return replace(context, explanation=replace(context.explanation, vision=vision))


def test_descriptors_by_hand() -> None:
    context = with_ground_truth(with_concepts(make_context([ALL, ALL, NONE]), [[3, 7, 0], [6], []]))
    columns = GroundTruth().score(context)
    assert columns["descriptor_precision"] == [2 / 3, 0.0, None]
    assert columns["descriptor_recall"] == [2 / 4, 0.0, 0.0]
    assert columns["descriptor_recall_bound"] == [3 / 4, 1 / 4, 0.0]
    assert columns["descriptor_precision_chance"] == [4 / 8] * 3


def test_parts_by_hand() -> None:
    # Parts are the columns 0-7, 8-15 and 16-23 of 24. Descriptors 0, 3 and 6 speak of the left half, 1, 4 and 7 of the
    # lower half, 2 and 5 of nothing. Columns 0-7 against the left half: 8 of 12; 8-15: 4 of 16. A third of the image
    # against the lower half: a sixth of two thirds.
    ids = [[[6, 0], [0, 1], [2, 0]], [[4, -1], [5, 0], [-1, -1]], [[2, 0], [2, 0], [5, 0]]]
    columns = GroundTruth().score(with_ground_truth(make_context([ALL] * 3, ids=torch.tensor(ids))))
    assert columns["part_iou"] == [pytest.approx((8 / 12 + 4 / 16) / 2), pytest.approx(1 / 4), None]
    assert columns["object_driven"] == [1.0] * 3
    assert columns["object_area"] == [3 / 4] * 3  # the left half, and the right half of the lower half


def test_first_part_on_the_background() -> None:
    masks = torch.zeros(2, 2, SIDE, SIDE, dtype=torch.bool)
    masks[:, 0, :, SIDE // 3 :] = True
    context = with_ground_truth(make_context([ALL, NONE]), part_masks=masks)
    columns = GroundTruth().score(context)
    assert columns["object_driven"] == [0.0, None]
    assert columns["object_area"] == [pytest.approx(2 / 3)] * 2


def test_only_the_first_descriptor_names_a_part_and_absent_parts_do_not_count() -> None:
    ids = torch.tensor([[[0, 1], [3, 1], [2, 0]]])
    context = with_ground_truth(make_context([ONE], ids=ids))
    assert GroundTruth().score(context)["part_iou"] == [4 / 16]


def test_parts_that_cannot_be_seen_are_left_out() -> None:
    context = with_ground_truth(make_context([ALL], ids=torch.tensor([[[0, -1], [1, -1], [4, -1]]])))
    ground_truth = context.group.ground_truth
    assert ground_truth is not None
    assert ground_truth.part_masks is not None
    ground_truth.part_masks[:, 1] = False
    assert GroundTruth().score(context)["part_iou"] == [pytest.approx(8 / 12)]


def test_pixels_that_no_patch_covers_are_background_of_the_ground_truth_too() -> None:
    # Three patches of 7 pixels cover 21 of 24. Columns 0-7 of 21 rows against the lower half, rows 12-20 of 21 columns.
    context = with_ground_truth(make_context([[True, False, False]], ids=torch.tensor([[[1, -1]] * 3])))
    pixels = clear_uncovered(context.explanation.part_pixels, (3, 3), 7)
    context = replace(context, explanation=replace(context.explanation, part_pixels=pixels), patch_size=7)
    assert GroundTruth().score(context)["part_iou"] == [pytest.approx(8 * 9 / (8 * 21 + 21 * 9 - 8 * 9))]


def test_columns_are_those_announced_and_have_metrics() -> None:
    scorer = GroundTruth()
    assert list(scorer.score(with_ground_truth(make_context([ALL])))) == list(scorer.columns)
    names = {entry.name for entry in metrics_of(scorer.columns)}
    assert {"descriptor_precision", "part_iou", "mutual_precision", "language_recall"} <= names
    assert scorer.settings() == {}


@pytest.mark.parametrize(
    "missing",
    [
        {"descriptors": None, "descriptor_parts": None},
        {"part_masks": None, "part_names": ()},
        {"descriptor_parts": None},
    ],
)
def test_data_that_knows_less(missing: dict[str, Any]) -> None:
    message = (
        r"parts and visible descriptors are known, for the scorer `GroundTruth`, found none in the group 00001-000"
    )
    with pytest.raises(UsageError, match=message):
        GroundTruth().score(with_ground_truth(make_context([ALL]), **missing))
    with pytest.raises(UsageError, match=message):
        GroundTruth().score(make_context([ALL]))


def test_ground_truth_of_another_bank() -> None:
    context = with_ground_truth(make_context([ALL]))
    with pytest.raises(ValueError, match="the ground truth of the 7 descriptors of the bank, got that of 8"):
        GroundTruth().score(replace(context, bare=context.bare[:7]))


def perfect(group: ClassGroup) -> GroupExplanation:
    """The true parts, each with a visible descriptor that speaks of it; none where a part or descriptor is hidden."""
    ground_truth = group.ground_truth
    assert ground_truth is not None
    assert ground_truth.part_masks is not None
    assert ground_truth.descriptors is not None
    assert ground_truth.descriptor_parts is not None
    parts = torch.arange(len(ground_truth.part_names))
    speaks = ground_truth.descriptors[:, None] & (
        ground_truth.descriptor_parts == parts[:, None]
    )  # (images, parts, bank)
    present = speaks.any(dim=2) & ground_truth.part_masks.flatten(2).any(dim=2)
    ids = torch.where(present, speaks.long().argmax(dim=2), -1)
    listed: list[Tensor] = [row[row >= 0] for row in ids]
    padded = torch.nn.utils.rnn.pad_sequence(listed, batch_first=True, padding_value=-1)
    return GroupExplanation(
        explainer="perfect",
        part_labels=torch.full((len(group), 2, 2), -1),
        part_pixels=ground_truth.part_masks & present[..., None, None],
        present=present,
        part_embeddings=torch.zeros(*present.shape, 6),
        descriptor_ids=ids[..., None],
        vision=VisionConcepts(padded, torch.zeros(padded.shape), present.sum(dim=1)),
        fallbacks={},
    )


@pytest.mark.parametrize("resize", ["squash", "model"])
def test_perfect_explanation_of_critters(resize: Any) -> None:
    data = Critters(images_per_class=3, limit_classes=1, resize=resize)
    geometry = Geometry(48, (0.5,) * 3, (0.5,) * 3)  # type: ignore[arg-type]
    group = data.dataset(geometry, data.specs, with_ground_truth=True)[0]
    explanation = perfect(group)
    context = replace(
        make_context([ALL] * 3),
        group=group,
        explanation=explanation,
        bare=torch.rand(len(data.bank), 6),
        member=torch.rand(2, len(data.bank)) < 0.1,
        conditioning=torch.tensor([0, 1, 0]),
    )
    columns = GroundTruth().score(context)
    assert columns["descriptor_precision"] == columns["part_iou"] == [1.0] * 3
    assert columns["descriptor_recall"] == columns["descriptor_recall_bound"]
    assert all(0.1 < chance < 0.3 for chance in columns["descriptor_precision_chance"])
    # The same parts mirrored are elsewhere.
    mirrored = replace(explanation, part_pixels=explanation.part_pixels.flip(-1))
    assert max(GroundTruth().score(replace(context, explanation=mirrored))["part_iou"]) < 0.6


@pytest.mark.parametrize(("model", "share"), [("vit-s", 0.594), ("vit-m", 0.812), ("rn", 0.823), ("vit-l", 0.911)])
def test_language_concepts_of_the_bundled_models(model: str, share: float) -> None:
    """The share of a class's 12 language concepts that are true of it."""
    system = MutualKnowledge(f"critters-{model}", num_language_concepts=12, pool=62)
    data = Critters(images_per_class=1, num_workers=0)
    system.prepare(data)
    geometry = Geometry(SIDE, (0.5,) * 3, (0.5,) * 3)  # type: ignore[arg-type]
    dataset = data.dataset(geometry, data.specs, with_ground_truth=True)
    context = replace(make_context([ALL]), member=system.knowledge.member, bare=system.knowledge.bare)
    columns = [GroundTruth().score(replace(context, group=dataset[label])) for label in range(32)]
    assert np.mean([column["language_precision"][0] for column in columns]) == pytest.approx(share, abs=6e-4)
    # Of another class hardly more is true than of descriptors drawn at random.
    assert np.mean([column["language_precision_permuted"][0] for column in columns]) < 0.45


def test_language_and_mutual_concepts_by_hand() -> None:
    # Class k has the language concepts k and k + 4; of class 1 descriptors 1, 2 and 3 are true.
    context = with_ground_truth(
        with_concepts(make_context([ALL, ALL]), [[5, 1, 0], [6]]),
        class_descriptors=torch.tensor([False, True, True, True, False, False, False, False]),
    )
    columns = GroundTruth().score(replace(context, conditioning=torch.tensor([1, 1])))
    assert columns["language_precision"] == [1 / 2] * 2
    assert columns["language_recall"] == [pytest.approx(1 / 3)] * 2
    assert columns["language_precision_permuted"] == [pytest.approx((0 + 1 / 2 + 1 / 2) / 3)] * 2
    # Visible are 0 to 3: of the mutual concepts 5 and 1 one; with class 0 the concept 0, with class 2 the concept 6.
    assert columns["mutual_precision"] == [0.5, None]
    assert columns["mutual_precision_permuted"] == [1.0, 0.0]
    unlabelled = replace(context, group=replace(context.group, class_index=None))
    assert GroundTruth().score(unlabelled)["language_precision"] == [None, None]
