"""Gaussian filter of scattered points on the permutohedral lattice (the appearance kernel of the dense CRF)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Lattice(NamedTuple):
    """How fine a lattice is, and how its vertices are blurred in each direction.

    Attributes:
        edge: of the lattice, in standard deviations.
        near: weight of the two vertices one step away.
        far: weight of the two vertices two steps away.
        beside: a vertex that no point touches is kept for values to pass through where so many touched ones lie beside
            it; None keeps none of them.
    """

    edge: float
    near: float
    far: float = 0.0
    beside: int | None = None


# A blur by (v / 2, 1 - v, v / 2) along all directions adds a variance of v h^2 for edges of h standard deviations,
# sharing out and reading back h^2 / 12 each: v = 1 / h^2 - 1 / 6 makes one of it.
COARSE = Lattice(edge=1.25, near=(1 / 1.25**2 - 1 / 6) / 2)
# Fitted to the exact kernel on photographs.
FINE = Lattice(edge=1.0, near=0.2448, far=0.0405, beside=3)


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
    lattice's d + 1 directions, and the point reads its vertices again. Kept are vertices that a point touches, and with
    a fine lattice those between them. Every sum is taken in one order that the points alone fix, with no atomic
    addition, so a repetition gives the same bytes on every device.

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

    def __init__(self, found: _SortedShares, vertex: Tensor, vertices: Tensor, lattice: Lattice) -> None:
        self._shares = found.shares
        self._corners = vertex.scatter(0, found.place, vertex).view_as(found.shares)
        # (vertices,): where each begins among the sorted shares; one that no point touches has none.
        self._starts = torch.searchsorted(found.numbers, vertices, out_int32=True)
        self._sorted_points = found.place.int() // found.shares.shape[1]  # (N (d + 1),)
        self._sorted_shares = found.shares.flatten().index_select(0, found.place)
        self._neighbours = [_neighbours(vertices, step, far=lattice.far > 0) for step in found.steps]
        self._lattice = lattice

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
        weights = self._lattice.near, self._lattice.far
        heights = F.pad(heights, (0, 1))  # the last one stands for every vertex that is not kept
        for places in neighbours:
            sums = heights.index_select(0, places.flatten()).view(-1, 2, places.shape[1]).sum(dim=1)
            heights[:-1].mul_(1 - 2 * sum(weights))
            for some, weight in zip(sums, weights, strict=False):  # those two steps away only where they are blurred
                heights[:-1].add_(some, alpha=weight)
        return heights


def permutohedral_filters(
    points: Iterable[Tensor], spans: Sequence[float], *, lattice: Lattice = COARSE
) -> Iterator[PermutohedralFilter]:
    """Make filters of several sets of points; the device is waited for once or twice, whatever their number.

    Args:
        points: (N, d) float64 points each, in standard deviations, N >= 1.
        spans: for each dimension an upper limit of the points; the lower one is 0.
        lattice: how fine it is.

    Returns:
        A filter for each set, made when it is asked for.

    Raises:
        ValueError: if the limits hold more vertices than an integer can number.

    >>> len(list(permutohedral_filters([torch.zeros(2, 1, dtype=torch.float64)] * 3, [1.0])))
    3
    """
    found = [_sort_shares(some, spans, lattice) for some in points]
    touched = [
        one.numbers.index_select(0, torch.searchsorted(one.vertex, _range(count, one.vertex), out_int32=True))
        for one, count in zip(found, _read([one.vertex[-1] + 1 for one in found]), strict=True)
    ]
    if lattice.beside is None:
        kept, vertex = touched, [one.vertex for one in found]
    else:
        kept = _fill_gaps(touched, [one.steps for one in found], lattice.beside)
        vertex = [
            torch.searchsorted(vertices, own, out_int32=True).index_select(0, one.vertex)
            for one, own, vertices in zip(found, touched, kept, strict=True)
        ]
    return (PermutohedralFilter(*one, lattice) for one in zip(found, vertex, kept, strict=True))


def _read(counts: list[Tensor]) -> list[int]:
    """Read numbers from the device, waiting for it once."""
    return torch.stack(counts).tolist() if counts else []


def _range(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, dtype=like.dtype, device=like.device)


def _sort_shares(points: Tensor, spans: Sequence[float], lattice: Lattice) -> _SortedShares:
    numbers, shares, steps = _simplices(points, spans, lattice)
    in_order, place = numbers.flatten().sort(stable=True)
    vertex = F.pad((in_order[1:] != in_order[:-1]).cumsum(0, dtype=torch.int32), (1, 0))
    return _SortedShares(in_order, place, vertex, shares, steps)


def _fill_gaps(touched: list[Tensor], steps: list[list[int]], beside: int) -> list[Tensor]:
    """Add to the vertices of each set, rising, those that have so many of them beside themselves."""
    found = [_count_beside(own, by, beside) for own, by in zip(touched, steps, strict=True)]
    counts = _read([kept.sum() for _, kept in found])
    return [_take(*some, count) for some, count in zip(found, counts, strict=True)]


def _count_beside(touched: Tensor, steps: list[int], beside: int) -> tuple[Tensor, Tensor]:
    """Vertices beside touched ones, rising and as often as they are, and (n,) bool: the first of enough of them."""
    # The touched ones themselves stand there often enough.
    moves = torch.tensor(
        [*steps, *(-step for step in steps), *[0] * beside], dtype=touched.dtype, device=touched.device
    )
    numbers = (touched + moves[:, None]).flatten().sort().values
    enough = F.pad(numbers[beside - 1 :] == numbers[: len(numbers) - beside + 1], (0, beside - 1), value=False)
    first = F.pad(numbers[1:] != numbers[:-1], (1, 0), value=True)
    return numbers, enough & first


def _take(numbers: Tensor, kept: Tensor, count: int) -> Tensor:
    """Take those that are kept, whose count is known: choosing by a mask would wait for the device again."""
    place = torch.where(kept, kept.cumsum(0) - 1, count)  # a last place for all others, which is cut off
    return numbers.new_empty(count + 1).scatter_(0, place, numbers)[:count]


def _simplices(points: Tensor, spans: Sequence[float], lattice: Lattice) -> tuple[Tensor, Tensor, list[int]]:
    """Number and share of the vertices around every point, (N, d + 1) each, and what a step in a direction adds."""
    dim = points.shape[1]
    shear = (math.sqrt(dim + 1) - 1) / dim
    margin = 1 if lattice.beside is None else 2  # below and above the vertices that points touch
    sides = [int((span + shear * sum(spans)) / lattice.edge) + 2 + 2 * margin for span in spans]
    steps = [math.prod(sides[axis + 1 :]) for axis in range(dim)]
    if math.prod(sides) > torch.iinfo(torch.int64).max:
        raise ValueError(f"the standard deviations are too small for a range of {max(spans):.0f} of them")
    small = math.prod(sides) <= torch.iinfo(torch.int32).max  # 32 bits are sorted twice as fast
    strides = torch.tensor(steps, dtype=torch.int32 if small else torch.int64, device=points.device)
    places = (points + shear * points.sum(dim=1, keepdim=True)) / lattice.edge
    lower = places.floor()
    fractions, axes = (places - lower).float().contiguous().sort(dim=1, descending=True, stable=True)  # (N, d)
    base = ((lower.to(strides.dtype) + margin) * strides).sum(dim=1, keepdim=True, dtype=strides.dtype)
    # From the lower corner, one step along the axes in the order of falling fractions reaches vertex after vertex.
    along = strides.index_select(0, axes.flatten()).view_as(axes)
    numbers = torch.cat([base, base + along.cumsum(dim=1, dtype=strides.dtype)], dim=1)
    shares = F.pad(fractions, (1, 0), value=1.0) - F.pad(fractions, (0, 1))
    return numbers, shares, [*steps, sum(steps)]


def _neighbours(vertices: Tensor, step: int, *, far: bool) -> Tensor:
    """(2 or 4, vertices) int64 places of the neighbours above and below, one step away and two; else of no vertex."""
    count = len(vertices)
    above = torch.searchsorted(vertices, vertices + step).clamp_(max=count - 1)
    above = torch.where(vertices[above] == vertices + step, above, count)
    below = torch.full((count + 1,), count, device=vertices.device)
    below[above] = torch.arange(count, device=vertices.device)
    near = torch.stack([above, below[:-1]])
    return torch.cat([near, F.pad(near, (0, 1), value=count).gather(1, near)]) if far else near
