"""Features of made-up images, and what heads are built from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from mkbench.baselines import HeadInputs
from mkbench.systems.features.feature_set import FeatureChunk, FeatureSet

BANK, DIM, CLASSES, WIDTH, GRID = 9, 6, 3, 5, (3, 4)
PATCHES = GRID[0] * GRID[1]


def make_set(images: int = 8, seed: int = 0) -> FeatureSet:
    """Images whose class shows in the embedding, and in two of the twelve patches."""
    generator = torch.Generator().manual_seed(seed)
    marks = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(7)) * 3
    chunks = []
    for index in range(CLASSES):
        features = torch.randn(images, PATCHES, WIDTH, generator=generator)
        features[:, 4:6] += marks[index]
        embedding = torch.randn(images, DIM, generator=generator) * 0.3
        embedding[:, index] += 2
        ids = tuple(f"{index}/{number}" for number in range(images))
        chunks.append(FeatureChunk(index, ids, features.half(), embedding))
    return FeatureSet(chunks)


def make_inputs(features: FeatureSet | None = None) -> HeadInputs:
    """Nine concepts, of which each class has three."""
    concepts = torch.randn(BANK, DIM, generator=torch.Generator().manual_seed(1))
    listed = torch.zeros(CLASSES, BANK, dtype=torch.bool)
    for index in range(CLASSES):
        listed[index, index * 3 : index * 3 + 3] = True
    return HeadInputs(F.normalize(concepts, dim=1), listed, GRID, *(features or make_set()).statistics())


def make_record(fingerprint: str = "f") -> dict[str, Any]:
    """What a file says of the training of a head."""
    return {
        "backbone": {"name": "colours", "fingerprint": fingerprint, "features": "tokens"},
        "bank": {"source": "bank.json", "sha256": "b" * 64, "size": 9},
        "descriptor_template": "a photo showing {}",
        "classes": {"number": 3, "sha256": "c" * 64},
        "top1": 0.5,
        "test_images": 8,
    }


def shrink_baseline(content: dict[str, Any], *, model: Path, cache: Path) -> None:
    """Change the configuration of a training to three epochs on few images: 12 in batches of 4, and 8 to test on."""
    options = content["data"]["init_args"]
    for split, images in (("train", 3), ("test", 2)):
        options[split]["init_args"].update(images_per_class=images, limit_classes=4, num_workers=0)
    options.update(backbone=f"local-dir:{model}", batch_size=4, cache=str(cache))
    content["trainer"].update(max_epochs=3, accelerator="cpu", enable_progress_bar=False)
