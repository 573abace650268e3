"""Attention rollout with gradients: a saliency map of the patches that raise the class score."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.class_score import class_scores, gradients, require_full_precision


class AttentionRollout:
    """Relevance of every patch for the class score, propagated through the attention of all blocks.

    With the attention A_l (H, T, T) of block l and the class score s, the cosine of image and class: the relevance
    R_l of block l is the mean over heads of max(0, ds / dA_l * A_l), and the relevance of all tokens for the class
    token is its row of (I + R_L) ... (I + R_1). Our own version of the published rule for self-attention: no library
    that is kept up offers it for these models.

    Source: Chefer, Gur & Wolf, ICCV 2021, arXiv 2103.15679.

    >>> AttentionRollout.name
    'rollout'
    """

    name = "rollout"

    def settings(self) -> dict[str, object]:
        """The rule has no choices."""
        return {}

    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        """Map what speaks for a class.

        Args:
            backbone: a vision transformer with a class token and ``embed_with_attention``, in fp32.
            images: (B, 3, S, S) uint8 RGB images.
            class_embedding: (B, d) unit rows, the class to explain for each image.

        Returns:
            (B, h, w) fp32, from 0 on; 0 for a patch that the class token takes nothing from.

        Raises:
            BackboneError: if the model does not offer its attention.
            UsageError: if its weights are not in fp32.
        """
        require_full_precision(backbone)
        with gradients(images, class_embedding) as (pixels, classes):
            embedding, weights = backbone.embed_with_attention(pixels)
            slopes = torch.autograd.grad(class_scores(embedding, classes).sum(), weights)
        relevances = [
            (slope * weight.detach()).clamp(min=0).mean(dim=1) for slope, weight in zip(slopes, weights, strict=True)
        ]  # of every block (B, T, T)
        rows, columns = backbone.grid
        return class_token_relevance(relevances)[:, -rows * columns :].reshape(-1, rows, columns)


def class_token_relevance(relevances: Sequence[Tensor]) -> Tensor:
    """Roll the relevance of every block out: the first row of (I + R_L) ... (I + R_1).

    The row is carried from the last block to the first, so no product of two matrices is needed.

    Args:
        relevances: of every block, first to last, (B, T, T): of each column's token for the row's token.

    Returns:
        (B, T), relevance of every token for the class token, token 0.

    Raises:
        ValueError: without any block.

    >>> first, second = torch.tensor([[[0.0, 0.0], [0.0, 2.0]]]), torch.tensor([[[0.0, 3.0], [0.0, 0.0]]])
    >>> class_token_relevance([first, second])  # (I + second)(I + first) = [[1, 3], [0, 1]] [[1, 0], [0, 3]]
    tensor([[1., 9.]])
    """
    if not relevances:
        raise ValueError("relevances must hold at least one block, found none")
    images, tokens = relevances[0].shape[:2]
    row = relevances[0].new_zeros(images, 1, tokens)
    row[..., 0] = 1
    for relevance in reversed(relevances):
        row = row + row @ relevance
    return row[:, 0]
