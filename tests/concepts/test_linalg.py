import numpy as np
import pytest
import torch

from mkbench.concepts.linalg import leading_directions, principal_scores, require_finite, unit_rows


@pytest.mark.parametrize("shape", [(40, 6), (5, 12)])
def test_leading_directions_are_the_right_singular_vectors(shape):
    rows = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = np.linalg.svd(rows.numpy())[2][:3].T
    expected *= np.sign(expected[np.abs(expected).argmax(axis=0), range(3)])
    np.testing.assert_allclose(leading_directions(rows, 3).numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("transposed", [False, True])
def test_null_directions_are_zero(transposed):
    rows = torch.outer(torch.arange(1.0, 5), torch.tensor([1.0, 2.0, 2.0])).double()
    rows = rows.T if transposed else rows
    directions = leading_directions(rows, 2)
    assert directions[:, 0].norm() == pytest.approx(1)
    assert directions[:, 1].abs().max() == 0


def test_equal_rows_have_no_principal_component():
    # 0.1 is not exact in binary: centring leaves rounding errors, which must not pass for a direction.
    assert principal_scores(torch.full((7, 3), 0.1, dtype=torch.float64), 2).abs().max() == 0


def test_unit_rows_keeps_zero_rows():
    assert unit_rows(torch.tensor([[0.0, 0.0], [0.0, -2.0]])).tolist() == [[0.0, 0.0], [0.0, -1.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_require_finite_names_the_tensor(bad, dtype):
    values = torch.zeros(40, 40, dtype=dtype)
    values[0, 0] = torch.finfo(dtype).max  # finite, though sums with it may not be
    values[1, :2] = torch.finfo(dtype).max
    require_finite(values, name="keys")
    values[17, 3] = bad
    with pytest.raises(ValueError, match="keys must be finite"):
        require_finite(values, name="keys")
    require_finite(values[:0], name="keys")


@pytest.mark.parametrize("shape", [(300, 280), (280, 300), (2, 300, 280)])
def test_few_eigenvectors_of_a_large_gram_matrix_are_those_of_the_decomposition(shape: tuple[int, ...]) -> None:
    rows = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[..., 0] += 3  # one direction far above the rest
    found = leading_directions(rows, 2)
    expected = torch.linalg.svd(rows, full_matrices=False).Vh[..., :2, :].mT
    assert ((found * expected).sum(dim=-2).abs() - 1).abs().max() < 1e-9


def test_a_large_matrix_of_rank_one_has_one_direction() -> None:
    rows = torch.ones(300, 1, dtype=torch.float64) @ torch.linspace(1, 2, 280, dtype=torch.float64)[None]
    assert leading_directions(rows, 3).count_nonzero(dim=0).tolist() == [280, 0, 0]
