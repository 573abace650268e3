from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mkbench.backbones import OpenClipBackbone
from mkbench.backbones.towers.relevance_rules import halve_gradient, relevance_rules


@pytest.mark.parametrize("vision", [{}, {"ls_init_value": 0.1, "no_ln_pre": True}, {"layers": 3, "head_width": 8}])
def test_the_rules_change_no_embedding_and_leave_no_hook(
    tiny: Callable[..., OpenClipBackbone], vision: dict[str, object]
) -> None:
    backbone, pixels = tiny(vision), torch.randn(3, 3, 32, 32)
    passed = backbone.embed_with_relevance(pixels)
    torch.testing.assert_close(passed.embedding.detach(), backbone.encode_image(pixels))
    assert not any(module._forward_hooks for module in backbone.model.visual.modules())


def test_a_norm_and_an_activation_pass_all_relevance_on(tiny: Callable[..., OpenClipBackbone]) -> None:
    visual = tiny({}).model.visual
    norm, activation = visual.ln_post, visual.transformer.resblocks[0].mlp.gelu
    with torch.enable_grad(), relevance_rules(visual):
        rows = torch.randn(2, norm.weight.numel(), requires_grad=True)
        (slope,) = torch.autograd.grad((norm(rows) - norm.bias).sum(), rows)
        # Without its bias: the sum of gradient times input is the sum of what the norm gives.
        torch.testing.assert_close((slope * rows).sum(), (norm(rows) - norm.bias).sum())
        values = torch.tensor([-1.5, 0.0, 2.0], requires_grad=True)
        (slope,) = torch.autograd.grad(activation(values).sum(), values)
        torch.testing.assert_close(slope * values, activation(values))


def test_half_of_a_gradient_passes() -> None:
    values = torch.tensor([2.0, -3.0], requires_grad=True)
    halved = halve_gradient(values)
    assert torch.equal(halved, values)
    assert torch.autograd.grad(halved.square().sum(), values)[0].tolist() == [2.0, -3.0]
