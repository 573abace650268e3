"""A backbone of your own: images are their mean colour, texts the colours they name. Put your encoders in its place."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone, Geometry, PatchFeatures
from mkbench.backbones.base import Kind

WORDS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0), "white": (1.0, 1.0, 1.0)}
GREY = (0.5, 0.5, 0.5)  # of a text that names no colour


class Colours(Backbone):
    """The three methods that a model has to offer; everything else follows."""

    def __init__(self) -> None:
        geometry = Geometry(size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # resizing and normalisation
        super().__init__(name="colours", geometry=geometry, grid=(8, 8), embed_dim=3, feature_dim=3)

    def encode_image(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) pixels, uint8 or normalised -> (B, d) embeddings."""
        return self.prepare_pixels(pixels).mean(dim=(2, 3)) + 1e-3  # checks, and normalises uint8

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """T texts -> (T, d) embeddings, in the same space."""
        colours = [[WORDS[word] for word in text.lower().split() if word in WORDS] or [GREY] for text in texts]
        return torch.stack([torch.tensor(named).mean(dim=0) for named in colours])

    def patch_features(self, pixels: Tensor, kind: Kind = "tokens") -> PatchFeatures:
        """(B, 3, S, S) pixels -> features (B, N, C) of the patches in raster order, and the embeddings."""
        patches = F.adaptive_avg_pool2d(self.prepare_pixels(pixels), self.grid)  # (images, 3, 8, 8)
        return PatchFeatures(patches.flatten(2).transpose(1, 2), self.encode_image(pixels))
