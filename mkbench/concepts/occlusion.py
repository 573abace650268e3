"""Occlusion: how much the class score falls without each patch."""

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.class_score import class_scores
from mkbench.concepts.prompts import blur
from mkbench.concepts.upscale import upscale_nearest


class Occlusion:
    """Occlusion: the drop of the class score, the cosine of image and class, with one patch blurred at a time.

    N + 1 forward passes an image: the slow reference of the fast methods, for any model. The blur is that of the
    prompts and of the removal scores.

    Source: Zeiler & Fergus, ECCV 2014, arXiv 1311.2901, who slide a grey square; here the squares are the patches.

    Args:
        chunk: images in one call of the encoder; bounds the memory and changes no result.

    Raises:
        ValueError: if ``chunk`` is below 1.

    >>> Occlusion().name
    'occlusion'
    """

    name = "occlusion"

    def __init__(self, chunk: int = 64) -> None:
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, found {chunk}")
        self.chunk = chunk

    def settings(self) -> dict[str, object]:
        """Occlusion has no choices that change its maps."""
        return {}

    @torch.no_grad()
    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        """Map what speaks for a class.

        Args:
            backbone: any model.
            images: (B, 3, S, S) uint8 RGB images.
            class_embedding: (B, d) unit rows, the class to explain for each image.

        Returns:
            (B, h, w) fp32, above 0 where the score falls without a patch.
        """
        rows, columns = backbone.grid
        patches = torch.eye(rows * columns, dtype=torch.bool, device=images.device).reshape(-1, rows, columns)
        squares = upscale_nearest(patches, images.shape[-1], backbone.patch_size)  # (N, S, S)
        blurred = blur(images)
        image, patch = torch.cartesian_prod(
            torch.arange(len(images), device=images.device), torch.arange(len(squares), device=images.device)
        ).unbind(dim=1)
        scores = [
            class_scores(
                backbone.encode_image(torch.where(squares[q, None], blurred[i], images[i])), class_embedding[i]
            )
            for i, q in zip(torch.split(image, self.chunk), torch.split(patch, self.chunk), strict=True)
        ]
        whole = class_scores(backbone.encode_image(images), class_embedding)
        return (whole[:, None] - torch.cat(scores).view(len(images), -1)).reshape(-1, rows, columns)
