from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from mkbench import load_backbone
from mkbench.datamodules import Critters
from mkbench.systems.mean_embedding import mean_embedding


def test_all_images_count_alike_whatever_is_finished(tiny_model: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    data = Critters(images_per_class=3, limit_classes=2, group_size=2, num_workers=0)
    data.finished = [data.specs[0].key]
    dataset = data.dataset(backbone.geometry, data.specs)
    images = torch.cat([dataset[place].images for place in range(len(dataset))])
    assert len(images) == 6
    expected = F.normalize(backbone.encode_image(images), dim=1).mean(dim=0)
    found = mean_embedding(backbone, data, backbone.encode_image)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
