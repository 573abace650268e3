"""Explainer of any saliency map: its foreground, with parts and descriptors as for the published explainers."""

import math
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.explainer import PartsExplainer
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.linalg import require_finite
from mkbench.concepts.refine import refine_crf
from mkbench.concepts.region_encoders import RegionEncoderName
from mkbench.concepts.upscale import upscale_nearest


class SaliencyMethod(Protocol):
    """Saliency method interface: signed maps of the patches of a class group.

    Any class with these members can be named by its path in a configuration; its annotations must be the same.
    """

    @property
    def name(self) -> str:
        """Name of the explainer in results."""
        ...

    def settings(self) -> dict[str, object]:
        """Every choice that changes its maps, as JSON."""
        ...

    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        """Map images uint8 (B, 3, S, S) and classes (B, d), unit rows, to (B, h, w): the higher, the more salient."""
        ...


@runtime_checkable
class ContrastiveMethod(Protocol):
    """Saliency method interface of methods that compare the class of an image with all classes."""

    @property
    def name(self) -> str:
        """Name of the explainer in results."""
        ...

    def settings(self) -> dict[str, object]:
        """Every choice that changes its maps, as JSON."""
        ...

    def contrastive_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor, classes: Tensor) -> Tensor:
        """Map as ``SaliencyMethod`` does, given all classes (Y, d), unit rows, too."""
        ...


class SaliencyParts(PartsExplainer):
    """Parts within the most salient patches of a map, in the place of the published foreground.

    The map of every image, for its predicted class, is cut in the same way whatever the method: the patches with the
    highest values are kept (the earlier patch first among equals), by default as many as the published foreground of
    that image has, so that areas are equal and explainers differ only in where they look. An image whose map has no
    value above 0 has no parts. The kept patches of the class are then shared out, prompted and described as in
    :class:`PartsExplainer`, and their pixels are refined by the CRF where those of the published foreground are.

    Args:
        method: the saliency method, such as :class:`GradCam`, :class:`GradEclip` or :class:`ClipSurgery`.
        of: ``pca`` or ``kmeans``, how the kept patches become parts.
        share: of all patches of an image to keep, above 0 up to 1; None: as many as its published foreground has.
        num_parts: see :class:`PartsExplainer`, as all that follow but the last.
        topk: as there.
        pool: as there.
        margin: as there.
        region_encoder: as there.
        map_chunk: images whose maps are made at once; bounds the memory of gradients (rollout of a ViT-B/16 takes about
            0.2 GB an image) and changes no result.

    Raises:
        ValueError: as there, or if ``share`` or ``map_chunk`` is out of range.

    Example:
        >>> from mkbench.concepts import AttentionRollout
        >>> SaliencyParts(AttentionRollout(), share=0.25).name
        'rollout'
    """

    def __init__(
        self,
        method: SaliencyMethod | ContrastiveMethod,
        *,
        of: str = "pca",
        share: float | None = None,
        num_parts: int | None = None,
        topk: int | None = None,
        pool: int | None = None,
        margin: float = 0.02,
        region_encoder: RegionEncoderName = "prompts",
        map_chunk: int = 8,
    ) -> None:
        super().__init__(of, num_parts=num_parts, topk=topk, pool=pool, margin=margin, region_encoder=region_encoder)
        if share is not None and not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, found {share}")
        if map_chunk < 1:
            raise ValueError(f"map_chunk must be at least 1, found {map_chunk}")
        self.method, self.of, self.share, self.map_chunk = method, of, share, map_chunk
        self.name = method.name if of == "pca" else f"{method.name}_{of}"

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers; the chunk changes none."""
        return super().settings() | {"of": self.of, "share": self.share, "method": self.method.settings()}

    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group.

        Args:
            context: the group, with its backbone and the embeddings of the predicted classes.

        Returns:
            As :class:`PartsExplainer`; its ``fallbacks`` also count ``filled_up``, the images in which patches at or
            below 0 were kept too.

        Raises:
            ValueError: if the context lacks a backbone or classes, or the method returns another shape or NaN.
        """
        with context.stage("saliency"):
            maps = self.saliency(context)  # (images, h, w)
            kept = keep_most_salient(maps, self._patches_to_keep(context.foreground_patches))
        with context.stage("refine"):
            pixels = upscale_nearest(kept, context.images.shape[-1], context.patch_size)  # (images, S, S)
            if context.refine == "crf":
                pixels = refine_crf(context.images, pixels)
        explained = super().explain(replace(context, foreground_patches=kept, foreground_pixels=pixels))
        filled_up = int((kept & (maps <= 0)).flatten(1).any(dim=1).sum())
        return replace(explained, fallbacks=explained.fallbacks | {"filled_up": filled_up})

    def saliency(self, context: GroupContext) -> Tensor:
        """Map every image for its predicted class: (B, h, w), a chunk at a time; see ``explain`` for what is raised."""
        starts = range(0, len(context.images), self.map_chunk)
        maps = torch.cat([self._map_chunk(context, slice(start, start + self.map_chunk)) for start in starts])
        if maps.shape != context.foreground_patches.shape:
            raise ValueError(
                f"the maps of {self.name} must have shape {tuple(context.foreground_patches.shape)}, "
                f"found {tuple(maps.shape)}"
            )
        require_finite(maps, name=f"maps of {self.name}")
        return maps

    def _map_chunk(self, context: GroupContext, chunk: slice) -> Tensor:
        """(images of the chunk, h, w), as the method returns them."""
        if context.backbone is None or context.class_embedding is None:
            raise ValueError("context must have a backbone and class_embedding for saliency maps, found none")
        given = context.backbone, context.images[chunk], context.class_embedding[chunk]
        if not isinstance(self.method, ContrastiveMethod):
            return self.method.saliency_maps(*given)
        if context.classes is None:
            raise ValueError(f"context must have all classes for the maps of {self.name}, found none")
        return self.method.contrastive_maps(*given, context.classes)

    def _patches_to_keep(self, foreground: Tensor) -> Tensor:
        """(B,) int64, how many patches of every image are to be kept."""
        if self.share is None:
            return foreground.flatten(1).sum(dim=1)
        count = math.ceil(self.share * foreground[0].numel())
        return torch.full((len(foreground),), count, device=foreground.device)


def keep_most_salient(maps: Tensor, counts: Tensor) -> Tensor:
    """Keep the patches with the highest values; among equals the first in raster order.

    Args:
        maps: (B, h, w) floating.
        counts: (B,) how many patches to keep of each image.

    Returns:
        (B, h, w) bool; nothing of an image without a value above 0.

    Example:
        >>> keep_most_salient(torch.tensor([[[3.0, 1.0], [1.0, 0.0]]]), torch.tensor([2])).tolist()
        [[[True, True], [False, False]]]
    """
    values = maps.flatten(1)  # (images, patches)
    ranks = values.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return ((ranks < counts[:, None]) & (values > 0).any(dim=1, keepdim=True)).reshape(maps.shape)
