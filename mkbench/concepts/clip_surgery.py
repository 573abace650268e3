"""CLIP Surgery: similarity of patch tokens and class texts along a second path of self-similar attention."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone, BlockTrace, TracedBlock
from mkbench.concepts.linalg import unit_rows


class ClipSurgery:
    """CLIP Surgery: architecture surgery, then feature surgery, for the class of every image among all classes.

    Architecture: a second path leaves the stream before the last blocks. In each of them it gains
    softmax(v v' / sqrt(k)) v through the output weights, for the values v that the block computes on its own path, and
    nothing of the MLP. Its patch tokens, read through the final norm and projection, give unit rows x_i.

    Features: with the class texts t_j, p = softmax(2 <x_0, t_j>) of the embedding x_0 and w_j = p_j / mean(p), the
    saliency of patch i for class c is sum over channels of x_i (w_c t_c - mean_j w_j t_j): what all classes share is
    subtracted. With a single class nothing is left.

    Source: Li et al., "A Closer Look at the Explainability of Contrastive Language-Image Pre-training", 2023,
    arXiv 2304.05653. Their scaling of each map to 0..1 is left to who shows it.

    Args:
        blocks: last blocks that the second path passes; a model with fewer has it from the start.

    Raises:
        ValueError: if ``blocks`` is below 1.

    >>> ClipSurgery().name
    'clip-surgery'
    """

    name = "clip-surgery"

    def __init__(self, blocks: int = 6) -> None:
        if blocks < 1:
            raise ValueError(f"blocks must be at least 1, found {blocks}")
        self.blocks = blocks

    def settings(self) -> dict[str, object]:
        """Every choice that changes its maps."""
        return {"blocks": self.blocks}

    @torch.no_grad()
    def contrastive_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor, classes: Tensor) -> Tensor:
        """Map what speaks for a class and not for all.

        Args:
            backbone: a vision transformer with a class token and ``trace_blocks``.
            images: (B, 3, S, S) uint8 RGB images.
            class_embedding: (B, d) unit rows, the class to explain for each image.
            classes: (Y, d) unit rows, all classes.

        Returns:
            (B, h, w) fp32, above 0 where a patch speaks for the class more than for others.

        Raises:
            BackboneError: if the model does not offer its blocks.
        """
        trace = backbone.trace_blocks(images)
        embedding = unit_rows(trace.read(trace.blocks[-1].output[:, 0]).float())  # (B, d)
        rows, columns = backbone.grid
        stream = second_path(trace, self.blocks)[:, -rows * columns :]  # (B, N, C)
        patches = unit_rows(trace.read(stream).float())  # (B, N, d)
        contrast = contrast_class(embedding, class_embedding, classes)
        return (patches @ contrast[..., None]).reshape(-1, rows, columns)


def second_path(trace: BlockTrace, last: int) -> Tensor:
    """Return the stream (B, T, C) of the second path at its end.

    Args:
        trace: of a forward pass.
        last: how many of the last blocks it passes.
    """
    passed = trace.blocks[-last:]
    return passed[0].entry + torch.stack([block.project(_attend_to_values(block)) for block in passed]).sum(dim=0)


def _attend_to_values(block: TracedBlock) -> Tensor:
    """Mix the values (B, T, H k) by how alike they are."""
    return F.scaled_dot_product_attention(block.value, block.value, block.value).transpose(1, 2).flatten(2)


def contrast_class(embedding: Tensor, class_embedding: Tensor, classes: Tensor) -> Tensor:
    """Subtract from each class what all classes share, weighted by how near they are to the image.

    Args:
        embedding: (B, d) unit rows of the images.
        class_embedding: (B, d) unit rows of the class of each.
        classes: (Y, d) unit rows.

    Returns:
        (B, d).

    >>> classes = torch.eye(2)
    >>> contrast_class(torch.tensor([[0.6, 0.6]]), classes[:1], classes)  # equally near: w = (1, 1)
    tensor([[ 0.5000, -0.5000]])
    """
    shares = (2 * embedding @ classes.T).softmax(dim=1)  # (B, Y)
    weights = shares / shares.mean(dim=1, keepdim=True)
    own = (class_embedding @ classes.T).argmax(dim=1, keepdim=True)
    return weights.gather(1, own) * class_embedding - weights @ classes / len(classes)
