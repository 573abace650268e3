from __future__ import annotations

import pytest
import torch
from toy_classes import ColourBackbone

from mkbench.concepts.class_score import class_scores, gradients, require_full_precision
from mkbench.errors import UsageError


def test_gradients_pass_within_inference_mode_and_without() -> None:
    def slope_at(values: torch.Tensor) -> torch.Tensor:
        with gradients(values) as (own,):
            steep = torch.tensor(2.0, requires_grad=True)
            return torch.autograd.grad((steep * own).square().sum(), steep)[0]

    # d/ds sum (s v)^2 = 2 s sum v^2 = 2 * 2 * (1 + 9)
    expected = torch.tensor(40.0)
    assert torch.equal(slope_at(torch.tensor([1.0, 3.0])), expected)
    with torch.no_grad():
        assert torch.equal(slope_at(torch.tensor([1.0, 3.0])), expected)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert torch.equal(slope_at(torch.tensor([1.0, 3.0])), expected)
        assert torch.is_inference_mode_enabled()


def test_tensors_that_can_be_used_are_not_copied() -> None:
    values = torch.ones(2)
    with gradients(values) as (own,):
        assert own is values


def test_every_image_is_scored_for_its_own_class() -> None:
    embedding = torch.tensor([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])
    classes = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    torch.testing.assert_close(class_scores(embedding, classes), torch.tensor([0.6, -0.8, 0.0]))


def test_half_precision_is_refused() -> None:
    backbone = ColourBackbone()
    require_full_precision(backbone)
    with pytest.raises(UsageError, match=r"fp32 for maps made of gradients, found bfloat16; set --model.precision 32"):
        require_full_precision(backbone.to(torch.bfloat16))
