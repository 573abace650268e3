"""Patch maps of a text: how much of it the heads add while they attend to each patch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mkbench.concepts.linalg import unit_rows
from mkbench.heads.neighbors import Similarity, check_similarity


def patch_maps(patches: Tensor, texts: Tensor, *, grid: tuple[int, int], similarity: Similarity = "dot") -> Tensor:
    """Compare what was written at each patch with texts.

    Args:
        patches: (..., N, d) in raster order.
        texts: (..., d), with the leading dimensions of the patches or broadcast against them.
        grid: rows and columns of the patches, (h, w) with h w = N.
        similarity: ``dot``; ``cosine``; ``centred``, the product minus its mean over the patches. That is no cosine,
            for a patch where next to nothing is written has a direction, but no meaning.

    Returns:
        (..., h, w).

    Raises:
        ValueError: for another similarity or a grid that does not fit.

    >>> patch_maps(torch.tensor([[2.0, 0.0], [3.0, 4.0]]), torch.tensor([1.0, 0.0]), grid=(1, 2))
    tensor([[2., 3.]])
    """
    check_similarity(similarity)
    if patches.shape[-2] != grid[0] * grid[1]:
        raise ValueError(f"Expected {grid[0]} x {grid[1]} patches, got {patches.shape[-2]}.")
    if similarity == "centred":
        patches = patches - patches.mean(dim=-2, keepdim=True)
    if similarity == "cosine":
        patches, texts = unit_rows(patches), unit_rows(texts)
    values = torch.einsum("...nd,...d->...n", patches, texts)
    return values.view(*values.shape[:-1], *grid)


@dataclass(frozen=True)
class TopicMap:
    """Patch map of one text: where in an image the heads write it.

    Attributes:
        values: (h, w), signed; higher is closer to the text.
        text: the text.
        heads: what wrote it, such as ``layer 11 head 3`` or ``all heads``.
        similarity: what the values are.
    """

    values: Tensor
    text: str
    heads: str
    similarity: Similarity

    @property
    def maps(self) -> dict[str, Tensor]:
        """The map by its title."""
        return {self.text: self.values}


@dataclass(frozen=True)
class ContrastiveMaps:
    """Patch maps of two texts: where in an image the heads write one rather than the other.

    Attributes:
        first: (h, w), the map M1 of the first text.
        second: (h, w), the map M2 of the second text.
        texts: both texts.
        similarity: what the values are.
    """

    first: Tensor
    second: Tensor
    texts: tuple[str, str]
    similarity: Similarity

    @property
    def difference(self) -> Tensor:
        """M1 - M2, (h, w): positive where the first text is closer."""
        return self.first - self.second

    @property
    def limit(self) -> float:
        """Largest magnitude of the difference: both views are shown between its negative and itself."""
        return float(self.difference.abs().max())

    @property
    def maps(self) -> dict[str, Tensor]:
        """M1 - M2 and M2 - M1 by their titles, (h, w) each.

        >>> list(ContrastiveMaps(torch.eye(2), 3 * torch.eye(2), ("an owl", "a tree"), "dot").maps)
        ['an owl − a tree', 'a tree − an owl']
        """
        one, other = self.texts
        return {f"{one} \u2212 {other}": self.difference, f"{other} \u2212 {one}": -self.difference}
