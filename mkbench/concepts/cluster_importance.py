"""CCI: clusters of patches as parts, important by what masking them in attention takes from the class score."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.concepts.class_score import class_scores
from mkbench.concepts.explainer import PartsExplainer
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.linalg import require_finite, unit_rows
from mkbench.concepts.parts import part_masks
from mkbench.concepts.region_encoders import RegionEncoderName

#: Rounds of K-means after which the clusters are taken as they are; a few suffice.
_MOST_ROUNDS = 300


class ClusterImportance(PartsExplainer):
    """Cluster-based concept importance (CCI): parts are the clusters of an image that the class score rests on.

    The patch features of each image are clustered by K-means on their directions. With s the cosine of image and
    predicted class, and s_k the same while no token of any block takes anything from the patches of cluster k, the
    importance of the cluster is (s - s_k) / |s|. Clusters whose importance is above 0 are parts, the most important
    one first, whether they lie on the foreground of the group or not. What comes after, from the prompts to the
    descriptors, is that of :class:`PartsExplainer`.

    Source: Agarwal, Karanam & Gandhi, 2025, arXiv 2511.12978. That K-means starts from the patches that lie farthest
    apart, so that it needs no seed, and the descriptors are ours.

    Args:
        num_parts: clusters K of an image, at most 5 as published; see :class:`PartsExplainer` for this and all that
            follow but the last.
        topk: as there.
        pool: as there.
        margin: as there.
        region_encoder: as there.
        mask_chunk: masked images in one call of the encoder; bounds the memory and changes no result.

    Raises:
        ValueError: as there, or if ``mask_chunk`` is below 1.

    >>> ClusterImportance().name
    'cci'
    """

    def __init__(
        self,
        *,
        num_parts: int | None = None,
        topk: int | None = None,
        pool: int | None = None,
        margin: float = 0.02,
        region_encoder: RegionEncoderName = "prompts",
        mask_chunk: int = 64,
    ) -> None:
        super().__init__(
            "kmeans", num_parts=num_parts, topk=topk, pool=pool, margin=margin, region_encoder=region_encoder
        )
        if mask_chunk < 1:
            raise ValueError(f"mask_chunk must be at least 1, found {mask_chunk}")
        self.name, self.seeded, self.mask_chunk = "cci", False, mask_chunk

    def _locate(self, context: GroupContext) -> tuple[Tensor, Tensor, int]:
        if context.backbone is None or context.class_embedding is None:
            raise ValueError("context must have a backbone and class_embedding for cluster importance, found none")
        clusters = cluster_patches(context.features, self.num_parts)  # (images, N)
        importance = cluster_importance(
            context.backbone,
            context.images,
            context.class_embedding,
            clusters,
            num_clusters=self.num_parts,
            chunk=self.mask_chunk,
        )
        labels = rank_clusters(clusters, importance).view_as(context.foreground_patches)
        pixels = part_masks(labels, self.num_parts, context.images.shape[-1], context.patch_size)
        return labels, pixels, 0


def cluster_patches(features: Tensor, num_clusters: int) -> Tensor:
    """Cluster the patches of every image by K-means on their unit rows, all images at once.

    The first centre is the patch farthest from the mean of its image, each other one the patch farthest from the
    centres so far (the first among equals). Lloyd's rounds follow until no patch changes its cluster; a tie goes to the
    lowest cluster, an empty cluster keeps its centre.

    Args:
        features: (B, N, C) raw patch features.
        num_clusters: K; with fewer patches, as many as patches.

    Returns:
        (B, N) int64, 0..K-1.

    Raises:
        ValueError: if the features are not finite.

    >>> cluster_patches(torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]]]), 2).tolist()
    [[0, 1, 1]]
    """
    require_finite(features, name="features")
    rows = unit_rows(features.double())  # (B, N, C)
    centres = _spread_centres(rows, min(num_clusters, rows.shape[1]))
    labels = rows.new_full(rows.shape[:2], -1, dtype=torch.int64)
    for _ in range(_MOST_ROUNDS):
        earlier, labels = labels, _distances(rows, centres).argmin(dim=2)
        if torch.equal(earlier, labels):
            break
        members = F.one_hot(labels, centres.shape[1]).to(rows.dtype)  # (B, N, K)
        sizes = members.sum(dim=1)[..., None]
        centres = torch.where(sizes > 0, members.mT @ rows / sizes.clamp(min=1), centres)
    return labels


def _distances(rows: Tensor, centres: Tensor) -> Tensor:
    # Differences, not the expanded square: equal centres must tie exactly.
    return torch.cdist(rows, centres, compute_mode="donot_use_mm_for_euclid_dist")


def _spread_centres(rows: Tensor, count: int) -> Tensor:
    """(B, N, C) -> (B, count, C) rows that lie far apart."""
    nearest = _distances(rows, rows.mean(dim=1, keepdim=True))[..., 0]  # (B, N)
    chosen: list[Tensor] = []
    for _ in range(count):
        place = nearest.argmax(dim=1)[:, None, None].expand(-1, 1, rows.shape[2])
        chosen.append(rows.gather(1, place))  # (B, 1, C)
        distance = _distances(rows, chosen[-1])[..., 0]
        nearest = distance if len(chosen) == 1 else torch.minimum(nearest, distance)
    return torch.cat(chosen, dim=1)


@torch.no_grad()
def cluster_importance(
    backbone: Backbone,
    images: Tensor,
    class_embedding: Tensor,
    clusters: Tensor,
    *,
    num_clusters: int,
    chunk: int,
) -> Tensor:
    """Return the relative drop of the class score while a cluster is masked in the attention of all blocks.

    Args:
        backbone: a model with ``embed_masked``.
        images: (B, 3, S, S) uint8 RGB images.
        class_embedding: (B, d) unit rows.
        clusters: (B, N) int64, 0..K-1.
        num_clusters: K.
        chunk: masked images in one call.

    Returns:
        (B, K), 0 for a cluster without patches.

    Raises:
        BackboneError: if the model cannot mask patches.
    """
    masks = (clusters[:, None] == torch.arange(num_clusters, device=clusters.device)[:, None]).flatten(0, 1)
    image = torch.arange(len(images), device=images.device).repeat_interleave(num_clusters)  # of each mask
    scores = [
        class_scores(backbone.embed_masked(images[i], mask), class_embedding[i])
        for i, mask in zip(torch.split(image, chunk), torch.split(masks, chunk), strict=True)
    ]
    whole = class_scores(backbone.encode_image(images), class_embedding)[:, None]
    drops = (whole - torch.cat(scores).view(len(images), num_clusters)) / whole.abs().clamp(min=1e-12)
    return torch.where(masks.any(dim=1).view_as(drops), drops, 0)


def rank_clusters(clusters: Tensor, importance: Tensor) -> Tensor:
    """Number clusters by importance, the most important first, and drop those that are not important.

    Args:
        clusters: (B, N) int64, 0..K-1.
        importance: (B, K).

    Returns:
        (B, N) int64, -1 on clusters whose importance is not above 0.

    >>> rank_clusters(torch.tensor([[0, 1, 2]]), torch.tensor([[0.1, 0.4, -0.2]])).tolist()
    [[1, 0, -1]]
    """
    order = importance.argsort(dim=1, descending=True, stable=True)
    ranks = torch.where(importance > 0, order.argsort(dim=1), -1)
    return ranks.gather(1, clusters)
