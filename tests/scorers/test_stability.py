from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_context import ALL, make_context

from mkbench.concepts import PartsExplainer, VisionConcepts
from mkbench.datamodules import ClassGroup, Critters
from mkbench.scorers import Stability
from mkbench.scorers.explained_group import ExplainedGroup
from mkbench.scorers.stability import add_noise
from mkbench.systems import MutualKnowledge
from mkbench.systems.mutual_knowledge import group_seed


def test_values_by_hand() -> None:
    context = make_context([ALL, ALL])
    first = VisionConcepts(torch.tensor([[4, 7, 9], [1, -1, -1]]), torch.zeros(2, 3), torch.tensor([3, 1]))
    second = VisionConcepts(torch.tensor([[9, 4, 2], [1, -1, -1]]), torch.zeros(2, 3), torch.tensor([3, 1]))
    context = replace(context, explanation=replace(context.explanation, vision=first), seeded=True)
    asked = []

    def again(group: ClassGroup, seed: int) -> ExplainedGroup:
        asked.append((group.images, seed))
        curves = torch.tensor([[3.0, 2.0, 1.0, 0.0], [4.0, 0.0, 0.0, 0.0]])
        explanation = replace(context.explanation, vision=second)
        return ExplainedGroup(explanation, curves[:, 1:] > 0, curves, curves, torch.zeros(2))

    columns = Stability().score(replace(context, explain_again=again))
    for cause in ("noise", "reseed"):
        assert columns[f"{cause}_kept"] == [2, 1]
        assert columns[f"{cause}_jaccard"] == [0.5, 1.0]
        assert columns[f"{cause}_auc"] == [1.5, 2.0]
    (noisy, seed), (same, other) = asked
    assert torch.equal(same, context.group.images)
    assert (seed == context.seed, other == context.seed) == (True, False)
    difference = noisy.int() - context.group.images.int()
    assert difference.abs().max() == 1
    unseeded = Stability().score(replace(context, explain_again=again, seeded=False))
    assert list(unseeded) == list(columns) == list(Stability().columns)
    assert unseeded["reseed_jaccard"] == unseeded["reseed_kept"] == [None, None]


def test_noise_is_even_and_follows_from_the_seed() -> None:
    images = torch.full((2, 3, 64, 64), 100, dtype=torch.uint8)
    noisy = add_noise(images, 3)
    shares = [float((noisy == value).double().mean()) for value in (99, 100, 101)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.02)
    assert torch.equal(noisy, add_noise(images, 3))
    assert not torch.equal(noisy, add_noise(images, 4))
    assert add_noise(images * 0, 3).max() == 1  # nothing wraps around to 255


def test_context_must_explain_again() -> None:
    with pytest.raises(ValueError, match="must have explain_again"):
        Stability().score(make_context([ALL]))


def test_pipeline_runs_again_on_other_images(tiny_model: Path) -> None:
    explainers = [PartsExplainer(name, pool=62) for name in ("pca", "kmeans")]
    data = Critters(images_per_class=4, limit_classes=1, num_workers=0)
    system = MutualKnowledge(
        f"local-dir:{tiny_model}",
        num_language_concepts=12,
        refine="components",
        explainers=explainers,
        scorers=[Stability()],
    )
    system.prepare(data)
    group = data.dataset(system.geometry, data.specs)[0]
    result = system.explain_group(group)
    assert result.explained["pca"].measured["reseed_jaccard"] == [None] * 4
    kmeans = result.explained["kmeans"]
    found = (kmeans.explanation.vision.counts > 0).tolist()
    assert [value is not None for value in kmeans.measured["reseed_jaccard"]] == found
    assert any(found)
    # What stands in the columns is what a run on the noisy images finds.
    system.scorers = []
    noisy = replace(group, images=add_noise(group.images, group_seed(0, 0, 0)))
    again = system.explain_group(noisy)
    for name, explained in result.explained.items():
        curves, counts = again.explained[name].curves, again.explained[name].explanation.vision.counts
        assert explained.measured["noise_auc"] == pytest.approx((curves.sum(1) / (counts + 1)).tolist())
