"""LeGrad: saliency from the gradients of every block's own class score by its attention."""

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.class_score import class_scores, gradients, require_full_precision


class LeGrad:
    """LeGrad: how sensitive the class score of every block is to what its attention takes from each patch.

    With the class token z_l that leaves block l, read through the final norm and projection, s_l is the cosine of that
    and the class, and A_l (H, T, T) the attention of the block. The saliency of patch i is the mean over blocks, heads
    and query tokens j of max(0, ds_l / dA_l,hji). A block's gradient is that of its own score alone, so its input is
    held fixed, and one backward pass serves all blocks.

    Source: Bousselham et al., ICCV 2025, arXiv 2404.03214. Their code scales the map of an image to 0..1 and reads the
    mean of all tokens of a block; here the class token is read, as the model does at its end, and nothing is scaled.

    >>> LeGrad.name
    'legrad'
    """

    name = "legrad"

    def settings(self) -> dict[str, object]:
        """LeGrad has no choices: all blocks count."""
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
            tokens = torch.stack([block.output[:, 0] for block in trace.blocks])  # (blocks, B, C)
            scores = class_scores(trace.read(tokens), classes)
            slopes = torch.autograd.grad(scores.sum(), [block.weights for block in trace.blocks])
        rows, columns = backbone.grid
        relevance = torch.stack([slope.clamp(min=0).mean(dim=(1, 2)) for slope in slopes]).mean(dim=0)  # (B, T)
        return relevance[:, -rows * columns :].reshape(-1, rows, columns)
