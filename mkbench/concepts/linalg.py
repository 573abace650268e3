"""Unit rows and leading directions in float64: the linear algebra that saliency and parts share."""

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

# On the CPU the leading eigenvectors of a Gram matrix of this side are found in a third of the time of all of them.
_LARGE_GRAM = 256
# Values of a bank that are held in float64 at once, 16 MB: new memory for larger pieces takes longer than the product.
_BANK_VALUES = 2**21


def require_finite(values: Tensor, *, name: str) -> None:
    """Refuse NaN and infinity where they would spread silently through a decomposition.

    Args:
        values: any floating tensor.
        name: what the caller calls the tensor, for the message.

    Raises:
        ValueError: if any entry is NaN or infinite.

    Example:
        >>> require_finite(torch.zeros(2), name="features")
    """
    # The extremes are NaN if any value is, and found in a tenth of the time of looking at each.
    if values.numel() and not bool(torch.stack(torch.aminmax(values.detach())).isfinite().all()):
        raise ValueError(f"{name} must be finite, found NaN or infinity; check the encoder's precision")


def unit_rows(rows: Tensor) -> Tensor:
    """L2-normalise the last dimension; a row of zeros stays a row of zeros.

    Args:
        rows: (..., C) floating tensor.

    Returns:
        (..., C) tensor of the same type, every non-zero row of Euclidean length 1.

    Example:
        >>> unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = rows.norm(dim=-1, keepdim=True)  # (..., 1)
    return rows / torch.where(lengths > 0, lengths, 1)


def leading_directions(rows: Tensor, count: int, *, floor: Tensor | None = None) -> Tensor:
    """First right singular vectors of a matrix, through the smaller of its two Gram matrices.

    The sign of every direction is fixed: its entry of largest magnitude (the first one on ties) is positive. A
    direction whose singular value is zero up to rounding is returned as zeros, because which vector spans a null space
    is chance.

    Args:
        rows: (..., n, C) float64 matrix, uncentred unless the caller centred it.
        count: how many directions are wanted.
        floor: (...) squared singular value up to which a direction counts as null, in addition to the relative bound
            of max(n, C) times the float64 rounding unit; for rows whose own scale was lost by centring.

    Returns:
        (..., C, min(count, n, C)) float64 unit columns in descending order of singular value.

    Example:
        >>> leading_directions(torch.tensor([[0.0, -2.0], [1.0, 0.0]], dtype=torch.float64), 1).abs().tolist()
        [[0.0], [1.0]]
    """
    patches, width = rows.shape[-2:]
    kept = min(count, patches, width)
    tall = patches >= width
    large = rows.device.type == "cpu" and min(patches, width) >= _LARGE_GRAM
    strengths, vectors = (_some_eigenvectors if large else _all_eigenvectors)(rows, kept, tall)
    if not tall:
        vectors = unit_rows((rows.mT @ vectors).mT).mT  # (..., C, kept)
    bound = strengths[..., :1] * max(patches, width) * torch.finfo(torch.float64).eps
    if floor is not None:
        bound = torch.maximum(bound, floor[..., None])
    vectors = torch.where((strengths > bound.clamp(min=0))[..., None, :], vectors, 0)
    largest = vectors.gather(-2, vectors.abs().argmax(dim=-2, keepdim=True))  # (..., 1, kept)
    return torch.where(largest < 0, -vectors, vectors)


def _all_eigenvectors(rows: Tensor, kept: int, tall: bool) -> tuple[Tensor, Tensor]:
    """Leading eigenvalues (..., kept) and eigenvectors (..., side, kept) of the smaller Gram matrix, descending."""
    strengths, vectors = torch.linalg.eigh(rows.mT @ rows if tall else rows @ rows.mT)  # ascending
    return strengths.flip(-1)[..., :kept], vectors.flip(-1)[..., :kept]


def _some_eigenvectors(rows: Tensor, kept: int, tall: bool) -> tuple[Tensor, Tensor]:
    """As `_all_eigenvectors`, by LAPACK's driver for a few of them and one triangle of the matrix."""
    side = min(rows.shape[-2:])
    wanted = [side - kept, side - 1]
    strengths = np.empty((*rows.shape[:-2], kept))
    vectors = np.empty((*rows.shape[:-2], side, kept))
    for place in np.ndindex(*rows.shape[:-2]):
        triangle = scipy.linalg.blas.dsyrk(1.0, rows[place].detach().numpy().T, trans=not tall)  # the upper one
        some = scipy.linalg.eigh(triangle, lower=False, subset_by_index=wanted, overwrite_a=True)
        strengths[place], vectors[place] = some[0][::-1], some[1][:, ::-1]
    return torch.from_numpy(strengths), torch.from_numpy(vectors)


def principal_scores(rows: Tensor, count: int) -> Tensor:
    """Scores of rows on their first principal components; a component without variance scores 0 everywhere.

    Args:
        rows: (..., n, C) float64 rows, not centred.
        count: how many components are wanted.

    Returns:
        (..., n, min(count, n, C)) float64 scores, component signs fixed as in `leading_directions`.

    Example:
        >>> principal_scores(torch.tensor([[1.0, 0.0], [3.0, 0.0]], dtype=torch.float64), 1).tolist()
        [[-1.0], [1.0]]
    """
    centred = rows - rows.mean(dim=-2, keepdim=True)
    # Equal rows leave rounding errors after centring; what lies below this bound is no direction of the data.
    rounding = max(rows.shape[-2:]) * torch.finfo(torch.float64).eps
    floor = rows.square().sum(dim=(-2, -1)) * rounding**2
    return centred @ leading_directions(centred, count, floor=floor)


def bank_pieces(bank: Tensor) -> tuple[Tensor, ...]:
    """Cut a bank (D, d) into as many descriptors as are held in float64 at once.

    >>> [len(some) for some in bank_pieces(torch.zeros(4_229, 1_024))]
    [2048, 2048, 133]
    """
    return torch.split(bank, max(1, _BANK_VALUES // max(1, bank.shape[1])))


def bank_cosines(rows: Tensor, bank: Tensor) -> Tensor:
    """Cosines of unit rows and the descriptors of a bank in float64, of which only a part is held in float64 at once.

    Args:
        rows: (..., d) unit rows.
        bank: (D, d) unit rows.

    Returns:
        (..., D) float64.

    Example:
        >>> bank_cosines(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])).tolist()
        [[0.0, 1.0]]
    """
    wide = rows.double()
    return torch.cat([wide @ some.double().T for some in bank_pieces(bank)], dim=-1)
