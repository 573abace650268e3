from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mkbench.heads.factor_shares import description_directions, factor_shares, permuted_shares, text_energy


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_energy_is_the_mean_square_along_each_text() -> None:
    changes, texts = normal(2, 3, 5), normal(4, 5, seed=1)
    mean = texts.mean(dim=0)
    energy = text_energy(changes, texts)
    for place in [(0, 0), (1, 2)]:
        squares = [float(changes[place] @ (text - mean)) ** 2 for text in texts]
        assert float(energy[place]) == pytest.approx(sum(squares) / 4)


def test_one_text_says_nothing_less_its_mean() -> None:
    assert text_energy(normal(3, 5), normal(1, 5)).tolist() == [0.0, 0.0, 0.0]


def test_texts_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected texts \(D, 5\) of at least one text"):
        text_energy(normal(3, 5), normal(4, 6))
    with pytest.raises(ValueError, match=r"got \(0, 5\)"):
        text_energy(normal(3, 5), normal(0, 5))


def planted(images: int, factors: int) -> Tensor:
    """Energies of heads that write factor 0 alone, the last factor alone, noise, and nothing."""
    energies = torch.zeros(images, factors, 4, dtype=torch.float64)
    energies[:, 0, 0] = normal(images).square()
    energies[:, -1, 1] = normal(images, seed=1).square()
    energies[:, :, 2] = normal(images, factors, seed=2).square()
    return energies


def test_planted_heads() -> None:
    energies = planted(200, 4)
    shares = factor_shares(energies)
    assert shares[:, 0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert shares[:, 1].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert shares[:, 2].tolist() == pytest.approx([0.25] * 4, abs=0.06)  # noise: chance
    assert bool(shares[:, 3].isnan().all())  # nothing to share
    bound = permuted_shares(energies).amax(dim=1).quantile(0.975, dim=0)
    assert (shares.amax(dim=0) > bound).tolist() == [True, True, False, False]


def test_shares_are_those_of_the_variance_within_pairs() -> None:
    """Variance of both images of a pair about their mean, summed over pairs: a sum of squares that falls apart."""
    before, after = normal(6, 5), normal(6, 3, 5, seed=1)
    texts = normal(7, 5, seed=2)
    along = texts - texts.mean(dim=0)
    pairs = torch.stack([(before @ along.T)[:, None].expand(6, 3, 7), after @ along.T])
    within = pairs.var(dim=0, correction=0).sum(dim=(0, 2))  # (factors,)
    energies = text_energy(after - before[:, None], texts)[..., None]
    torch.testing.assert_close(factor_shares(energies)[:, 0], within / within.sum())


def test_permuted_factors_share_alike() -> None:
    shares = permuted_shares(planted(50, 5), permutations=300)
    assert shares.shape == (300, 5, 4)
    assert shares[..., :3].mean(dim=0).flatten().tolist() == pytest.approx([0.2] * 15, abs=0.02)
    torch.testing.assert_close(shares, permuted_shares(planted(50, 5), permutations=300), equal_nan=True)


def test_energies_without_images_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one of each"):
        factor_shares(torch.zeros(0, 2, 1))


def test_directions_go_from_what_was_true_to_what_is() -> None:
    texts = normal(4, 5)
    before = torch.tensor([[True, True, False, False]])
    after = torch.tensor([[[True, False, True, True], [True, True, False, False], [True, True, True, False]]])
    directions = description_directions(before, after, texts)
    first = (texts[2] + texts[3]) / 2 - texts[1]
    torch.testing.assert_close(directions[0, 0], first / first.norm())
    assert directions[0, 1].tolist() == [0.0] * 5  # nothing changed
    gained = texts[2] - texts.mean(dim=0)  # nothing was lost: less the mean of the bank
    torch.testing.assert_close(directions[0, 2], gained / gained.norm())
