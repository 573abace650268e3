from __future__ import annotations

import pytest
import torch

from mkbench.backbones.finite import require_finite_embeddings, require_finite_weights, require_varied_embeddings
from mkbench.errors import BackboneError


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite(value: float) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    require_finite_weights(model, "toy")
    with torch.no_grad():
        model[0].bias[1] = value
    with pytest.raises(BackboneError, match=r"finite weights of toy, found NaN or infinity in 0.bias;"):
        require_finite_weights(model, "toy")


def test_buffers_may_hold_masks_but_no_nan() -> None:
    model = torch.nn.BatchNorm1d(2)
    model.register_buffer("mask", torch.full((2, 2), -torch.inf))
    require_finite_weights(model, "toy")
    model.running_var[0] = torch.nan
    with pytest.raises(BackboneError, match="in running_var;"):
        require_finite_weights(model, "toy")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_images_whose_embedding_is_not_finite_are_named(value: float) -> None:
    embeddings = torch.ones(6, 3)
    embeddings[1, 2] = value
    with pytest.raises(BackboneError, match=r"embeddings of toy, found NaN or infinity for b.png; with "):
        require_finite_embeddings(embeddings, [f"{letter}.png" for letter in "abcdef"], model="toy")
    embeddings[2:] = value
    with pytest.raises(BackboneError, match=r"for b.png, c.png, d.png and 2 more;"):
        require_finite_embeddings(embeddings, [f"{letter}.png" for letter in "abcdef"], model="toy")


def test_one_embedding_for_all_images() -> None:
    images = torch.arange(12).reshape(3, 1, 2, 2)
    constant = torch.full((3, 4), 7.0) + torch.rand(3, 4) * 1e-6
    with pytest.raises(BackboneError, match="toy that differ between images, found the same for all of 3"):
        require_varied_embeddings(constant, images, model="toy")
    require_varied_embeddings(constant, images[:1].expand(3, 1, 2, 2), model="toy")  # the same image three times
    require_varied_embeddings(constant[:1], images[:1], model="toy")
    constant[2, 3] += 0.001
    require_varied_embeddings(constant, images, model="toy")
