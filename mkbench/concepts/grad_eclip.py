"""Grad-ECLIP: saliency from the gradients of the class token's last attention output."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.concepts.class_score import class_scores, gradients, require_full_precision


class GradEclip:
    """Grad-ECLIP: what the values of every patch add to the class score, with loosened attention.

    Of the last block: o is the attention output of the class token before the output weights, v_i the value of patch
    i, q the query of the class token and k_i the key of patch i, all with their heads side by side. With the class
    score s, the cosine of image and class, g = ds / do, and lambda_i = cos(q, k_i), scaled to 0..1 over the patches of
    the image, the saliency of patch i is max(0, sum_c g_c lambda_i v_i,c).

    Source: Zhao et al., "Gradient-based Visual Explanation for Transformer-based CLIP", ICML 2024, arXiv 2502.18816.
    Their code joins the heads of the last block into one before it computes s; here s is that of the model as it is.

    >>> GradEclip.name
    'grad-eclip'
    """

    name = "grad-eclip"

    def settings(self) -> dict[str, object]:
        """Grad-ECLIP has no choices."""
        return {}

    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        """Map what speaks for a class.

        Args:
            backbone: a vision transformer with a class token and ``trace_blocks``, in fp32.
            images: (B, 3, S, S) uint8 RGB images.
            class_embedding: (B, d) unit rows, the class to explain for each image.

        Returns:
            (B, h, w) fp32, from 0 on.

        Raises:
            BackboneError: if the model does not offer its blocks.
            UsageError: if its weights are not in fp32.
        """
        require_full_precision(backbone)
        with gradients(images, class_embedding) as (pixels, classes):
            trace = backbone.trace_blocks(pixels)
            last = trace.blocks[-1]
            scores = class_scores(trace.read(last.output[:, 0]), classes)
            (slopes,) = torch.autograd.grad(scores.sum(), last.mixed)
        rows, columns = backbone.grid
        patches = slice(-rows * columns, None)
        query, key, value = (
            states.detach().transpose(1, 2).flatten(2) for states in (last.query, last.key, last.value)
        )  # (B, T, H k)
        nearness = F.cosine_similarity(query[:, :1], key[:, patches], dim=-1)  # (B, N)
        contributions = (slopes[:, :1] * value[:, patches]).sum(dim=-1)
        return (loosen(nearness) * contributions).clamp(min=0).reshape(-1, rows, columns)


def loosen(nearness: Tensor) -> Tensor:
    """Scale the values of each image to 0..1; 1 where all of its values are equal, so that none counts less.

    Args:
        nearness: (B, N).

    >>> loosen(torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]))
    tensor([[0.0000, 0.5000, 1.0000],
            [1.0000, 1.0000, 1.0000]])
    """
    least = nearness.amin(dim=1, keepdim=True)
    spread = nearness.amax(dim=1, keepdim=True) - least
    return torch.where(spread > 0, (nearness - least) / spread, 1)
