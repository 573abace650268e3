"""Gaussian filter of scattered points on the permutohedral lattice (the appearance kernel of the dense CRF)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_EDGE = 1.25  # of the lattice, in standard deviations; 1.25 to 1.3 come closest to the exact kernel


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

    Args:
        points: (N, d) float64 points in standard deviations, N >= 1.
        spans: for each dimension an upper limit of the points; the lower one is 0.

    Raises:
        ValueError: if the limits hold more vertices than an integer can number.

    Example:
        >>> points = torch.tensor([[0.0], [0.1], [30.0]], dtype=torch.float64)
        >>> near, same, far = PermutohedralFilter(points, [30.0])(torch.tensor([0.0, 1.0, 0.0])).tolist()
        >>> near > 0.5 * same, far
        (True, 0.0)
    """

    def __init__(self, points: Tensor, spans: Sequence[float]) -> None:
        numbers, self._shares, steps = _simplices(points, spans)
        in_order, place = numbers.flatten().sort(stable=True)
        vertices, vertex, counts = torch.unique_consecutive(in_order, return_inverse=True, return_counts=True)
        self._corners = vertex.int().scatter(0, place, vertex.int()).view_as(numbers)  # (N, d + 1)
        self._starts = (counts.cumsum(0) - counts).int()  # (vertices,): where each begins among the sorted shares
        self._sorted_points = place.int() // numbers.shape[1]  # (N (d + 1),)
        self._sorted_shares = self._shares.flatten().index_select(0, place)
        self._neighbours = [_neighbours(vertices, step) for step in steps]
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
