"""A toy encoder and what a scorer may look at, for images whose parts lie side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from mkbench.concepts import Foreground, GroupExplanation, VisionConcepts
from mkbench.datamodules import ClassGroup
from mkbench.scorers import ScorerContext

SIDE, PARTS, DIM, BANK, CLASSES = 24, 3, 6, 8, 4


def encode(pixels: Tensor) -> Tensor:
    """Embed each image by the mean of six tiles: what is blurred changes the tile it lies in."""
    tiles = torch.nn.functional.adaptive_avg_pool2d(pixels.double().pow(2) / 65025, (1, 2))
    return tiles.flatten(1).float()  # (n, 6)


def make_context(present: list[list[bool]], *, class_index: int | None = 1, ids: Tensor | None = None) -> ScorerContext:
    """Random images in whose columns parts lie side by side."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (len(present), 3, SIDE, SIDE), dtype=torch.uint8)
    seen = torch.tensor(present).reshape(len(present), PARTS)
    masks = torch.zeros(len(present), PARTS, SIDE, SIDE, dtype=torch.bool)
    for part in range(PARTS):
        masks[:, part, :, part * 8 : part * 8 + 8] = True
    masks &= seen[..., None, None]
    descriptor_ids = torch.randint(0, BANK, (len(present), PARTS, 2)) if ids is None else ids
    descriptor_ids = torch.where(seen[..., None], descriptor_ids, -1)
    embeddings = torch.rand(len(present), PARTS, DIM) * seen[..., None]
    explanation = GroupExplanation(
        explainer="toy",
        part_labels=torch.full((len(present), 3, 3), -1),
        part_pixels=masks,
        present=seen,
        part_embeddings=embeddings,
        descriptor_ids=descriptor_ids,
        vision=VisionConcepts(
            torch.full((len(present), 6), -1),
            torch.zeros(len(present), 6),
            torch.zeros(len(present), dtype=torch.int64),
        ),
        fallbacks={},
    )
    unit = torch.nn.functional.normalize(encode(images), dim=-1)
    empty = torch.zeros(len(present), 3, 3, dtype=torch.bool)
    return ScorerContext(
        group=ClassGroup(images, class_index=class_index, part=0, sample_ids=tuple(map(str, range(len(present))))),
        explanation=explanation,
        foreground=Foreground(empty.float(), empty, masks.any(1), {}),
        image_embedding=unit,
        classes=torch.nn.functional.normalize(torch.rand(CLASSES, DIM), dim=-1),
        bare=torch.nn.functional.normalize(torch.rand(BANK, DIM), dim=-1),
        prompted=torch.rand(BANK, DIM),
        predicted=torch.randint(0, CLASSES, (len(present),)),
        conditioning=torch.arange(len(present)) % CLASSES,
        member=torch.arange(CLASSES)[:, None] == torch.arange(BANK) % CLASSES,
        encode=encode,
        seed=0,
    )


ALL, NONE, ONE = [True] * 3, [False] * 3, [False, True, False]
