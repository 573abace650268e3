"""A class group of a small vision transformer with random weights, and parts of its images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.concepts import part_masks
from mkbench.concepts.group_context import GroupContext

PARTS = 3


def region_labels() -> Tensor:
    """Four images of 4 x 4 patches: three parts, no part, a part of one patch, and a part of all patches."""
    labels = torch.full((4, 4, 4), -1)
    labels[0, 0, :2], labels[0, 1:3, 1:], labels[0, 3] = 0, 1, 2
    labels[2, 2, 1] = 1
    labels[3] = 2
    return labels


def region_context(backbone: Backbone) -> GroupContext:
    """Random images seen by a model, its value features among it."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (4, 3, 32, 32), generator=generator, dtype=torch.uint8)
    read = backbone.value_features(images)
    bank = F.normalize(torch.randn(20, backbone.embed_dim, generator=generator), dim=1)
    return GroupContext(
        images=images,
        features=read.features,
        image_embedding=F.normalize(read.embedding, dim=1),
        bare_embeddings=bank,
        prompted_embeddings=bank,
        foreground_patches=region_labels() >= 0,
        foreground_pixels=torch.ones(4, 32, 32, dtype=torch.bool),
        seed=0,
        encode=backbone.encode_image,
        backbone=backbone,
        patch_values=read.values,
    )


def region_pixels() -> Tensor:
    """(4, 3, 32, 32) bool."""
    return part_masks(region_labels(), PARTS, 32)
