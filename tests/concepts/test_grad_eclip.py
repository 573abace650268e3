from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from mkbench import load_backbone
from mkbench.concepts import GradEclip


def test_an_image_whose_patches_are_all_alike_is_mapped_without_nan(tiny_model: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    image = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
    maps = GradEclip().saliency_maps(backbone, image, F.normalize(torch.ones(1, 32), dim=1))
    assert maps.isfinite().all()
