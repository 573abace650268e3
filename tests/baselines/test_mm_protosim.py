from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit
from toy_features import make_inputs

from mkbench.baselines import MMProtoSim


def make_head() -> MMProtoSim:
    torch.manual_seed(0)
    return MMProtoSim(make_inputs(), width=8)


def test_evaluation_gives_every_patch_to_exactly_one_concept() -> None:
    head, features = make_head().eval(), torch.randn(3, 12, 5)
    weights = head.attend(features).weights  # (images, bank, patches)
    assert set(weights.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(weights.sum(dim=1), torch.ones(3, 12))
    scores = head.scores(head.standardise(features)).detach().numpy()
    np.testing.assert_array_equal(weights.argmax(dim=1).numpy(), scores.argmax(axis=1))


def test_evaluation_has_no_noise_and_ties_go_to_the_lowest_concept() -> None:
    head, features = make_head().eval(), torch.randn(3, 12, 5)
    assert torch.equal(head.attend(features).weights, head.attend(features).weights)
    assert head.weights(torch.zeros(1, 9, 2))[0, 0].tolist() == [1.0, 1.0]


def test_training_samples_one_concept_for_each_patch_and_all_scores_learn() -> None:
    head, scores = make_head(), torch.zeros(1, 9, 400, requires_grad=True)
    weights = head.weights(scores)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(1, 400))
    torch.testing.assert_close(weights.max(dim=1).values, torch.ones(1, 400))
    # Equal scores: each of nine concepts is drawn for about 400 / 9 = 44 patches, give or take 6.
    assert ((weights.round().sum(dim=2) - 44).abs() < 25).all()
    (weights[0, 0] * torch.randn(400)).sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad.abs().min() > 0


def test_a_concept_sums_over_its_patches() -> None:
    head, features = make_head().eval(), torch.randn(2, 12, 5)
    state = {name: value.double().numpy() for name, value in head.state_dict().items()}
    seen = head.attend(features)
    key = head.standardise(features).double().numpy() @ state["key.weight"].T + state["key.bias"]
    pooled = np.einsum("bdn,bnq->bdq", seen.weights.numpy(), key)
    np.testing.assert_allclose(seen.activations.detach().numpy(), expit(pooled @ state["direction"]), atol=1e-6)
    alone = seen.weights.sum(dim=2) == 0
    assert alone.any()
    assert (seen.activations[alone] == 0.5).all()
