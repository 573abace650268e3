"""The whole pipeline on the real architectures, at random weights."""

from __future__ import annotations

import pytest
import torch

from benchmarks.pipeline import make_texts
from mkbench.concepts import PartsExplainer
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import rendered_group


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["ViT-B-32", "ViT-L-14-336", "RN50", "RN50x16", "convnext_base"])
def test_pipeline_on_a_real_architecture(architecture: str) -> None:
    # Two parts and one prompt: what is new in an architecture is its tower, not the number of forward passes.
    explainers = [PartsExplainer(name, num_parts=2, prompts=("ring",)) for name in ("pca", "kmeans")]
    system = MutualKnowledge(architecture, random_weights=True, explainers=explainers, refine="components")
    system.text = make_texts(system.backbone.embed_dim, torch.device("cpu"))
    result = system.explain_group(rendered_group(2, system.backbone.image_size, torch.device("cpu")))
    assert list(result.explained) == ["pca", "kmeans"]
    assert result.ranking.shape == (2, 5)
    for explained in result.explained.values():
        labels = explained.explanation.part_labels
        assert labels.shape == (2, *system.backbone.grid)
        assert torch.equal(labels >= 0, result.foreground.patches)
        counts = explained.explanation.vision.counts
        assert int(counts.max()) <= 6
        assert torch.isfinite(explained.curves).all()
        assert torch.equal(explained.curves[:, 0] > 0, explained.hits.any(1))
