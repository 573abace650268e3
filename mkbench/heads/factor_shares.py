"""Factor shares of attention heads: how much of what a head writes changes with each factor of an image."""

import torch
from torch import Tensor

from mkbench.concepts.linalg import unit_rows


def text_energy(changes: Tensor, texts: Tensor) -> Tensor:
    """Mean square of changes along the directions of texts, each less the mean of all texts.

    Args:
        changes: (..., d), such as what a head adds to a changed image less what it adds to the image.
        texts: (D, d) unit text embeddings.

    Returns:
        (...) float64 from 0, in the squared unit of the changes.

    Raises:
        ValueError: for shapes that do not fit.

    >>> text_energy(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    tensor([1.], dtype=torch.float64)
    """
    if texts.ndim != 2 or not len(texts) or changes.shape[-1] != texts.shape[1]:
        raise ValueError(
            f"Expected texts (D, {changes.shape[-1]}) of at least one text to fit changes of {tuple(changes.shape)}, "
            f"got {tuple(texts.shape)}."
        )
    rows = texts.to(changes.device).double()
    centred = rows - rows.mean(dim=0)
    moves: Tensor = changes.double()
    return ((moves @ (centred.T @ centred)) * moves).sum(dim=-1).clamp(min=0) / len(rows)


def factor_shares(energies: Tensor) -> Tensor:
    """Share of each factor in a head's variance over intervention pairs, 0 to 1; over factors they add up to 1.

    A pair are two images that differ in one factor alone. The variance of a head within a pair is a quarter of the
    squared change of what it adds to the embedding, along each descriptor's direction; summed over pairs and
    descriptors it falls apart by factor exactly, for every pair has one. So, with c the contribution, T the texts::

        share(head, f) = sum over pairs of f of |T (c' - c)|^2 / sum over all pairs of |T (c' - c)|^2

    It is a sum of squares over the total one, as eta squared is, and with one pair for each image and factor the
    numerators are, up to a constant, Jansen's estimates of the total effects of Sobol. For permuted factors it is
    1 / F on average.

    Sources: the variance of a contribution along a descriptor's direction is ours; M. J. W. Jansen, Computer Physics
    Communications 117, 1999, for total effects from pairs that differ in one factor.

    Args:
        energies: (..., N, F, G) squared changes of N images with each of F factors changed, of G heads; see
            :func:`text_energy`.

    Returns:
        (..., F, G) float64; NaN for a head that no change moves.

    Raises:
        ValueError: for another shape.

    >>> factor_shares(torch.tensor([[[3.0], [1.0]], [[3.0], [1.0]]])).tolist()
    [[0.75], [0.25]]
    """
    if energies.ndim < 3 or 0 in energies.shape[-3:]:
        raise ValueError(f"Expected energies (images, factors, heads), at least one of each, got {energies.shape}.")
    sums = energies.double().sum(dim=-3)
    return sums / sums.sum(dim=-2, keepdim=True)


def permuted_shares(energies: Tensor, *, permutations: int = 200, seed: int = 0) -> Tensor:
    """Factor shares with the factors of each image's pairs permuted, the same way for all heads: the control.

    Args:
        energies: (N, F, G), as in :func:`factor_shares`.
        permutations: how many.
        seed: of the draws.

    Returns:
        (permutations, F, G) float64.

    >>> permuted_shares(torch.tensor([[[1.0], [0.0]]]), permutations=1).sum().item()
    1.0
    """
    images, factors, _ = energies.shape
    generator = torch.Generator().manual_seed(seed)
    shares = []
    for _ in range(permutations):  # all at once would take as many times the memory
        order = torch.rand(images, factors, generator=generator).argsort(dim=1).to(energies.device)
        shares.append(factor_shares(energies.gather(1, order[..., None].expand_as(energies))))
    return torch.stack(shares)


def description_directions(true_before: Tensor, true_after: Tensor, texts: Tensor) -> Tensor:
    """Unit directions from the texts that a change makes false to those that it makes true.

    Args:
        true_before: (B, D) bool, the descriptors that each image shows.
        true_after: (B, F, D) bool, those that it shows with factor f changed.
        texts: (D, d) unit text embeddings; they count less their mean.

    Returns:
        (B, F, d) float64; zeros where the truth of no descriptor changes.

    >>> before, after = torch.tensor([[True, False]]), torch.tensor([[[False, True]]])
    >>> [round(value, 3) for value in description_directions(before, after, torch.eye(2))[0, 0].tolist()]
    [-0.707, 0.707]
    """
    rows = texts.double()
    centred = rows - rows.mean(dim=0)
    gained, lost = (
        change.double() for change in (true_after & ~true_before[:, None], true_before[:, None] & ~true_after)
    )
    towards, away = (each @ centred / each.sum(dim=-1, keepdim=True).clamp(min=1) for each in (gained, lost))
    return unit_rows(towards - away)
