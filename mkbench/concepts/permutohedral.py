"""Gaussian filter of scattered points on the permutohedral lattice (the appearance kernel of the dense CRF)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_EDGE = 1.25  # of the lattice, in standard deviations; 1.25 to 1.3 come closest to the exact kernel


class _SortedShares(NamedTuple):
    """Shares of N points in the order of their vertices, before the number of these is read from the device.

    Attributes:
        numbers: (N (d + 1),) number of the vertex of each share, rising.
        place: (N (d + 1),) where each stands among the shares of the points, point after point.
        vertex: (N (d + 1),) int32, its vertex, from 0.
        shares: (N, d + 1) of the points.
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
    lattice's d + 1 directions, and the point reads its vertices again. Only vertices that a point touches are kept.
    Every sum is taken in one order that the points alone fix, with no atomic addition, so a repetition gives the same
    bytes on every device.

    Sharing out and reading back add a variance of h^2 / 12 each for edges of h standard deviations, and a blur by
    (v / 2, 1 - v, v / 2) along all directions adds v h^2, so that v = 1 / h^2 - 1 / 6 gives the variance one.

    Source: Adams, Baek & Davis, Eurographics 2010. The lattice is written as a Kuhn triangulation of integer points:
    the coordinates x + c sum(x) with c = (sqrt(d + 1) - 1) / d turn its simplices into those of the lattice.

    `permutohedral_filters` makes them.

    Example:
        >>> points = torch.tensor([[0.0], [0.1], [30.0]], dtype=torch.float64)
        >>> (kernel,) = permutohedral_filters([points], [30.0])
        >>> near, same, far = kernel(torch.tensor([0.0, 1.0, 0.0])).tolist()
        >>> near > 0.5 * same, far
        (True, 0.0)
    """

    def __init__(self, found: _SortedShares, num_vertices: int) -> None:
        order = torch.arange(num_vertices, dtype=torch.int32, device=found.vertex.device)
        starts = torch.searchsorted(found.vertex, order, out_int32=True)
        vertices = found.numbers.index_select(0, starts)
        self._shares = found.shares
        self._corners = found.vertex.scatter(0, found.place, found.vertex).view_as(found.shares)
        self._starts = starts  # (vertices,): where each begins among the sorted shares
        self._sorted_points = found.place.int() // found.shares.shape[1]  # (N (d + 1),)
        self._sorted_shares = found.shares.flatten().index_select(0, found.place)
        self._neighbours = [_neighbours(vertices, step) for step in found.steps]
        self._variance = 1 / _EDGE**2 - 1 / 6

    def __call__(self, values: Tensor) -> Tensor:
        """(N,) -> (N,) float32, up to one constant factor."""
        table = values.float()[:, None]
        sums = F.embedding_bag(
            self._sorted_points, table, self._starts, mode="sum", per_sample_weights=self._sorted_shares
        )  # (vertices, 1)
        # Both orders of the directions, because a missing vertex makes them differ: their sum is symmetric again.
        heights = self._blur(sums[:, 0], self._neighbours) + self._blur(sums[:, 0], self._neighbours[::-1])
        return F.embedding_bag(self._corners, heights[:, None], mode="sum", per_sample_weights=self._shares)[:, 0]

    def _blur(self, heights: Tensor, neighbours: list[Tensor]) -> Tensor:
        heights = F.pad(heights, (0, 1))  # the last one stands for every vertex that no point touches
        for pairs in neighbours:
            beside = heights.index_select(0, pairs.flatten()).view_as(pairs).sum(dim=0)
            heights[:-1].mul_(1 - self._variance).add_(beside, alpha=self._variance / 2)
        return heights


def permutohedral_filters(points: Iterable[Tensor], spans: Sequence[float]) -> Iterator[PermutohedralFilter]:
    """Make filters of several sets of points; the device is waited for once, whatever their number.

    Args:
        points: (N, d) float64 points each, in standard deviations, N >= 1.
        spans: for each dimension an upper limit of the points; the lower one is 0.

    Returns:
        A filter for each set, made when it is asked for.

    Raises:
        ValueError: if the limits hold more vertices than an integer can number.

    >>> len(list(permutohedral_filters([torch.zeros(2, 1, dtype=torch.float64)] * 3, [1.0])))
    3
    """
    found = [_sort_shares(some, spans) for some in points]
    last = torch.stack([one.vertex[-1] for one in found]).tolist() if found else []
    return (PermutohedralFilter(one, number + 1) for one, number in zip(found, last, strict=True))


def _sort_shares(points: Tensor, spans: Sequence[float]) -> _SortedShares:
    numbers, shares, steps = _simplices(points, spans)
    in_order, place = numbers.flatten().sort(stable=True)
    vertex = F.pad((in_order[1:] != in_order[:-1]).cumsum(0, dtype=torch.int32), (1, 0))
    return _SortedShares(in_order, place, vertex, shares, steps)


def _simplices(points: Tensor, spans: Sequence[float]) -> tuple[Tensor, Tensor, list[int]]:
    """Number and share of the vertices around every point, (N, d + 1) each, and what a step in a direction adds."""
    dim = points.shape[1]
    shear = (math.sqrt(dim + 1) - 1) / dim
    sides = [int((span + shear * sum(spans)) / _EDGE) + 4 for span in spans]  # a neighbour below and two above
    steps = [math.prod(sides[axis + 1 :]) for axis in range(dim)]
    if math.prod(sides) > torch.iinfo(torch.int64).max:
        raise ValueError(f"the standard deviations are too small for a range of {max(spans):.0f} of them")
    small = math.prod(sides) <= torch.iinfo(torch.int32).max  # 32 bits are sorted twice as fast
    strides = torch.tensor(steps, dtype=torch.int32 if small else torch.int64, device=points.device)
    places = (points + shear * points.sum(dim=1, keepdim=True)) / _EDGE
    lower = places.floor()
    fractions, axes = (places - lower).float().contiguous().sort(dim=1, descending=True, stable=True)  # (N, d)
    base = ((lower.to(strides.dtype) + 1) * strides).sum(dim=1, keepdim=True, dtype=strides.dtype)
    # From the lower corner, one step along the axes in the order of falling fractions reaches vertex after vertex.
    along = strides.index_select(0, axes.flatten()).view_as(axes)
    numbers = torch.cat([base, base + along.cumsum(dim=1, dtype=strides.dtype)], dim=1)
    shares = F.pad(fractions, (1, 0), value=1.0) - F.pad(fractions, (0, 1))
    return numbers, shares, [*steps, sum(steps)]


def _neighbours(vertices: Tensor, step: int) -> Tensor:
    """(2, vertices) int64 positions of the neighbours above and below; the number of vertices where there is none."""
    count = len(vertices)
    above = torch.searchsorted(vertices, vertices + step).clamp_(max=count - 1)
    above = torch.where(vertices[above] == vertices + step, above, count)
    below = torch.full((count + 1,), count, device=vertices.device)
    below[above] = torch.arange(count, device=vertices.device)
    return torch.stack([above, below[:-1]])
