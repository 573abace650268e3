"""Explainers: from the features of a class group to parts with descriptors (steps 6 to 8 of the pipeline)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.descriptors import assign_descriptors_batch, merge_descriptors
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.foreground import Stage, no_stage
from mkbench.concepts.linalg import require_finite, unit_rows
from mkbench.concepts.part_sizes import PartSizes
from mkbench.concepts.parts import kmeans_parts, part_masks, pca_parts
from mkbench.concepts.prompts import PROMPTS, render_prompts_batch, require_prompts
from mkbench.concepts.refine import Refinement

Partition = Callable[[Tensor, int, int], Tensor]


class KnownTruth(NamedTuple):
    """What is known of the B images of a class group, for explainers that are given the truth.

    Attributes:
        part_masks: (B, P, S, S) bool, the visible pixels of each part of the object.
        descriptors: (B, D) bool, which descriptors of the bank each image shows.
        descriptor_parts: (D,) int64, the part that a descriptor speaks of, -1 for none of them.
    """

    part_masks: Tensor
    descriptors: Tensor
    descriptor_parts: Tensor


@dataclass(frozen=True)
class GroupContext:
    """Inputs of an explainer: the images of one class group and the bank, on one device.

    Attributes:
        images: (B, 3, S, S) uint8 RGB images.
        features: (B, N, C) patch features, N = h * w.
        image_embedding: (B, d) unit rows.
        bare_embeddings: (D, d) unit rows of the bare descriptors; the relevance of a descriptor comes from them.
        prompted_embeddings: (D, d) unit rows of the descriptors in their prompt; parts are compared with them.
        foreground_patches: (B, h, w) bool.
        foreground_pixels: (B, S, S) bool.
        seed: seed of this group.
        encode: uint8 pixels (n, 3, S, S) -> (n, d) embeddings, not normalised; runs the encoder in its own chunks.
        stage: hook around the stages of an explainer, for timing.
        backbone: the model, for explainers that look into it.
        class_embedding: (B, d) unit rows of the predicted classes, for explainers of a prediction.
        classes: (Y, d) unit rows of all classes, for explainers that compare the predicted class with the others.
        mean_embedding: (d,) mean of the unit embeddings of all images of the run, for explainers whose attribute
            ``needs_mean_embedding`` is True.
        refine: how the pixels of the foreground were refined.
        truth: what is known of the images, for explainers whose attribute ``needs_ground_truth`` is True; None where it
            is not.
        explanations: explainer name -> its explanation of this group, for explainers that are compared with another.

    Raises:
        ValueError: at construction, if a shape does not fit the others.
    """

    images: Tensor
    features: Tensor
    image_embedding: Tensor
    bare_embeddings: Tensor
    prompted_embeddings: Tensor
    foreground_patches: Tensor
    foreground_pixels: Tensor
    seed: int
    encode: Callable[[Tensor], Tensor]
    stage: Stage = no_stage
    backbone: Backbone | None = None
    class_embedding: Tensor | None = None
    classes: Tensor | None = None
    mean_embedding: Tensor | None = None
    refine: Refinement = "none"
    truth: KnownTruth | None = None
    explanations: Mapping[str, GroupExplanation] = field(default_factory=dict)

    @property
    def patch_size(self) -> int | None:
        """Side of a patch, in pixels; None without a backbone, of which see `covered_pixels`."""
        return None if self.backbone is None else self.backbone.patch_size

    def __post_init__(self) -> None:
        images, size = self.images.shape[0], self.images.shape[-1]
        bank, dim = self.bare_embeddings.shape
        patches = self.foreground_patches.shape
        wanted = {
            "images": (images, 3, size, size),
            "features": (images, patches[-2] * patches[-1], self.features.shape[-1]),
            "image_embedding": (images, dim),
            "prompted_embeddings": (bank, dim),
            "foreground_patches": (images, *patches[-2:]),
            "foreground_pixels": (images, size, size),
        }
        if self.class_embedding is not None:
            wanted["class_embedding"] = (images, dim)
        for name, shape in wanted.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"{name} must have shape {shape} to fit the rest of the group, found {found}")


class Explainer(Protocol):
    """Explainer interface: a name for its rows, and an explanation of each class group.

    One whose answer depends on the seed of the context says so by an attribute ``seeded = True``, one that centres
    embeddings by ``needs_mean_embedding = True``, one that is given the truth by ``needs_ground_truth = True``. One
    that fits some runs alone has a method ``require_run(description, *, features)``, which gets
    ``ClassGroupDataModule.describe()`` and the kind of patch features before any image is read, and
    raises ``UsageError``.
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


def embed_parts(
    pixels: Tensor, context: GroupContext, *, prompts: Sequence[str] = PROMPTS, chunk: int = 96
) -> tuple[Tensor, int]:
    """Embed every part of a class group by its prompted images (step 7).

    Args:
        pixels: (B, L, S, S) bool, the pixels of every part; one without pixels is absent.
        context: the group.
        prompts: images rendered of every part, out of `ring`, `grey` and `blur`.
        chunk: parts rendered and encoded at once; bounds the memory and changes no result.

    Returns:
        (B, L, d) mean of the unit embeddings of a part's images, 0 where it is absent; and the number of rings that
        come from a bounding box.

    Raises:
        ValueError: if the encoder returns embeddings that are not finite, or a prompt is unknown.
    """
    dim = context.bare_embeddings.shape[1]
    present = pixels.flatten(2).any(dim=2)
    embeddings = torch.zeros(*present.shape, dim, device=pixels.device)
    regions = present.nonzero()  # (regions, 2): image, part
    boxes = 0
    for start in range(0, len(regions), chunk):
        image, part = regions[start : start + chunk].unbind(dim=1)
        with context.stage("render"):
            first, last = int(image[0]), int(image[-1])  # regions come in order of their images
            prompted = render_prompts_batch(
                context.images[first : last + 1], pixels[image, part], image - first, prompts=prompts
            )
        with context.stage("encode"):
            encoded = context.encode(prompted.pixels.flatten(0, 1)).float()  # (regions * prompts, dim)
        require_finite(encoded, name="embeddings of the prompted regions")
        embeddings[image, part] = unit_rows(encoded).reshape(len(image), -1, dim).mean(dim=1)
        boxes += prompted.contour_fallbacks
    return embeddings, boxes


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
        chunk: int = 96,
    ) -> None:
        if name not in PARTITIONS:
            raise ValueError(f"the explainer must be one of {', '.join(PARTITIONS)}, found {name!r}")
        super().__init__(num_parts=num_parts, topk=topk, pool=pool)
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, found {chunk}")
        require_prompts(prompts)
        self.name, self.partition = name, PARTITIONS[name]
        self.prompts, self.margin, self.transport, self.chunk = tuple(prompts), margin, transport, chunk
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
            "prompts": list(self.prompts),
            "transport": self.transport,
        }

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
            present = pixels.flatten(2).any(dim=2)
        embeddings, boxes = embed_parts(pixels, context, prompts=self.prompts, chunk=self.chunk)
        with context.stage("assign"):
            relevance = context.image_embedding.double() @ context.bare_embeddings.double().T  # (images, bank)
            logits = embeddings.double() @ context.prompted_embeddings.double().T  # (images, parts, bank)
            assigned = assign_descriptors_batch(
                logits,
                relevance,
                present,
                topk=self.topk,
                pool=self.pool,
                margin=self.margin,
                transport=self.transport,
            )
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
        emptied = whole.flatten(2).any(dim=2) & ~refined.flatten(2).any(dim=2)  # (images, parts)
        return torch.where(emptied[..., None, None], whole, refined), int(emptied.sum())
