"""Feature Maps: strong channels as visual concepts, named by a concept labeller."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import drop_block2d

from mkbench.baselines.base import Head, HeadInputs, Standardise, require_positive
from mkbench.errors import UsageError


def masked_mean(features: Tensor, members: Tensor) -> Tensor:
    """Average patch features over masks; an empty mask has mean 0.

    Args:
        features: (B, N, C) patch features.
        members: (B, L, N) bool, the patches of each mask.

    Returns:
        (B, L, C).

    >>> masked_mean(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([[[True, True, False]]]))
    tensor([[[3.]]])
    """
    weights = members.to(features.dtype)
    return weights @ features / weights.sum(dim=2, keepdim=True).clamp(min=1)


def strongest_maps(features: Tensor, count: int) -> Tensor:
    """Return the maps of the channels with the largest norm over the patches, each scaled to 0..1.

    A channel that is equal on all patches has no map: 0 everywhere. Ties go to the lowest channel.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D.

    Args:
        features: (B, N, C) patch features.
        count: how many maps, L; more than channels means all of them.

    Returns:
        (B, min(L, C), N), strongest channel first.

    >>> strongest_maps(torch.tensor([[[1.0, 5.0], [2.0, 9.0], [0.0, 7.0]]]), 2)
    tensor([[[0.0000, 1.0000, 0.5000],
             [0.5000, 1.0000, 0.0000]]])
    """
    norms = features.double().norm(dim=1)  # (images, width)
    channels = norms.sort(dim=1, descending=True, stable=True).indices[:, :count]
    maps = features.gather(2, channels[:, None].expand(-1, features.shape[1], -1)).mT  # (images, maps, patches)
    maps = maps - maps.amin(dim=2, keepdim=True)
    spread = maps.amax(dim=2, keepdim=True)
    return maps / torch.where(spread > 0, spread, 1)


class FeatureMaps(Head):
    """Concept labeller of Feature Maps: descriptors of a region from the mean of its patch features.

    Linear on the (standardised) masked-mean features, trained with binary cross-entropy on the descriptors of the
    image's class. In training the masks are what DropBlock leaves of the image, so that it learns to label regions.

    It is no classifier. Its logits of the classes, for an accuracy to compare with, are the sums of the labeller's
    logits over a class's descriptors on the whole image: the largest is the class whose descriptors it finds
    likeliest.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D; DropBlock: Ghiasi et al., NeurIPS 2018.

    Args:
        inputs: what the head is built from.
        drop: share of the patches that DropBlock removes, 0 up to below 1.
        block_size: side of its blocks in patches, odd.

    Raises:
        UsageError: options outside these.

    >>> shape = {"concepts": 7, "embed_dim": 4, "classes": 0, "feature_dim": 6, "grid": [2, 2]}
    >>> FeatureMaps(HeadInputs.blank(shape)).label(torch.rand(5, 3, 6)).shape
    torch.Size([5, 3, 7])
    """

    name = "feature-maps"
    class_concepts: Tensor

    def __init__(self, inputs: HeadInputs, *, drop: float = 0.5, block_size: int = 3) -> None:
        super().__init__(inputs)
        require_positive(self.name, "block_size", block_size)
        if not 0 <= drop < 1 or not block_size % 2:
            raise UsageError(
                "Expected the options of the head feature-maps to be a drop of 0 up to below 1 and an odd block_size, "
                f"found {drop} and {block_size}."
            )
        self.drop, self.block_size, self.grid = drop, block_size, inputs.grid
        self.register_buffer("class_concepts", inputs.class_concepts.clone())
        self.standardise = Standardise(inputs.feature_mean, inputs.feature_std)
        self.labeller = torch.nn.Linear(len(inputs.feature_mean), inputs.concepts.shape[0])

    def options(self) -> dict[str, Any]:
        """The keyword arguments that it was built with."""
        return {"drop": self.drop, "block_size": self.block_size}

    def label(self, means: Tensor) -> Tensor:
        """Return the logits (..., D) of the descriptors for masked-mean features (..., C)."""
        logits: Tensor = self.labeller(self.standardise(means))
        return logits

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Return the logits (B, Y); the embedding is not looked at."""
        return self.label(features.mean(dim=1)) @ self.class_concepts.T.to(features.dtype)

    def loss(self, features: Tensor, embedding: Tensor, target: Tensor) -> Tensor:
        """Return the binary cross-entropy of the descriptors of the classes, on what DropBlock leaves."""
        kept = self._kept_patches(features)
        logits = self.label(masked_mean(features, kept)[:, 0])  # (images, bank)
        return F.binary_cross_entropy_with_logits(logits.float(), self.class_concepts[target].float())

    def _kept_patches(self, features: Tensor) -> Tensor:
        """(B, 1, N) bool: the patches that DropBlock leaves; all, where it would leave none."""
        ones = torch.ones(len(features), 1, *self.grid, device=features.device)
        kept: Tensor = drop_block2d(ones, self.drop, self._block()).flatten(2) > 0
        return kept | ~kept.any(dim=2, keepdim=True)

    def _block(self) -> int:
        """Side of the blocks on this grid: DropBlock takes odd ones, and none larger than the grid."""
        side = min(self.block_size, *self.grid)
        return side - 1 + side % 2
