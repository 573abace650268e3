"""Spearman's rank correlation of many short rows."""

import numpy as np
import pytest
import torch
from scipy import stats

from mkbench.metrics.functional import rank_correlation


@pytest.mark.parametrize("levels", [3, 1000])  # with 3 levels most rows have ties
def test_rows_match_scipy(levels: int) -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, levels, (200, 7)) / levels for _ in range(2))
    valid = rng.random((200, 7)) < 0.8
    found = rank_correlation(torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(valid))
    compared = 0
    for a, b, own, value in zip(first, second, valid, found.tolist(), strict=True):
        if len(set(a[own])) > 1 and len(set(b[own])) > 1:
            assert value == pytest.approx(stats.spearmanr(a[own], b[own]).statistic, abs=1e-12)
            compared += 1
        else:
            assert np.isnan(value)
    assert compared > 150
    assert found.dtype == torch.float64


def test_order_and_reverse() -> None:
    first = torch.tensor([[0.1, 0.5, 0.9], [0.1, 0.5, 0.9]])
    second = torch.tensor([[1.0, 10.0, 100.0], [3.0, 2.0, 1.0]])
    assert rank_correlation(first, second, torch.ones(2, 3, dtype=torch.bool)).tolist() == [1.0, -1.0]


def test_tie_by_hand() -> None:
    # Ranks 1.5, 1.5, 3 and 1, 2, 3, each less its mean of 2: (-0.5, -0.5, 1) and (-1, 0, 1). 1.5 / sqrt(1.5 * 2).
    first, second = torch.tensor([[4, 4, 9]]), torch.tensor([[1, 2, 3]])
    found = rank_correlation(first, second, torch.ones(1, 3, dtype=torch.bool))
    assert found.item() == pytest.approx(1.5 / 3**0.5)


@pytest.mark.parametrize("valid", [[False, False, False], [False, True, False]])
def test_too_few_entries(valid: list[bool]) -> None:
    values = torch.rand(1, 3)
    assert rank_correlation(values, values, torch.tensor([valid])).isnan().all()
    assert rank_correlation(values[:0], values[:0], torch.tensor([valid])[:0]).shape == (0,)


def test_what_is_not_valid_does_not_matter() -> None:
    first = torch.tensor([[1.0, 2.0, 3.0, torch.nan]])
    second = torch.tensor([[1.0, 3.0, 2.0, -7.0]])
    valid = torch.tensor([[True, True, True, False]])
    assert rank_correlation(first, second, valid).tolist() == [0.5]


@pytest.mark.parametrize("shape", [(3,), (1, 4)])
def test_wrong_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected two quantities and a bool mask of one shape"):
        rank_correlation(torch.rand(1, 3), torch.rand(shape), torch.ones(1, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"found .* torch.float32"):
        rank_correlation(torch.rand(1, 3), torch.rand(1, 3), torch.rand(1, 3))
