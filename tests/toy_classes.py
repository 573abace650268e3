"""Classes of a user's own, named by `class_path` in tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone, Geometry, PatchFeatures
from mkbench.concepts import GroupContext, GroupExplanation
from mkbench.concepts.descriptors import merge_descriptors

#: Texts with more words than this are truncated by the toy's encoder.
CONTEXT = 5


class ColourBackbone(Backbone):
    """Sees the mean colour of each of 4 x 4 patches, and reads texts by their hash.

    Args:
        width: of the joint space.
    """

    def __init__(self, width: int = 8) -> None:
        super().__init__(
            name="colours",
            geometry=Geometry(size=16, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
            grid=(4, 4),
            embed_dim=width,
            feature_dim=3,
        )
        # Not learned, not random: wave-like columns, so that every width has its own.
        self.project = torch.nn.Parameter(torch.cos(torch.arange(48 * width).float()).view(48, width))

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self._patches(pixels).flatten(1) @ self.project.float()

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        self.truncated_texts += sum(len(text.split()) > CONTEXT for text in texts)
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "little") for text in texts]
        return torch.stack([torch.randn(self.embed_dim, generator=torch.Generator().manual_seed(s)) for s in seeds])

    def patch_features(self, pixels: Tensor, kind: str = "tokens") -> PatchFeatures:
        return PatchFeatures(self._patches(pixels), self.encode_image(pixels))

    def _patches(self, pixels: Tensor) -> Tensor:
        return F.avg_pool2d(self.prepare_pixels(pixels).float(), 4).flatten(2).transpose(1, 2)  # (images, 16, 3)


class CentreSaliency:
    """A saliency method that finds the centre of every image salient, whatever it shows.

    Args:
        width: how fast saliency falls from the centre, in patches.
    """

    def __init__(self, width: float = 1.0) -> None:
        self.width = width

    @property
    def name(self) -> str:
        return "centre"

    def settings(self) -> dict[str, object]:
        return {"width": self.width}

    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        rows, columns = (torch.arange(side) - (side - 1) / 2 for side in backbone.grid)
        distance = (rows[:, None] ** 2 + columns**2).sqrt()  # (h, w)
        return torch.exp(-distance / self.width).expand(len(images), -1, -1)


class WholeForeground:
    """An explainer with one part, the whole foreground, and the descriptors nearest to the image.

    Args:
        topk: descriptors of the part.
    """

    def __init__(self, topk: int = 2) -> None:
        self.topk = topk

    @property
    def name(self) -> str:
        return "whole"

    @property
    def max_concepts(self) -> int:
        return self.topk

    def settings(self) -> dict[str, object]:
        return {"topk": self.topk}

    def explain(self, context: GroupContext) -> GroupExplanation:
        present = context.foreground_patches.flatten(1).any(1, keepdim=True)  # (images, 1)
        relevance = context.image_embedding.double() @ context.bare_embeddings.double().T  # (images, bank)
        nearest = relevance.argsort(dim=1, descending=True, stable=True)[:, None, : self.topk]
        ids = torch.where(present[..., None], nearest, -1)
        return GroupExplanation(
            explainer=self.name,
            part_labels=torch.where(context.foreground_patches, 0, -1),
            part_pixels=context.foreground_pixels[:, None],
            present=present,
            part_embeddings=context.image_embedding[:, None],
            descriptor_ids=ids,
            vision=merge_descriptors(ids, relevance),
            fallbacks={"no_foreground": int((~present).sum())},
        )
