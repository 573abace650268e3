"""Mean image embedding of a run, for explainers that centre embeddings."""

from collections.abc import Callable

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.linalg import unit_rows
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.group_loader import group_loader


@torch.no_grad()
def mean_embedding(backbone: Backbone, data: ClassGroupDataModule, encode: Callable[[Tensor], Tensor]) -> Tensor:
    """Encode all images of a run, finished groups too, and return the mean of their unit embeddings.

    The mean depends on neither the devices of a run nor where it was stopped, as each device encodes all images.

    Args:
        backbone: the model.
        data: the images.
        encode: uint8 pixels (n, 3, S, S) -> (n, d) embeddings, in its own chunks.

    Returns:
        (d,) fp32, on the device of the model.

    >>> from mkbench import load_backbone
    >>> from mkbench.datamodules import Critters
    >>> backbone, data = load_backbone("critters-vit-s"), Critters(images_per_class=1, limit_classes=2, num_workers=0)
    >>> mean_embedding(backbone, data, backbone.encode_image).shape
    torch.Size([128])
    """
    loader = group_loader(data.dataset(backbone.geometry, data.specs), num_workers=data.num_workers)
    total, count = torch.zeros(backbone.embed_dim, dtype=torch.float64, device=backbone.device), 0
    for group in loader:
        if len(group):
            total += unit_rows(encode(group.images.to(backbone.device)).double()).sum(dim=0)
            count += len(group)
    return (total / max(count, 1)).float()
