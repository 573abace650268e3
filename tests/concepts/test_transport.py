import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from mkbench.concepts import sinkhorn


def plain_sinkhorn(scores, temperature=1.0, rounds=1000):
    plan = np.exp(scores / temperature)
    for _ in range(rounds):
        plan = plan / plan.sum(axis=1, keepdims=True)
        plan = plan / plan.sum(axis=0, keepdims=True)
    return plan


def random_scores(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("shape", [(5, 40), (3, 3), (6, 2), (1, 4), (4, 1)])
def test_equals_a_thousand_plain_rounds(shape, temperature):
    scores = random_scores(*shape)
    expected = plain_sinkhorn(scores.numpy(), temperature)
    np.testing.assert_allclose(sinkhorn(scores, temperature=temperature).numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_every_round_is_rows_then_columns(rounds):
    scores = random_scores(4, 7)
    expected = plain_sinkhorn(scores.numpy(), rounds=rounds)
    np.testing.assert_allclose(sinkhorn(scores, max_iters=rounds).numpy(), expected, atol=1e-12)


def test_rows_and_columns_are_balanced():
    plan = sinkhorn(random_scores(2, 3, 5, 20))
    torch.testing.assert_close(plan.sum(dim=-2), torch.ones(2, 3, 20, dtype=torch.float64))
    torch.testing.assert_close(plan.sum(dim=-1), torch.full((2, 3, 5), 4.0, dtype=torch.float64))


def test_worked_by_hand():
    # exp(scores) = [[2, 1], [1, 2]] is symmetric: rows and columns sum to 3, one division balances both.
    plan = sinkhorn(torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64).log())
    np.testing.assert_allclose(plan.numpy(), [[2 / 3, 1 / 3], [1 / 3, 2 / 3]], atol=1e-12)


@pytest.mark.parametrize("temperature", [0.1, 0.01, 0.001])
def test_small_temperatures_do_not_underflow(temperature):
    # At 0.001 the exponents span some 5000, far beyond the 745 that a plain exponential holds.
    scores = random_scores(4, 9)
    logs, rounds = scores.numpy() / temperature, 1000
    for _ in range(rounds):
        logs = logs - logsumexp(logs, axis=1, keepdims=True)
        logs = logs - logsumexp(logs, axis=0, keepdims=True)
    plan = sinkhorn(scores, temperature=temperature)
    np.testing.assert_allclose(plan.numpy(), np.exp(logs), atol=1e-8)
    np.testing.assert_allclose(plan.sum(dim=0).numpy(), 1, atol=1e-12)


def test_plan_does_not_depend_on_the_batch():
    # Neighbors that converge earlier, later and on logarithms.
    scores = random_scores(4, 5, 12) * torch.tensor([0.01, 1.0, 30.0, 4000.0])[:, None, None]
    together = sinkhorn(scores)
    for place, item in enumerate(scores):
        torch.testing.assert_close(sinkhorn(item), together[place], atol=1e-12, rtol=0)


def test_equal_columns_get_equal_plans():
    # Exactly equal, so that a stable sort breaks the tie by index.
    scores = random_scores(5, 37)
    scores[:, 30] = scores[:, 2]
    plan = sinkhorn(scores)
    assert torch.equal(plan[:, 30], plan[:, 2])


def test_constant_shift_changes_nothing():
    scores = random_scores(4, 6)
    torch.testing.assert_close(sinkhorn(scores + 1e4), sinkhorn(scores), atol=1e-9, rtol=0)


@pytest.mark.parametrize("spread", [1.0, 2000.0])
def test_masked_rows_and_columns_carry_nothing(spread):
    scores = random_scores(2, 4, 6) * spread
    mask = torch.zeros(2, 4, 6, dtype=torch.bool)
    mask[0, :3, 1:5] = True  # the second item is masked altogether
    plan = sinkhorn(torch.where(mask, scores, torch.nan), mask=mask)
    torch.testing.assert_close(plan[0, :3, 1:5], sinkhorn(scores[0, :3, 1:5]), atol=1e-10, rtol=0)
    assert not plan[~mask].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_type_and_empty_shapes(dtype):
    assert sinkhorn(torch.zeros(2, 3, dtype=dtype)).dtype == dtype
    assert sinkhorn(torch.zeros(0, 3, 4, dtype=dtype)).shape == (0, 3, 4)
    assert sinkhorn(torch.zeros(3, 0, dtype=dtype)).shape == (3, 0)


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (torch.zeros(3), {}, "parts, candidates"),
        (torch.zeros(3, 3, dtype=torch.int64), {}, "must be floating"),
        (torch.full((2, 2), float("nan")), {}, "scores must be finite"),
        (torch.zeros(2, 2), {"temperature": 0.0}, "temperature must be positive"),
        (torch.zeros(2, 2), {"max_iters": 0}, "max_iters at least 1"),
        (torch.zeros(2, 2), {"mask": torch.ones(2, dtype=torch.bool)}, "mask must be bool"),
    ],
)
def test_wrong_input_is_refused(scores, options, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn(scores, **options)
