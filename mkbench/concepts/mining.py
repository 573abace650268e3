"""Descriptor mining: descriptors for a class from the images of its neighbors (Table 2 of the paper).

Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 4.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.concepts.linalg import require_finite, unit_rows


def nearest_classes(class_embeddings: Tensor, count: int = 2) -> Tensor:
    """Find the classes whose text embeddings are nearest to that of each class, itself excluded.

    Args:
        class_embeddings: (Y, d), normalised inside.
        count: how many; at most the Y - 1 others are returned.

    Returns:
        (Y, min(count, Y - 1)) int64, by cosine descending, ties to the lower index.

    Raises:
        ValueError: if the embeddings are not (classes, dim) or not finite, or count is below 1.

    Example:
        >>> nearest_classes(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 1).tolist()
        [[2], [2], [0]]
    """
    if class_embeddings.ndim != 2:
        raise ValueError(f"class_embeddings must be (classes, dim), found {tuple(class_embeddings.shape)}")
    if count < 1:
        raise ValueError(f"count must be at least 1, found {count}")
    require_finite(class_embeddings, name="class_embeddings")
    unit = unit_rows(class_embeddings.double())
    # Twin names differ in their last bits by the order of a product's sums; so much is no difference.
    cosines = (unit @ unit.T).mul(1e12).round()
    cosines.fill_diagonal_(-torch.inf)
    return cosines.argsort(dim=1, descending=True, stable=True)[:, : min(count, len(unit) - 1)]


def descriptor_frequencies(
    class_index: Tensor, counts: Tensor, ids: Tensor, *, num_classes: int, bank_size: int
) -> Tensor:
    """Count in what share of a class's images each descriptor was found.

    Args:
        class_index: (n,) int64, the class of each image.
        counts: (n,) int64, how many descriptors were found in it.
        ids: (counts.sum(),) int64, their ids, image by image, without repeats within an image.
        num_classes: number Y of classes.
        bank_size: number D of descriptors.

    Returns:
        (Y, D) float64 shares of 0 to 1; 0 for classes without images.

    Raises:
        ValueError: if lengths do not fit, or a class or an id is out of range.

    Example:
        >>> images, found = torch.tensor([1, 1]), torch.tensor([2, 1])
        >>> descriptor_frequencies(images, found, torch.tensor([0, 2, 2]), num_classes=2, bank_size=3).tolist()
        [[0.0, 0.0, 0.0], [0.5, 0.0, 1.0]]
    """
    if class_index.shape != counts.shape or int(counts.sum()) != len(ids):
        raise ValueError(
            f"expected a count for each of {len(class_index)} images and ids for all, found {len(counts)} counts, "
            f"{int(counts.sum())} in sum, and {len(ids)} ids"
        )
    for name, values, limit in (("class_index", class_index, num_classes), ("ids", ids, bank_size)):
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < limit:
            raise ValueError(f"{name} must lie in 0..{limit - 1}, found {int(values.min())}..{int(values.max())}")
    cells = class_index.repeat_interleave(counts) * bank_size + ids
    found = torch.bincount(cells, minlength=num_classes * bank_size).view(num_classes, bank_size)
    images = torch.bincount(class_index, minlength=num_classes).clamp(min=1)
    return found.double() / images[:, None]


def mined_descriptors(
    frequencies: Tensor, neighbors: Tensor, own: Sequence[Sequence[int]], limit: int | None
) -> list[tuple[int, ...]]:
    """Choose the descriptors that a class takes over from its neighbors.

    They are ordered by the share of images that show them, averaged over the neighbors, ties to the lower id.

    Args:
        frequencies: (Y, D) shares, from ``descriptor_frequencies``.
        neighbors: (Y, K) int64, from ``nearest_classes``.
        own: Y collections of the descriptors that each class has already; they are left out.
        limit: most descriptors for a class; None takes all that were found.

    Returns:
        Y tuples of descriptor ids.

    Raises:
        ValueError: if shapes do not fit, or limit is below 1.

    Example:
        >>> frequencies = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.1, 0.9, 0.2, 0.0], [0.1, 1.0, 0.0, 0.0]])
        >>> mined_descriptors(frequencies, torch.tensor([[1, 2], [0, 2], [0, 1]]), [[1], [], []], 2)
        [(0, 2), (1, 0), (1, 2)]
    """
    classes = len(frequencies)
    if len(own) != classes or len(neighbors) != classes:
        raise ValueError(
            f"expected own descriptors and neighbors of {classes} classes, found {len(own)} and {len(neighbors)}"
        )
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, found {limit}")
    if not neighbors.shape[1]:
        return [()] * classes
    shares = frequencies[neighbors].mean(dim=1)  # (classes, bank)
    for row, ids in zip(shares, own, strict=True):
        row[list(ids)] = 0
    order = shares.argsort(dim=1, descending=True, stable=True)
    found = (shares > 0).sum(dim=1).tolist()
    return [tuple(ids[:number][:limit]) for ids, number in zip(order.tolist(), found, strict=True)]


def hurt_classes(class_index: Tensor, before: Tensor, after: Tensor, num_classes: int) -> Tensor:
    """Tell which classes have fewer of their images right after a change than before it.

    A class as accurate as before is not hurt, nor is one without images.

    Args:
        class_index: (n,) int64, the class of each image.
        before: (n,) bool, whether it was classified right before the change.
        after: (n,) bool, likewise after it.
        num_classes: number Y of classes.

    Returns:
        (Y,) bool.

    Raises:
        ValueError: if lengths do not fit.

    Example:
        >>> right, wrong = torch.tensor([True, True, False]), torch.tensor([True, False, True])
        >>> hurt_classes(torch.tensor([0, 1, 2]), right, wrong, 4).tolist()
        [False, True, False, False]
    """
    if not class_index.shape == before.shape == after.shape:
        raise ValueError(
            f"expected the same images three times, found {len(class_index)}, {len(before)} and {len(after)}"
        )
    change = after.long() - before.long()
    return torch.zeros(num_classes, dtype=torch.int64).index_add_(0, class_index, change) < 0
