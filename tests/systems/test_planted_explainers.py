"""Explainers whose worth is known: controls tell the one that knows the truth, and not the one that mixes it up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mkbench.concepts import (
    CONTROLS,
    GroupContext,
    GroupExplanation,
    RandomParts,
    WholeImage,
    merge_descriptors,
)
from mkbench.concepts.controls import RANDOM, WHOLE_IMAGE
from mkbench.datamodules import ClassGroup, Critters
from mkbench.datamodules.critters_world import load_world
from mkbench.metrics.functional import paired_bootstrap_difference
from mkbench.scorers import GroundTruth
from mkbench.systems import MutualKnowledge

IMAGES = 3  # of each of the 32 classes


class Planted:
    """The true parts of an image, each with the closest of the descriptors that are said of them, (Y, D) bool."""

    max_concepts = 6

    def __init__(self, name: str, said: Tensor) -> None:
        self.name, self.said = name, said
        self.group: ClassGroup | None = None

    def settings(self) -> dict[str, object]:
        return {}

    def explain(self, context: GroupContext) -> GroupExplanation:
        group = self.group
        assert group is not None
        assert group.class_index is not None
        ground_truth = group.ground_truth
        assert ground_truth is not None
        assert ground_truth.part_masks is not None
        assert ground_truth.descriptor_parts is not None
        parts = len(ground_truth.part_names)
        said = self.said[group.class_index] & (
            ground_truth.descriptor_parts == torch.arange(parts)[:, None]
        )  # (parts, bank)
        relevance = context.image_embedding.double() @ context.bare_embeddings.double().T
        present = ground_truth.part_masks.flatten(2).any(2) & said.any(1)
        best = relevance[:, None].masked_fill(~said, -torch.inf).argmax(dim=2)
        ids = torch.where(present, best, -1)[..., None]  # (images, parts, 1)
        return GroupExplanation(
            explainer=self.name,
            part_labels=torch.full_like(context.foreground_patches, -1, dtype=torch.int64),
            part_pixels=ground_truth.part_masks & present[..., None, None],
            present=present,
            part_embeddings=torch.zeros(*present.shape, context.image_embedding.shape[1]),
            descriptor_ids=ids,
            vision=merge_descriptors(ids, relevance),
            fallbacks={},
        )


@pytest.fixture(scope="module")
def values() -> dict[str, dict[str, Tensor]]:
    """Explainer -> what is measured of every image."""
    world = load_world()
    true = torch.tensor([[entry.is_true(kind) for entry in world.descriptors] for kind in world.classes.values()])
    # Shuffled: what is said of a class is true of the class that it has least in common with.
    strangers = (true.double() @ true.double().T).argmin(dim=1)
    planted = [Planted("truth", true), Planted("shuffled", true[strangers])]
    system = MutualKnowledge(
        "critters-vit-l",
        num_language_concepts=12,
        refine="components",
        explainers=[*planted, RandomParts(pool=62, topk=1), WholeImage("truth")],
        scorers=[GroundTruth()],
    )
    data = Critters(images_per_class=IMAGES, num_workers=0)
    system.prepare(data)
    found: dict[str, dict[str, list[float]]] = {}
    dataset = data.dataset(system.geometry, data.specs, with_ground_truth=True)
    for group in (dataset[index] for index in range(len(dataset))):
        for one in planted:
            one.group = group
        for name, explained in system.explain_group(group).explained.items():
            curves = {
                "mi": explained.curves[:, 0].tolist(),
                "auc": (explained.curves.sum(1) / (explained.explanation.vision.counts + 1)).tolist(),
                "grouped_mi": [curve[0] for curve in explained.measured["grouped_curve"]],
            }
            own = found.setdefault(name, {})
            for metric, column in (curves | explained.measured).items():
                own.setdefault(metric, []).extend(column)
    return {name: {metric: to_tensor(column) for metric, column in own.items()} for name, own in found.items()}


def to_tensor(column: list[float]) -> Tensor:
    if not all(isinstance(value, float) for value in column if value is not None):
        return torch.zeros(0)
    return torch.tensor([torch.nan if value is None else value for value in column], dtype=torch.float64)


def difference(values: dict[str, dict[str, Tensor]], metric: str, explainer: str, control: str) -> tuple[float, float]:
    own, other = values[explainer][metric], values[control][metric]
    both = ~(own.isnan() | other.isnan())
    return paired_bootstrap_difference(own[both], other[both])


#: Which control a metric tells the planted truth from, as docs/metrics.md says. Published MI and AUC rise with every
#: further descriptor of one fact, and the truth names each fact once: they do not tell it from the whole image.
TOLD = {
    "mi": (RANDOM,),
    "auc": (RANDOM,),
    "grouped_mi": (RANDOM, WHOLE_IMAGE),
    "descriptor_precision": (RANDOM, WHOLE_IMAGE),
    "mutual_precision": (RANDOM, WHOLE_IMAGE),
    "part_iou": (RANDOM,),  # the whole image has no parts
}


@pytest.mark.parametrize(("metric", "control"), [(metric, one) for metric, told in TOLD.items() for one in told])
def test_truth_is_told_from_a_control(values: dict[str, dict[str, Tensor]], metric: str, control: str) -> None:
    assert difference(values, metric, "truth", control)[0] > 0


@pytest.mark.parametrize("metric", ["mi", "auc"])
def test_published_scores_do_not_tell_the_truth_from_the_whole_image(
    values: dict[str, dict[str, Tensor]], metric: str
) -> None:
    assert difference(values, metric, "truth", WHOLE_IMAGE)[0] <= 0


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("metric", ["mi", "auc", "grouped_mi", "descriptor_precision"])  # no concept is mutual
def test_mixed_up_truth_is_told_from_no_control(
    values: dict[str, dict[str, Tensor]], metric: str, control: str
) -> None:
    assert difference(values, metric, "shuffled", control)[0] <= 0
