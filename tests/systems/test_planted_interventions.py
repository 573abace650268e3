"""Interventions through the whole pipeline: an explainer that knows the truth, and models with and without training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mkbench.concepts import GroupContext, GroupExplanation, VisionConcepts
from mkbench.datamodules import ClassGroup, Critters
from mkbench.metrics.functional import bootstrap_interval, paired_bootstrap_difference
from mkbench.scorers import InterventionScorer
from mkbench.systems import MutualKnowledge

FACTORS = ["colour", "legs", "background"]


class Planted:
    """Names what an image shows, looked up by its pixels, and has no parts."""

    name = "planted"

    def __init__(self, bank: int) -> None:
        self.max_concepts = bank
        self.shown: dict[bytes, Tensor] = {}

    def settings(self) -> dict[str, object]:
        return {}

    def learn(self, group: ClassGroup) -> None:
        known = group.ground_truth
        assert known is not None
        assert known.descriptors is not None
        assert known.changed_images is not None
        assert known.changed_descriptors is not None
        images = [*group.images, *known.changed_images.flatten(0, 1)]
        shown = [*known.descriptors, *known.changed_descriptors.flatten(0, 1)]
        self.shown |= {image.numpy().tobytes(): truth for image, truth in zip(images, shown, strict=True)}

    def explain(self, context: GroupContext) -> GroupExplanation:
        named = torch.stack([self.shown[image.numpy().tobytes()] for image in context.images])
        images, bank = named.shape
        ids = torch.where(named, torch.arange(bank), bank).sort(dim=1).values
        size, dim = context.images.shape[-1], context.image_embedding.shape[1]
        return GroupExplanation(
            explainer=self.name,
            part_labels=torch.full_like(context.foreground_patches, -1, dtype=torch.int64),
            part_pixels=torch.zeros(images, 0, size, size, dtype=torch.bool),
            present=torch.zeros(images, 0, dtype=torch.bool),
            part_embeddings=torch.zeros(images, 0, dim),
            descriptor_ids=torch.full((images, 0, 1), -1),
            vision=VisionConcepts(torch.where(ids < bank, ids, -1), torch.zeros(images, bank), named.sum(dim=1)),
            fallbacks={},
        )


@pytest.fixture(scope="module", params=[False, True], ids=["trained", "random"])
def measured(request: pytest.FixtureRequest) -> tuple[bool, dict[str, Tensor]]:
    """Whether weights are random, and the values of every image of every third class."""
    data = Critters(images_per_class=1, num_workers=0, intervention=FACTORS)
    planted = Planted(len(data.bank))
    system = MutualKnowledge(
        "critters-vit-l",
        random_weights=request.param,
        num_language_concepts=12,
        refine="none",
        explainers=[planted],
        scorers=[InterventionScorer()],
    )
    system.prepare(data)
    dataset = data.dataset(system.geometry, data.specs[::3], with_ground_truth=True)
    found: dict[str, list[float]] = {}
    for group in (dataset[index] for index in range(len(dataset))):
        planted.learn(group)
        for name, column in system.explain_group(group).explained["planted"].measured.items():
            if name in InterventionScorer().columns:
                found.setdefault(name, []).extend(torch.nan if value is None else value for value in column)
    return request.param, {name: torch.tensor(column, dtype=torch.float64) for name, column in found.items()}


def test_truth_scores_one_whatever_the_model(measured: tuple[bool, dict[str, Tensor]]) -> None:
    _, values = measured
    assert values["intervention_j"].tolist() == [1.0] * 11
    assert values["intervention_false_alarm"].tolist() == [0.0] * 11
    assert paired_bootstrap_difference(values["intervention_j"], values["intervention_j_mispaired"])[0] > 0.9
    assert values["intervention_focus"].isnan().all()  # no parts


def test_scores_know_the_change_if_the_model_is_trained(measured: tuple[bool, dict[str, Tensor]]) -> None:
    random_weights, values = measured
    low, _ = bootstrap_interval(values["intervention_score_auc"])
    gain = paired_bootstrap_difference(values["intervention_score_auc"], values["intervention_score_auc_mispaired"])
    if random_weights:
        assert low < 0.5  # no better than half, and than another change
        assert gain[0] < 0
    else:
        assert low > 0.6
        assert gain[0] > 0.1
