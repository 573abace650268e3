"""Interventions through the whole pipeline: an explainer that knows the truth, and models with and without training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mkbench.concepts import PlantedParts
from mkbench.datamodules import Critters
from mkbench.metrics.functional import bootstrap_interval, paired_bootstrap_difference
from mkbench.scorers import InterventionScorer
from mkbench.systems import MutualKnowledge

FACTORS = ["colour", "legs", "background"]


@pytest.fixture(scope="module", params=[False, True], ids=["trained", "random"])
def measured(request: pytest.FixtureRequest) -> tuple[bool, dict[str, Tensor]]:
    """Whether weights are random, and the values of every image of every third class."""
    data = Critters(images_per_class=1, num_workers=0, intervention=FACTORS)
    system = MutualKnowledge(
        "critters-vit-l",
        random_weights=request.param,
        num_language_concepts=12,
        refine="none",
        explainers=[PlantedParts()],
        scorers=[InterventionScorer()],
    )
    system.prepare(data)
    dataset = data.dataset(system.geometry, data.specs[::3], with_ground_truth=True)
    found: dict[str, list[float]] = {}
    for group in (dataset[index] for index in range(len(dataset))):
        for name, column in system.explain_group(group).explained["planted"].measured.items():
            if name in InterventionScorer().columns:
                found.setdefault(name, []).extend(torch.nan if value is None else value for value in column)
    return request.param, {name: torch.tensor(column, dtype=torch.float64) for name, column in found.items()}


def test_truth_scores_one_whatever_the_model(measured: tuple[bool, dict[str, Tensor]]) -> None:
    _, values = measured
    assert values["intervention_j"].tolist() == [1.0] * 11
    assert values["intervention_false_alarm"].tolist() == [0.0] * 11
    assert paired_bootstrap_difference(values["intervention_j"], values["intervention_j_mispaired"])[0] > 0.9


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
