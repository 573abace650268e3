"""AttnLRP: relevance of the class score, propagated back to the pixels of every patch."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.concepts.class_score import gradients, require_full_precision


class AttnLRP:
    """AttnLRP: layer-wise relevance propagation with rules for attention, from the class score to the pixels.

    The relevance of the class score, the cosine of image and class, is passed back through the tower: linear layers by
    the epsilon rule, the softmax by its first-order expansion, half to each factor of a product, all of it through
    norms and activation functions; the length of the embedding counts as a constant, as norms do. The saliency of a
    patch is the sum over its pixels and their channels. Constants keep their share: biases, the class token, places,
    and the constant term of the softmax.

    Source: Achtibat et al., "AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers", ICML 2024,
    arXiv 2402.05602. Epsilon is 0 here, so that all rules together are one backward pass; for vision transformers they
    put the gamma rule in the place of the epsilon rule, whose gamma they tune to each model.

    >>> AttnLRP.name
    'attn-lrp'
    """

    name = "attn-lrp"

    def settings(self) -> dict[str, object]:
        """The rules have no choices."""
        return {}

    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        """Map what speaks for a class.

        Args:
            backbone: a vision transformer with a class token and ``embed_with_relevance``, in fp32.
            images: (B, 3, S, S) uint8 RGB images.
            class_embedding: (B, d) unit rows, the class to explain for each image.

        Returns:
            (B, h, w) fp32, above 0 where a patch speaks for the class, below where it speaks against it.

        Raises:
            BackboneError: if the model does not offer relevance.
            UsageError: if its weights are not in fp32.
        """
        require_full_precision(backbone)
        with gradients(images, class_embedding) as (pixels, classes):
            embedding, inputs = backbone.embed_with_relevance(pixels)
            scores = (embedding * classes).sum(dim=1) / embedding.norm(dim=1).detach()
            (slopes,) = torch.autograd.grad(scores.sum(), inputs)
        relevance = (slopes * inputs.detach()).sum(dim=1, keepdim=True)  # (B, 1, S, S)
        side, (rows, columns) = backbone.patch_size, backbone.grid
        covered = relevance[:, :, : rows * side, : columns * side]
        return F.avg_pool2d(covered, side, divisor_override=1)[:, 0]
