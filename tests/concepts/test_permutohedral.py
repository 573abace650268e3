import numpy as np
import pytest
import torch

from mkbench.concepts.permutohedral import (
    COARSE,
    FINE,
    Lattice,
    PermutohedralFilter,
    _fill_gaps,
    _simplices,
    permutohedral_filters,
)

LATTICES = pytest.mark.parametrize("lattice", [COARSE, FINE], ids=["coarse", "fine"])


def make_filter(points: torch.Tensor, spans: list[float], lattice: Lattice = COARSE) -> PermutohedralFilter:
    return next(permutohedral_filters([points], spans, lattice=lattice))


def exact(points, values):
    squares = ((points[:, None] - points) ** 2).sum(-1)
    return np.exp(-squares / 2) @ values


@pytest.mark.parametrize(("lattice", "atol"), [(COARSE, 0.08), (FINE, 0.06)], ids=["coarse", "fine"])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_agrees_with_the_gaussian(dim, lattice, atol):
    rng = np.random.default_rng(dim)
    points = rng.uniform(0, 3, (2000, dim))  # close together: vertices are missing at the rim alone
    values = rng.uniform(0.5, 1.5, 2000) * (points[:, 0] < 1.5)
    kernel = make_filter(torch.from_numpy(points), [3.0] * dim, lattice)
    filtered, ones = (kernel(torch.from_numpy(v)).numpy() for v in (values, np.ones(2000)))
    np.testing.assert_allclose(filtered / ones, exact(points, values) / exact(points, np.ones(2000)), atol=atol)


@LATTICES
def test_kernel_is_symmetric_and_the_same_again(lattice):
    points = torch.rand(60, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
    kernels = [make_filter(points, [4.0] * 5, lattice) for _ in range(2)]
    first, second = (torch.stack([kernel(row) for row in torch.eye(60)]) for kernel in kernels)
    assert torch.equal(first, second)
    torch.testing.assert_close(first, first.T)
    assert (first.diagonal() > 0).all()


@LATTICES
def test_filters_that_are_made_together_are_those_of_each_alone(lattice):
    sets = [
        torch.rand(size, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(size)) for size in (40, 7, 1)
    ]
    for points, kernel in zip(sets, permutohedral_filters(sets, [1.0] * 3, lattice=lattice), strict=True):
        alone = make_filter(points, [1.0] * 3, lattice)
        assert torch.equal(kernel(torch.ones(len(points))), alone(torch.ones(len(points))))
    assert list(permutohedral_filters([], [1.0])) == []


def test_vertices_between_touched_ones_are_kept():
    one, other = torch.tensor([10, 12, 40]), torch.tensor([5])
    kept = _fill_gaps([one, other], [[1], [1]], 2)
    assert [vertices.tolist() for vertices in kept] == [[10, 11, 12, 40], [5]]
    # 21 lies beside 20, 22 and 31 by steps of 1 and 10; 30 beside 20 and 31, which is not enough.
    assert _fill_gaps([torch.tensor([20, 22, 31])], [[1, 10]], 3)[0].tolist() == [20, 21, 22, 31]


def test_value_passes_through_a_vertex_that_no_point_touches():
    points = torch.tensor([[1.0], [3.0]], dtype=torch.float64)  # on vertices of the finer one, one between them
    shares = [
        make_filter(points, [4.0], Lattice(1.0, 0.2, beside=beside))(torch.tensor([1.0, 0.0]))[1]
        for beside in (None, 2)
    ]
    assert shares[0] == 0
    assert shares[1] > 0


@LATTICES
def test_simplices_hold_their_points(lattice):
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 10
    numbers, shares, steps = _simplices(points, [10.0] * 3, lattice)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(200))
    assert (shares >= 0).all()
    # The number of a vertex is linear in its coordinates, so the mixture of numbers is the number of the point.
    skewed = (points + points.sum(dim=1, keepdim=True) / 3) / lattice.edge  # c = (sqrt(4) - 1) / 3
    skewed += 1 if lattice.beside is None else 2  # how far the numbering reaches below
    expected = (skewed * torch.tensor(steps[:3], dtype=torch.float64)).sum(dim=1)
    torch.testing.assert_close((shares.double() * numbers).sum(dim=1), expected, rtol=1e-5, atol=0.01)


@LATTICES
def test_one_point_and_equal_points(lattice):
    one = make_filter(torch.zeros(1, 5, dtype=torch.float64), [1.0] * 5, lattice)(torch.ones(1))
    same = make_filter(torch.zeros(4, 5, dtype=torch.float64), [1.0] * 5, lattice)(torch.arange(1.0, 5.0))
    torch.testing.assert_close(same, 10 * one.expand(4))


@LATTICES
def test_large_ranges_take_longer_numbers_or_are_refused(lattice):
    points = torch.tensor([[0.0] * 5, [900.0] * 5], dtype=torch.float64)
    near, far = make_filter(points, [900.0] * 5, lattice)(torch.tensor([1.0, 0.0])).tolist()
    assert near > 0
    assert far == 0
    with pytest.raises(ValueError, match="too small for a range of 100000 of them"):
        make_filter(points, [1e5] * 5, lattice)
