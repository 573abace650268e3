import numpy as np
import pytest
import torch

from mkbench.concepts.permutohedral import PermutohedralFilter, _simplices, permutohedral_filters


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
    kernel = make_filter(torch.from_numpy(points), [3.0] * dim)
    filtered, ones = (kernel(torch.from_numpy(v)).numpy() for v in (values, np.ones(2000)))
    np.testing.assert_allclose(filtered / ones, exact(points, values) / exact(points, np.ones(2000)), atol=0.08)


def test_kernel_is_symmetric_and_the_same_again():
    points = torch.rand(60, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
    kernels = [make_filter(points, [4.0] * 5) for _ in range(2)]
    first, second = (torch.stack([kernel(row) for row in torch.eye(60)]) for kernel in kernels)
    assert torch.equal(first, second)
    torch.testing.assert_close(first, first.T)
    assert (first.diagonal() > 0).all()


def test_filters_that_are_made_together_are_those_of_each_alone():
    sets = [
        torch.rand(size, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(size)) for size in (40, 7, 1)
    ]
    for points, kernel in zip(sets, permutohedral_filters(sets, [1.0] * 3), strict=True):
        assert torch.equal(kernel(torch.ones(len(points))), make_filter(points, [1.0] * 3)(torch.ones(len(points))))
    assert list(permutohedral_filters([], [1.0])) == []


def test_simplices_hold_their_points():
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 10
    numbers, shares, steps = _simplices(points, [10.0] * 3)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(200))
    assert (shares >= 0).all()
    # The number of a vertex is linear in its coordinates, so the mixture of numbers is the number of the point.
    skewed = (points + points.sum(dim=1, keepdim=True) / 3) / 1.25 + 1  # c = (sqrt(4) - 1) / 3
    expected = (skewed * torch.tensor(steps[:3], dtype=torch.float64)).sum(dim=1)
    torch.testing.assert_close((shares.double() * numbers).sum(dim=1), expected, rtol=1e-5, atol=0.01)


def test_one_point_and_equal_points():
    one = make_filter(torch.zeros(1, 5, dtype=torch.float64), [1.0] * 5)(torch.ones(1))
    same = make_filter(torch.zeros(4, 5, dtype=torch.float64), [1.0] * 5)(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    torch.testing.assert_close(same, 10 * one.expand(4))


def test_large_ranges_take_longer_numbers_or_are_refused():
    points = torch.tensor([[0.0] * 5, [900.0] * 5], dtype=torch.float64)
    near, far = make_filter(points, [900.0] * 5)(torch.tensor([1.0, 0.0])).tolist()
    assert near > 0
    assert far == 0
    with pytest.raises(ValueError, match="too small for a range of 100000 of them"):
        make_filter(points, [1e5] * 5)
