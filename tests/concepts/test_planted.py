"""The truth said as an explanation: criteria of truth give it their best, whatever the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_context import ALL, make_context

from mkbench.concepts import GroupContext, KnownTruth, PlantedParts
from mkbench.concepts.controls import PLANTED
from mkbench.concepts.planted import largest_part, rank_true
from mkbench.datamodules import Critters
from mkbench.errors import UsageError
from mkbench.runs.results import sort_explainers
from mkbench.scorers import Calibration, GroundTruth, InterventionScorer, Removal
from mkbench.systems import MutualKnowledge


@pytest.fixture(scope="module")
def measured(tiny_model: Path) -> dict[str, list[float | None]]:
    """What is measured of two images."""
    data = Critters(images_per_class=2, limit_classes=1, num_workers=0, intervention=["wings", "removed_part"])
    system = MutualKnowledge(
        f"local-dir:{tiny_model}",
        num_language_concepts=12,
        refine="none",
        explainers=[PlantedParts()],
        scorers=[GroundTruth(), InterventionScorer(), Removal(), Calibration()],
    )
    system.prepare(data)
    group = data.dataset(system.geometry, data.specs, with_ground_truth=system.needs_ground_truth)[0]
    return system.explain_group(group).explained[PLANTED].measured


def test_truth_is_the_ceiling(measured: dict[str, list[float | None]]) -> None:
    for name in ("descriptor_precision", "descriptor_recall", "part_iou", "intervention_j", "intervention_direction"):
        assert measured[name] == [1.0, 1.0], name
    assert measured["intervention_false_alarm"] == [0.0, 0.0]


def test_explainer_alone_asks_for_the_truth() -> None:
    assert MutualKnowledge("critters-vit-s", random_weights=True, explainers=[PlantedParts()]).needs_ground_truth


def test_images_of_which_nothing_is_known_are_refused(tiny_model: Path) -> None:
    data = Critters(images_per_class=1, limit_classes=1, num_workers=0)
    system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=12, explainers=[PlantedParts()])
    system.prepare(data)
    group = data.dataset(system.geometry, data.specs, with_ground_truth=True)[0]
    with pytest.raises(UsageError, match="parts and visible descriptors are known, for the explainer 'planted', found"):
        system.explain_group(replace(group, ground_truth=None))
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        PlantedParts(chunk=0)


def test_chunks_change_nothing(tiny_model: Path) -> None:
    data = Critters(images_per_class=2, limit_classes=1, num_workers=0)
    found = []
    for chunk in (1, 96):
        explainers = [PlantedParts(chunk=chunk)]
        system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=12, explainers=explainers)
        system.prepare(data)
        group = data.dataset(system.geometry, data.specs, with_ground_truth=True)[0]
        found.append(system.explain_group(group).explained[PLANTED].explanation)
    assert torch.equal(found[0].descriptor_ids, found[1].descriptor_ids)
    # Batches of other sizes take other kernels.
    torch.testing.assert_close(found[0].part_embeddings, found[1].part_embeddings, atol=1e-5, rtol=0)


def test_descriptors_come_in_the_order_of_relevance() -> None:
    relevance = torch.tensor([[0.2, 0.2, -0.5, 0.9], [0.1, 0.2, 0.3, 0.4]])
    true = torch.tensor([[True, True, True, False], [False, False, False, True]])
    ranked = rank_true(relevance, true)
    assert ranked.ids.tolist() == [[0, 1, 2], [3, -1, -1]]  # the lower id first among equals
    assert ranked.counts.tolist() == [3, 1]
    torch.testing.assert_close(ranked.importance, 2.5 * torch.tensor([[0.2, 0.2, -0.5], [0.4, 0.0, 0.0]]))
    nothing = rank_true(relevance, torch.zeros_like(true))
    assert (nothing.ids.tolist(), nothing.counts.tolist()) == ([[-1], [-1]], [0, 0])


def test_patch_has_the_part_of_most_of_its_pixels() -> None:
    pixels = torch.zeros(1, 2, 5, 5, dtype=torch.bool)
    pixels[0, 0, :2, 0] = True  # two pixels of the first patch
    pixels[0, 1, 0, 1:4] = True  # one of it and two of the next
    pixels[0, 1, 4] = True  # a row that no patch covers
    assert largest_part(pixels, (2, 2), 2).tolist() == [[[0, 1], [-1, -1]]]
    assert largest_part(pixels, (3, 3), 2).tolist() == [[[0, 1, -1], [-1, -1, -1], [1, 1, 1]]]  # cut off by the edge
    assert largest_part(pixels[:, :0], (2, 2), 2).tolist() == [[[-1, -1], [-1, -1]]]


def test_image_of_which_nothing_is_true_has_no_parts() -> None:
    context = with_truth(descriptors=False)
    explained = PlantedParts().explain(context)
    assert not explained.present.any()
    assert explained.vision.counts.tolist() == [0]
    assert explained.fallbacks["no_foreground"] == 1


def test_part_that_cannot_be_seen_is_absent() -> None:
    context = with_truth(descriptors=True)
    explained = PlantedParts().explain(context)
    assert explained.present.tolist() == [[True, False]]
    bank = len(context.bare_embeddings)
    assert explained.vision.counts.tolist() == [bank]  # those of a part that cannot be seen are true all the same
    assert (explained.descriptor_ids[0, 0] >= 0).sum() == (bank + 1) // 2
    assert (explained.descriptor_ids[0, 1] == -1).all()


def with_truth(*, descriptors: bool) -> GroupContext:
    """One image with two parts, the second without pixels, and descriptors of both in turn, all true or none."""
    toy = make_context([ALL])
    masks = torch.zeros(1, 2, *toy.group.images.shape[-2:], dtype=torch.bool)
    masks[0, 0, :8, :8] = True
    bank, dim = toy.bare.shape
    foreground = toy.foreground
    patches = foreground.patches.shape[-2:]
    return GroupContext(
        images=toy.group.images,
        features=torch.zeros(1, patches[0] * patches[1], 4),
        image_embedding=toy.image_embedding,
        bare_embeddings=toy.bare,
        prompted_embeddings=toy.prompted,
        foreground_patches=foreground.patches,
        foreground_pixels=foreground.pixels,
        seed=0,
        encode=lambda pixels: torch.ones(len(pixels), dim),
        truth=KnownTruth(masks, torch.full((1, bank), descriptors), torch.arange(bank) % 2),
    )


def test_truth_is_the_last_row() -> None:
    assert sort_explainers({"planted", "random", "legrad", "whole-image", "pca"})[-2:] == ["whole-image", "planted"]
