from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from toy_features import make_inputs

from mkbench.baselines import MMCBM
from mkbench.errors import UsageError


def numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def reference(head: MMCBM, features: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """U and logits of one image after the other, concept by concept, as the formula has it."""
    state = {name: numbers(value) for name, value in head.state_dict().items()}
    query = state["concepts"] @ state["query.weight"].T + state["query.bias"]
    activations = []
    for image in (numbers(features) - state["standardise.mean"]) / state["standardise.std"]:
        key = image @ state["key.weight"].T + state["key.bias"]
        pooled = [softmax(key @ row) @ key for row in query]
        activations.append([expit(state["direction"] @ row) for row in pooled])
    u = np.array(activations)
    scaled = (u - state["spread.running_mean"]) / np.sqrt(state["spread.running_var"] + 1e-5)
    return u, scaled @ state["classifier.weight"].T + state["classifier.bias"]


@pytest.mark.parametrize("width", [3, 16])  # narrower and wider than the features: the two orders of the product
def test_formula(width: int) -> None:
    torch.manual_seed(0)
    head = MMCBM(make_inputs(), width=width)
    for _ in range(20):  # gives the running statistics something to say
        head(torch.randn(8, 12, 5) * 2, torch.zeros(8, 6))
    head.eval()
    features = torch.randn(4, 12, 5)
    activations, logits = reference(head, features)
    np.testing.assert_allclose(numbers(head.attend(features).activations), activations, atol=1e-6)
    np.testing.assert_allclose(numbers(head(features, torch.zeros(4, 6))), logits, rtol=1e-3, atol=1e-3)


def test_class_weights_are_those_on_activations() -> None:
    torch.manual_seed(0)
    head = MMCBM(make_inputs(), width=8)
    for _ in range(20):
        head(torch.randn(8, 12, 5), torch.zeros(8, 6))
    head.eval()
    one, other = torch.rand(9), torch.rand(9)
    difference = head.classify(one[None]) - head.classify(other[None])
    torch.testing.assert_close(difference[0], head.class_weights @ (one - other), rtol=1e-4, atol=1e-4)


def test_attention_of_a_concept_sums_to_one() -> None:
    weights = MMCBM(make_inputs(), width=8).attend(torch.randn(2, 12, 5)).weights
    assert weights.shape == (2, 9, 12)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 9))


def test_width_is_checked() -> None:
    with pytest.raises(UsageError, match="option width of the head mm-cbm to be positive, found 0"):
        MMCBM(make_inputs(), width=0)
