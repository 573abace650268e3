"""Explainers: from the features of a class group to parts with descriptors (steps 6 to 8 of the pipeline)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.descriptors import assign_descriptors_batch, assign_to_embeddings, merge_descriptors
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.part_sizes import PartSizes
from mkbench.concepts.parts import kmeans_parts, part_masks, pca_parts
from mkbench.concepts.prompts import PROMPTS
from mkbench.concepts.region_encoders import RegionEncoderName, choose_region_encoder, embed_parts
from mkbench.concepts.upscale import has_pixels

Partition = Callable[[Tensor, int, int], Tensor]


class Explainer(Protocol):
    """Explainer interface: a name for its rows, and an explanation of each class group.

    One whose answer depends on the seed of the context says so by an attribute ``seeded = True``; one that centres
    embeddings by ``needs_mean_embedding = True``; one that reads ``patch_values`` by ``needs_patch_values = True``; one
    that is given the truth by ``needs_ground_truth = True``. One that fits some runs alone has a method
    ``require_run(description, *, features)``, which gets ``ClassGroupDataModule.describe()`` and the kind of patch
    features before any image is read, and raises ``UsageError``; one that fits some models alone a method
    ``require_backbone(backbone)``.
    """

    @property
    def name(self) -> str:
        """Name of the explainer in results."""
        ...

    @property
    def max_concepts(self) -> int:
        """Most vision concepts of an image, the width of `GroupExplanation.vision`."""
        ...

    def settings(self) -> dict[str, object]:
        """Every choice that changes its numbers, as JSON; two runs are the same only if these are."""
        ...

    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group."""
        ...


def _by_components(features: Tensor, num_parts: int, seed: int) -> Tensor:
    return pca_parts(features, num_parts)


def _by_clusters(features: Tensor, num_parts: int, seed: int) -> Tensor:
    return kmeans_parts(features, num_parts, seed=seed)


# How the foreground patches of a class are shared out, by the name of the explainer.
PARTITIONS: dict[str, Partition] = {"pca": _by_components, "kmeans": _by_clusters}


class PartsExplainer(PartSizes):
    """Explainer of the paper: parts by PCA or K-means, descriptors by prompted regions and transport.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 3.

    Args:
        name: `pca` or `kmeans`.
        num_parts: parts L of a class; None: as many as the run says, 5 without a run.
        topk: descriptors k of a part; None: as there, 3.
        pool: descriptors each part proposes; None: as there, 500.
        margin: how far below the mean relevance a candidate may lie.
        prompts: images rendered of every part, out of `ring`, `grey` and `blur`.
        transport: share out descriptors by optimal transport, or (ablation) give each part its own best of the whole
            bank, whatever `pool` and `margin`.
        region_encoder: what embeds a part: its `prompts`, the `ring` alone, its bounding box (`crop`), attention to its
            patches alone (`masked`), or the mean of its patches' value features (`pooled`, no forward pass more).
        chunk: parts rendered and encoded at once; bounds the memory and changes no result.

    Raises:
        ValueError: if the name or a prompt is unknown, or a number is below 1.

    Example:
        >>> PartsExplainer("kmeans", num_parts=3).name
        'kmeans'
    """

    def __init__(
        self,
        name: str = "pca",
        *,
        num_parts: int | None = None,
        topk: int | None = None,
        pool: int | None = None,
        margin: float = 0.02,
        prompts: Sequence[str] = PROMPTS,
        transport: bool = True,
        region_encoder: RegionEncoderName = "prompts",
        chunk: int = 96,
    ) -> None:
        if name not in PARTITIONS:
            raise ValueError(f"the explainer must be one of {', '.join(PARTITIONS)}, found {name!r}")
        super().__init__(num_parts=num_parts, topk=topk, pool=pool)
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, found {chunk}")
        self.name, self.partition = name, PARTITIONS[name]
        self.region_encoder, self.regions = region_encoder, choose_region_encoder(region_encoder, prompts)
        self.margin, self.transport, self.chunk = margin, transport, chunk
        self.seeded = name == "kmeans"

    @property
    def max_concepts(self) -> int:
        """Most vision concepts of an image: k for each of the L parts."""
        return self.num_parts * self.topk

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers; the chunk changes none."""
        return {
            "num_parts": self.num_parts,
            "topk": self.topk,
            "pool": self.pool,
            "margin": self.margin,
            "prompts": list(self.regions.prompts),
            "transport": self.transport,
            "region_encoder": self.region_encoder,
        }

    @property
    def needs_patch_values(self) -> bool:
        """Whether the context must have the value features of patches."""
        return self.regions.needs_patch_values

    def require_backbone(self, backbone: Backbone) -> None:
        """Check that a model offers what the region encoder reads.

        Raises:
            BackboneError: it does not.
        """
        self.regions.require_backbone(backbone)

    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group (steps 6 to 8).

        Args:
            context: the group.

        Returns:
            `GroupExplanation`; an image without foreground has no parts and no concepts. Its `fallbacks` count
            `no_foreground`, `empty_candidates`, `few_candidates` and `single_part` in images, `contour_box` and
            `refined_part_empty` in parts.

        Raises:
            ValueError: if the encoder returns embeddings that are not finite or do not fit the bank.
        """
        with context.stage("partition"):
            labels, pixels, unrefined = self._locate(context)  # (images, h, w), (images, parts, S, S)
            present = has_pixels(pixels)
        embeddings, boxes = embed_parts(labels, pixels, context, self.regions, chunk=self.chunk)
        with context.stage("assign"):
            relevance = context.relevance()  # (images, bank)
            choose = partial(
                assign_descriptors_batch,
                topk=self.topk,
                pool=self.pool,
                margin=self.margin,
                transport=self.transport,
            )
            bank = context.prompted_embeddings
            assigned = assign_to_embeddings(embeddings, bank, relevance, present, assign=choose)
            vision = merge_descriptors(assigned.ids, relevance)
        fallbacks = {
            "no_foreground": int((~present.any(dim=1)).sum()),
            "empty_candidates": int(assigned.empty_candidates.sum()),
            "few_candidates": int(assigned.few_candidates.sum()),
            "single_part": int(assigned.single_part.sum()),
            "contour_box": boxes,
            "refined_part_empty": unrefined,
        }
        return GroupExplanation(
            explainer=self.name,
            part_labels=labels,
            part_pixels=pixels,
            present=present,
            part_embeddings=embeddings,
            descriptor_ids=assigned.ids,
            vision=vision,
            fallbacks=fallbacks,
        )

    def _locate(self, context: GroupContext) -> tuple[Tensor, Tensor, int]:
        """Part of every patch, pixels of every part, and how many parts the refinement would have removed."""
        labels = self._partition(context)
        pixels, unrefined = self._part_pixels(labels, context)
        return labels, pixels, unrefined

    def _partition(self, context: GroupContext) -> Tensor:
        """Part of every foreground patch of the group, -1 on background."""
        foreground = context.foreground_patches
        labels = torch.full(foreground.shape, -1, dtype=torch.int64, device=foreground.device)
        rows = context.features.reshape(*foreground.shape, -1)[foreground]  # (foreground patches, width)
        labels[foreground] = self.partition(rows, self.num_parts, context.seed)
        return labels

    def _part_pixels(self, labels: Tensor, context: GroupContext) -> tuple[Tensor, int]:
        """Refined pixels of every part, and how many parts the refinement would have removed."""
        whole = part_masks(labels, self.num_parts, context.images.shape[-1], context.patch_size)
        refined = whole & context.foreground_pixels[:, None]
        emptied = has_pixels(whole) & ~has_pixels(refined)  # (images, parts)
        return torch.where(emptied[..., None, None], whole, refined), int(emptied.sum())
