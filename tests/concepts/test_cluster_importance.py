from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from saliency_references import masked_score
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn import functional as F
from toy_classes import ColourBackbone

from mkbench import load_backbone
from mkbench.concepts import ClusterImportance
from mkbench.concepts.cluster_importance import cluster_importance, cluster_patches, rank_clusters
from mkbench.datamodules import Critters
from mkbench.errors import BackboneError
from mkbench.systems import MutualKnowledge


def spread_by_hand(rows: np.ndarray, count: int) -> np.ndarray:
    chosen = [int(np.argmax(((rows - rows.mean(axis=0)) ** 2).sum(axis=1)))]
    while len(chosen) < count:
        distances = [min(((row - rows[other]) ** 2).sum() for other in chosen) for row in rows]
        chosen.append(int(np.argmax(distances)))
    return rows[chosen]


def test_clusters_are_those_of_scikit_learn_from_the_same_centres() -> None:
    torch.manual_seed(0)
    features = torch.randn(4, 30, 6) + 2 * torch.randn(4, 3, 6)[:, torch.arange(30) % 3]
    found = cluster_patches(features, 4)
    for image, labels in zip(features, found, strict=True):
        rows = F.normalize(image.double(), dim=1).numpy()
        model = KMeans(4, init=spread_by_hand(rows, 4), n_init=1, tol=0, algorithm="lloyd").fit(rows)
        assert labels.tolist() == model.labels_.tolist()


def test_equal_patches_are_one_cluster_and_few_patches_as_many() -> None:
    assert cluster_patches(torch.ones(1, 5, 3), 3).tolist() == [[0] * 5]
    assert sorted(cluster_patches(torch.eye(2)[None], 5)[0].tolist()) == [0, 1]
    with pytest.raises(ValueError, match="features must be finite"):
        cluster_patches(torch.full((1, 2, 2), torch.nan), 2)


@pytest.fixture
def group() -> tuple[Tensor, Tensor, Tensor]:
    """Three images, their classes and clusters, of which the third has no patch."""
    torch.manual_seed(0)
    images, classes = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8), F.normalize(torch.randn(3, 32), dim=1)
    return images, classes, torch.tensor([0, 1, 3])[torch.randint(0, 3, (3, 16))]


@pytest.mark.parametrize("chunk", [5, 64])
def test_importance_is_the_reference_cluster_by_cluster(
    tiny_model: Path, group: tuple[Tensor, Tensor, Tensor], chunk: int
) -> None:
    backbone, (images, classes, clusters) = load_backbone(f"local-dir:{tiny_model}"), group
    found = cluster_importance(backbone, images, classes, clusters, num_clusters=4, chunk=chunk)
    expected = torch.zeros(3, 4)
    for row in range(3):
        whole = masked_score(backbone, images[row], classes[row], ())
        for cluster in (0, 1, 3):
            hidden = tuple((clusters[row] == cluster).nonzero().flatten().tolist())
            expected[row, cluster] = (whole - masked_score(backbone, images[row], classes[row], hidden)) / abs(whole)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not found[:, 2].any()


@pytest.mark.slow
def test_a_large_tower_is_the_reference_to_five_digits() -> None:
    torch.manual_seed(0)
    backbone = load_backbone("ViT-B-16", random_weights=True)
    image = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    classes, clusters = F.normalize(torch.randn(1, 512), dim=1), torch.randint(0, 2, (1, 196))
    hidden = tuple(clusters[0].nonzero().flatten().tolist())
    masked = backbone.embed_masked(image, clusters.bool())
    found = float(F.normalize(masked, dim=1)[0] @ classes[0])
    assert found == pytest.approx(masked_score(backbone, image[0], classes[0], hidden), abs=1e-5)
    assert found != pytest.approx(masked_score(backbone, image[0], classes[0], ()), abs=1e-4)


def test_ranks_put_the_most_important_cluster_first() -> None:
    importance = torch.tensor([[0.0, 0.3, 0.3, 0.5]])
    assert rank_clusters(torch.tensor([[3, 2, 1, 0]]), importance).tolist() == [[0, 2, 1, -1]]


def test_a_run_has_parts_where_clusters_count(tiny_model: Path) -> None:
    data = Critters(images_per_class=3, limit_classes=1, num_workers=0)
    explainer = ClusterImportance(num_parts=3, topk=2, pool=62)
    system = MutualKnowledge(f"local-dir:{tiny_model}", num_language_concepts=12, refine="none", explainers=[explainer])
    system.prepare(data)
    group = data.dataset(system.geometry, data.specs)[0]
    result = system.explain_group(group)
    found = result.explained["cci"].explanation
    clusters = cluster_patches(system.backbone.patch_features(group.images).features, 3)
    predicted = system.knowledge.classes[result.ranking[:, 0]]
    importance = cluster_importance(system.backbone, group.images, predicted, clusters, num_clusters=3, chunk=64)
    assert found.part_labels.flatten(1).tolist() == rank_clusters(clusters, importance).tolist()
    assert found.present.sum(dim=1).tolist() == (importance > 0).sum(dim=1).tolist()
    assert (found.vision.counts > 0).tolist() == found.present.any(dim=1).tolist()


def test_models_without_attention_are_refused() -> None:
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(BackboneError, match="with a class token and plain attention, found colours; choose such a mod"):
        cluster_importance(
            ColourBackbone(), images, torch.ones(1, 8), torch.zeros(1, 16, dtype=torch.int64), num_clusters=2, chunk=8
        )


def test_a_chunk_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="mask_chunk must be at least 1, found 0"):
        ClusterImportance(mask_chunk=0)
