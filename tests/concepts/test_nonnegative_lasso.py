from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch.nn import functional as F

from mkbench.concepts.nonnegative_lasso import nonnegative_lasso


@pytest.mark.parametrize(("words", "penalty"), [(8, 0.05), (60, 0.1), (60, 0.3), (200, 0.02)])
def test_weights_are_those_of_scikit_learn(words: int, penalty: float) -> None:
    generator = torch.Generator().manual_seed(words)
    dictionary = F.normalize(torch.randn(words, 24, generator=generator, dtype=torch.float64), dim=1)
    targets = F.normalize(torch.randn(6, 24, generator=generator, dtype=torch.float64), dim=1)
    found = nonnegative_lasso(targets, dictionary, penalty, tolerance=1e-13)
    assert (found.gap <= 1e-13).all()
    model = Lasso(alpha=penalty / 24, positive=True, fit_intercept=False, tol=1e-12, max_iter=100_000)
    expected = np.stack([model.fit(dictionary.numpy().T, target.numpy()).coef_ for target in targets])
    assert (expected > 0).any()
    np.testing.assert_allclose(found.weights, expected, rtol=0, atol=1e-5)


def test_coherent_words_reconstruct_as_scikit_learn_does() -> None:
    """Texts are alike: cosines of about 0.8, as those of a bank before its mean is subtracted."""
    generator = torch.Generator().manual_seed(0)
    dictionary = F.normalize(2 + torch.randn(100, 32, generator=generator, dtype=torch.float64), dim=1)
    targets = F.normalize(1 + torch.randn(5, 32, generator=generator, dtype=torch.float64), dim=1)
    found = nonnegative_lasso(targets, dictionary, 0.05)
    model = Lasso(alpha=0.05 / 32, positive=True, fit_intercept=False, tol=1e-12, max_iter=100_000)
    expected = np.stack([model.fit(dictionary.numpy().T, target.numpy()).coef_ for target in targets])
    assert (found.gap <= 1e-10).all()
    np.testing.assert_allclose(found.weights @ dictionary, expected @ dictionary.numpy(), rtol=0, atol=2e-5)


def test_an_orthonormal_dictionary_by_hand() -> None:
    # Over an orthonormal dictionary every weight is max(0, <z, c> - penalty).
    target = torch.tensor([[0.5, 0.1, -0.7, 0.0]])
    found = nonnegative_lasso(target, torch.eye(4), 0.2)
    torch.testing.assert_close(found.weights, torch.tensor([[0.3, 0, 0, 0]], dtype=torch.float64), rtol=0, atol=1e-6)


def test_a_row_does_not_depend_on_the_others() -> None:
    generator = torch.Generator().manual_seed(3)
    dictionary, targets = torch.randn(30, 8, generator=generator), torch.randn(4, 8, generator=generator)
    alone = torch.cat([nonnegative_lasso(target[None], dictionary, 0.1, tolerance=1e-12).weights for target in targets])
    together = nonnegative_lasso(targets, dictionary, 0.1, tolerance=1e-12).weights
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_nothing_to_explain_and_nothing_to_explain_with() -> None:
    assert not nonnegative_lasso(torch.zeros(2, 4), torch.eye(4), 0.1).weights.any()
    assert not nonnegative_lasso(torch.ones(2, 4), torch.zeros(3, 4), 0.1).weights.any()
    assert not nonnegative_lasso(torch.ones(2, 4) / 2, torch.eye(4), 0.6).weights.any()  # no word is worth its penalty


def test_too_few_steps_are_told_by_the_gap() -> None:
    generator = torch.Generator().manual_seed(1)
    dictionary, target = torch.randn(50, 8, generator=generator), torch.randn(1, 8, generator=generator)
    assert nonnegative_lasso(target, dictionary, 0.01, most_steps=10).gap > 1e-10


def test_a_penalty_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="penalty must be above 0, found 0"):
        nonnegative_lasso(torch.ones(1, 2), torch.eye(2), 0)
