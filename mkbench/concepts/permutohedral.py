"""Gaussian filter of scattered points on the permutohedral lattice (the appearance kernel of the dense CRF)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

#: Weight of each of the two vertices one step away. Two blurs by (w, 1 - 2 w, w) add a variance of 4 w to each
#: direction, sharing out and reading back 1/12 each, so 5/24 = 0.208 makes one of it where no vertex is missing. A
#: little less is nearer to the exact kernel on photographs.
_NEAR = 0.205
#: A vertex that no point touches is kept, for values to pass through, where so many touched ones lie beside it.
_BESIDE = 2
_MARGIN = 2  # below and above the vertices that points touch


class _SortedShares(NamedTuple):
    """Shares of N points in the order of their vertices, before the number of these is read from the device.

    Attributes:
        numbers: ((d + 1) N,) number of the vertex of each share, rising.
        place: ((d + 1) N,) where each stands among the shares.
        vertex: ((d + 1) N,) int32, its vertex, from 0.
        shares: (d + 1, N) of the points.
        steps: what a step in each direction adds to a number.
    """

    numbers: Tensor
    place: Tensor
    vertex: Tensor
    shares: Tensor
    steps: list[int]


class PermutohedralFilter:
    """A Gaussian filter of N points in d dimensions, with a cost that grows with N d and not with N^2.

    A point shares its value out over the d + 1 vertices of the simplex around it, the vertices are blurred along the
    lattice's d + 1 directions, forward and back, and the point reads its vertices again. Kept are vertices that a point
    touches, and those between them. Every sum is taken in one order that the points alone fix, with no atomic addition,
    so a repetition gives the same bytes on every device.

    Source: Adams, Baek & Davis, Eurographics 2010. The lattice is written as a Kuhn triangulation of integer points:
    the coordinates x + c sum(x) with c = (sqrt(d + 1) - 1) / d turn its simplices into those of the lattice.

    `permutohedral_filters` makes them.

    Example:
        >>> points = torch.tensor([[0.0, 0.1, 30.0]])
        >>> (kernel,) = permutohedral_filters([points], [30.0])
        >>> near, same, far = kernel(torch.tensor([0.0, 1.0, 0.0])).tolist()
        >>> near > 0.5 * same, far
        (True, 0.0)
    """

    def __init__(self, found: _SortedShares, vertex: Tensor, vertices: Tensor) -> None:
        self._shares = found.shares
        self._corners = vertex.scatter(0, found.place, vertex)  # ((d + 1) N,)
        # (vertices,): where each begins among the sorted shares; one that no point touches has none.
        self._starts = torch.searchsorted(found.numbers, vertices, out_int32=True)
        self._sorted_points = found.place.int() % found.shares.shape[1]  # ((d + 1) N,)
        self._sorted_shares = found.shares.flatten().index_select(0, found.place)
        self._neighbours = _neighbours(vertices, found.steps).unbind()

    def __call__(self, values: Tensor) -> Tensor:
        """(N,) -> (N,) float32, up to one constant factor."""
        table = values.float()[:, None]
        heights = F.embedding_bag(
            self._sorted_points, table, self._starts, mode="sum", per_sample_weights=self._sorted_shares
        )[:, 0]  # (vertices,)
        heights = F.pad(heights, (0, 1))  # the last one stands for every vertex that is not kept
        # Forward and back: where vertices are missing the order matters, and this one is symmetric.
        for places in chain(self._neighbours, reversed(self._neighbours)):
            above, below = heights.index_select(0, places.flatten()).view_as(places)
            heights[:-1].mul_(1 - 2 * _NEAR).add_(above.add_(below), alpha=_NEAR)
        return heights.index_select(0, self._corners).view_as(self._shares).mul_(self._shares).sum(dim=0)


def permutohedral_filters(points: Iterable[Tensor], spans: Sequence[float]) -> Iterator[PermutohedralFilter]:
    """Make filters of several sets of points; the device is waited for twice, whatever their number.

    Args:
        points: (d, N) points each, in standard deviations, N >= 1.
        spans: for each dimension an upper limit of the points; the lower one is 0.

    Returns:
        A filter for each set, made when it is asked for.

    Raises:
        ValueError: if the limits hold more vertices than an integer can number.

    >>> len(list(permutohedral_filters([torch.zeros(1, 2)] * 3, [1.0])))
    3
    """
    found = [_sort_shares(some, spans) for some in points]
    touched = [
        one.numbers.index_select(0, torch.searchsorted(one.vertex, _range(count, one.vertex.device), out_int32=True))
        for one, count in zip(found, _read([one.vertex[-1] + 1 for one in found]), strict=True)
    ]
    kept = _fill_gaps(touched, [one.steps for one in found])
    vertex = (
        torch.searchsorted(vertices, own, out_int32=True).index_select(0, one.vertex)
        for one, own, vertices in zip(found, touched, kept, strict=True)
    )
    return (PermutohedralFilter(*one) for one in zip(found, vertex, kept, strict=True))


def _read(counts: list[Tensor]) -> list[int]:
    """Read numbers from the device, waiting for it once."""
    return torch.stack(counts).tolist() if counts else []


def _range(count: int, device: torch.device) -> Tensor:
    return torch.arange(count, dtype=torch.int32, device=device)


def _sort_shares(points: Tensor, spans: Sequence[float]) -> _SortedShares:
    numbers, shares, steps = _simplices(points, spans)
    in_order, place = numbers.flatten().sort(stable=True)
    vertex = F.pad((in_order[1:] != in_order[:-1]).cumsum(0, dtype=torch.int32), (1, 0))
    return _SortedShares(in_order, place, vertex, shares, steps)


def _fill_gaps(touched: list[Tensor], steps: list[list[int]]) -> list[Tensor]:
    """Add to the vertices of each set, rising, those that have enough of them beside themselves."""
    found = [_count_beside(*one) for one in zip(touched, steps, strict=True)]
    counts = _read([kept.sum() for _, kept in found])
    return [_take(*some, count) for some, count in zip(found, counts, strict=True)]


def _count_beside(touched: Tensor, steps: list[int]) -> tuple[Tensor, Tensor]:
    """Vertices beside touched ones, rising and as often as they are, and (n,) bool: the first of enough of them."""
    # The touched ones themselves stand there often enough.
    moves = torch.tensor(
        [*steps, *(-step for step in steps), *[0] * _BESIDE], dtype=touched.dtype, device=touched.device
    )
    numbers = (touched + moves[:, None]).flatten().sort().values
    enough = F.pad(numbers[_BESIDE - 1 :] == numbers[: 1 - _BESIDE], (0, _BESIDE - 1), value=False)
    first = F.pad(numbers[1:] != numbers[:-1], (1, 0), value=True)
    return numbers, enough & first


def _take(numbers: Tensor, kept: Tensor, count: int) -> Tensor:
    """Take those that are kept, whose count is known: choosing by a mask would wait for the device again."""
    place = torch.where(kept, kept.cumsum(0) - 1, count)  # a last place for all others, which is cut off
    return numbers.new_empty(count + 1).scatter_(0, place, numbers)[:count]


def _simplices(points: Tensor, spans: Sequence[float]) -> tuple[Tensor, Tensor, list[int]]:
    """Number and share of the vertices around every point, (d + 1, N) each, and what a step in a direction adds."""
    dim = len(points)
    shear = (math.sqrt(dim + 1) - 1) / dim
    sides = [int(span + shear * sum(spans)) + 2 + 2 * _MARGIN for span in spans]
    steps = [math.prod(sides[axis + 1 :]) for axis in range(dim)]
    if math.prod(sides) > torch.iinfo(torch.int64).max:
        raise ValueError(f"the standard deviations are too small for a range of {max(spans):.0f} of them")
    small = math.prod(sides) <= torch.iinfo(torch.int32).max  # 32 bits are sorted twice as fast
    strides = torch.tensor(steps, dtype=torch.int32 if small else torch.int64, device=points.device)
    places = points + shear * points.sum(dim=0)
    lower = places.floor()
    fractions, axes = _sort_fractions(places - lower)
    base = ((lower.to(strides.dtype) + _MARGIN) * strides[:, None]).sum(dim=0, keepdim=True, dtype=strides.dtype)
    # From the lower corner, one step along the axes in the order of falling fractions reaches vertex after vertex.
    along = strides.index_select(0, axes.flatten()).view_as(axes)
    numbers = torch.cat([base, base + along.cumsum(dim=0, dtype=strides.dtype)])
    shares = F.pad(fractions, (0, 0, 1, 0), value=1.0) - F.pad(fractions, (0, 0, 0, 1))
    return numbers, shares, [*steps, sum(steps)]


def _sort_fractions(fractions: Tensor) -> tuple[Tensor, Tensor]:
    """(d, N) of [0, 1] -> those of each point falling, (d, N) float32, and the int32 axes that they come from.

    They are rounded, to 2^-27 in five dimensions, and sorted in one integer with their axis by exchanging neighbours in
    turn: of columns as short as these that takes a sixth of the time of `sort`.
    """
    dim = len(fractions)
    bits = (dim - 1).bit_length()
    levels = 2 ** (30 - bits)
    keys = (fractions * levels).int() * 2**bits + _range(dim, fractions.device)[:, None]
    for turn in range(dim):
        upper, lower = keys[turn % 2 : dim - 1 : 2], keys[turn % 2 + 1 :: 2]
        larger = torch.maximum(upper, lower)
        torch.minimum(upper, lower, out=lower)
        upper.copy_(larger)
    return (keys >> bits).float() / levels, keys & (2**bits - 1)


def _neighbours(vertices: Tensor, steps: list[int]) -> Tensor:
    """(d + 1, 2, vertices) int32 places of the neighbours above and below; one place more stands for none."""
    count = len(vertices)
    places = _range(count, vertices.device)
    moves = torch.tensor([0, *steps], dtype=vertices.dtype, device=vertices.device)
    # Sorted together with the vertices themselves, which come first among equal numbers: faster than searching.
    numbers, order = (vertices + moves[:, None]).flatten().sort(stable=True)
    last = (order < count).cumsum(0, dtype=torch.int32) - 1  # the vertex that is not above the number; there is one
    found = torch.where(vertices.index_select(0, last) == numbers, last, count)
    above = torch.empty_like(found).scatter_(0, order, found).view(-1, count)[1:]
    below = above.new_full((len(steps), count + 1), count).scatter_(1, above.long(), places.expand_as(above))
    return torch.stack([above, below[:, :-1]], dim=1)
