from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_features import make_inputs, make_set

from mkbench.baselines import LFCBM
from mkbench.errors import UsageError


def test_formula() -> None:
    torch.manual_seed(0)
    features = make_set()
    inputs = make_inputs(features)
    head = LFCBM(inputs, kept=4)
    embedding = torch.cat([chunk.embedding for chunk in features.chunks])
    unit = embedding.double().numpy()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines = unit @ inputs.concepts.double().numpy().T
    weight = head.classifier.weight.detach().double().numpy()
    for row in weight:
        row[np.argsort(-np.abs(row), kind="stable")[4:]] = 0
    expected = (cosines - cosines.mean(0)) / cosines.std(0) @ weight.T + head.classifier.bias.detach().numpy()
    found = head(torch.zeros(len(embedding), 12, 5), embedding)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-4)


def test_weights_that_are_not_used_learn_too() -> None:
    torch.manual_seed(0)
    head = LFCBM(make_inputs(), kept=2)
    assert head.sparse_weights.count_nonzero(dim=1).tolist() == [2, 2, 2]
    head(torch.zeros(5, 12, 5), torch.randn(5, 6)).square().sum().backward()  # type: ignore[no-untyped-call]
    assert head.classifier.weight.grad is not None
    assert head.classifier.weight.grad.abs().min() > 0


def test_more_than_there_are_is_all() -> None:
    head = LFCBM(make_inputs(), kept=50)
    assert torch.equal(head.sparse_weights, head.classifier.weight)


def test_number_is_checked() -> None:
    with pytest.raises(UsageError, match="option kept of the head lf-cbm to be positive, found 0"):
        LFCBM(make_inputs(), kept=0)
