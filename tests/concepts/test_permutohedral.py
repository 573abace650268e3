import numpy as np
import pytest
import torch

from mkbench.concepts.permutohedral import (
    PermutohedralFilter,
    _fill_gaps,
    _neighbours,
    _simplices,
    _sort_fractions,
    permutohedral_filters,
)


def make_filter(points: torch.Tensor, spans: list[float]) -> PermutohedralFilter:
    return next(permutohedral_filters([points], spans))


def exact(points, values):
    squares = ((points[:, None] - points) ** 2).sum(-1)
    return np.exp(-squares / 2) @ values


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_agrees_with_the_gaussian(dim):
    rng = np.random.default_rng(dim)
    points = rng.uniform(0, 3, (2000, dim))  # close together: vertices are missing at the rim alone
    values = rng.uniform(0.5, 1.5, 2000) * (points[:, 0] < 1.5)
    kernel = make_filter(torch.from_numpy(points.T), [3.0] * dim)
    filtered, ones = (kernel(torch.from_numpy(v)).numpy() for v in (values, np.ones(2000)))
    np.testing.assert_allclose(filtered / ones, exact(points, values) / exact(points, np.ones(2000)), atol=0.065)


def test_kernel_is_symmetric_positive_and_the_same_again():
    points = torch.rand(5, 60, generator=torch.Generator().manual_seed(0)) * 4
    kernels = [make_filter(points, [4.0] * 5) for _ in range(2)]
    first, second = (torch.stack([kernel(row) for row in torch.eye(60)]) for kernel in kernels)
    assert torch.equal(first, second)
    torch.testing.assert_close(first, first.T)
    assert torch.linalg.eigvalsh(first.double()).min() > -1e-6  # a blur and its transpose


def test_filters_that_are_made_together_are_those_of_each_alone():
    sets = [torch.rand(3, size, generator=torch.Generator().manual_seed(size)) for size in (40, 7, 1)]
    for points, kernel in zip(sets, permutohedral_filters(sets, [1.0] * 3), strict=True):
        alone = make_filter(points, [1.0] * 3)
        ones = torch.ones(points.shape[1])
        assert torch.equal(kernel(ones), alone(ones))
    assert list(permutohedral_filters([], [1.0])) == []


def test_vertices_between_touched_ones_are_kept():
    one, other = torch.tensor([10, 12, 40]), torch.tensor([5])
    kept = _fill_gaps([one, other], [[1], [1]])
    assert [vertices.tolist() for vertices in kept] == [[10, 11, 12, 40], [5]]
    # 21 lies beside 20, 22 and 31 by steps of 1 and 10; 30 beside 20 and 31; 19 beside 20 alone, which is not enough.
    assert _fill_gaps([torch.tensor([20, 22, 31])], [[1, 10]])[0].tolist() == [20, 21, 22, 30, 31, 32]


def test_value_passes_through_a_vertex_that_no_point_touches():
    # Between two points that touch vertices 0 and 1, 3 and 4 lies one vertex; one more on either side is not enough.
    for second, passes in ((3.5, True), (8.5, False)):
        points = torch.tensor([[0.5, second]]) / 2**0.5  # one dimension is stretched by the root of 2
        assert (make_filter(points, [8.0])(torch.tensor([1.0, 0.0]))[1] > 0) == passes


def test_neighbours_are_those_that_are_kept():
    above, below = _neighbours(torch.tensor([10, 11, 20, 31], dtype=torch.int32), [1, 10]).unbind(dim=1)
    assert above.tolist() == [[1, 4, 4, 4], [2, 4, 4, 4]]
    assert below.tolist() == [[4, 0, 4, 4], [4, 4, 0, 4]]


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 8])
def test_fractions_are_sorted_with_their_axes(dim):
    drawn = torch.rand(dim, 500, generator=torch.Generator().manual_seed(dim))
    drawn[:, 0] = 1  # as rounding may leave one
    fractions, axes = _sort_fractions(drawn)
    torch.testing.assert_close(fractions, drawn.sort(dim=0, descending=True).values, rtol=0, atol=1e-7)
    torch.testing.assert_close(drawn.gather(0, axes.long()), fractions, rtol=0, atol=1e-7)
    assert torch.equal(axes.sort(dim=0).values, torch.arange(dim, dtype=torch.int32)[:, None].expand(dim, 500))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_simplices_hold_their_points(dtype):
    points = torch.rand(3, 200, generator=torch.Generator().manual_seed(1), dtype=dtype) * 10
    numbers, shares, steps = _simplices(points, [10.0] * 3)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(200))
    assert (shares >= 0).all()
    # The number of a vertex is linear in its coordinates, so the mixture of numbers is the number of the point.
    skewed = points + points.sum(dim=0) / 3 + 2  # c = (sqrt(4) - 1) / 3; the numbering reaches 2 below
    expected = (skewed.double() * torch.tensor(steps[:3], dtype=torch.float64)[:, None]).sum(dim=0)
    torch.testing.assert_close((shares.double() * numbers).sum(dim=0), expected, rtol=1e-5, atol=0.01)


def test_one_point_and_equal_points():
    one = make_filter(torch.zeros(5, 1), [1.0] * 5)(torch.ones(1))
    same = make_filter(torch.zeros(5, 4), [1.0] * 5)(torch.arange(1.0, 5.0))
    torch.testing.assert_close(same, 10 * one.expand(4))


def test_large_ranges_take_longer_numbers_or_are_refused():
    points = torch.tensor([[0.0, 900.0]] * 5)
    near, far = make_filter(points, [900.0] * 5)(torch.tensor([1.0, 0.0])).tolist()
    assert near > 0
    assert far == 0
    with pytest.raises(ValueError, match="too small for a range of 100000 of them"):
        make_filter(points, [1e5] * 5)
