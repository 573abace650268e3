from __future__ import annotations

import pytest
import torch
from tower_kinds import KINDS, clip, random_images

from mkbench.heads import Decomposer


@pytest.mark.parametrize("kind", KINDS)
def test_products_are_those_of_the_contributions(kind: str) -> None:
    backbone = KINDS[kind]().double()
    decomposer, pixels = Decomposer(backbone), random_images(backbone, 3)
    terms, readings = decomposer(pixels, tokens=True), decomposer.read_tokens(pixels)
    directions = torch.randn(3, backbone.embed_dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.einsum("blthd,bd->blth", terms.heads, directions)
    torch.testing.assert_close(readings.along(directions), expected)
    torch.testing.assert_close(readings.embedding, terms.embedding)
    torch.testing.assert_close(readings.attention, terms.attention)
    assert readings.layers == terms.layers


def test_layers_are_those_asked_for() -> None:
    backbone = clip()
    decomposer, pixels = Decomposer(backbone), random_images(backbone, 2)
    some, every = decomposer.read_tokens(pixels, layers=[-1, 0]), decomposer.read_tokens(pixels)
    directions = torch.ones(2, backbone.embed_dim)
    assert some.layers == (2, 0)
    torch.testing.assert_close(some.along(directions), every.along(directions)[:, [2, 0]])
    with pytest.raises(ValueError, match="Expected layers of 0 to 2"):
        decomposer.read_tokens(pixels, layers=[3])


def test_directions_are_checked() -> None:
    readings = Decomposer(clip()).read_tokens(random_images(clip(), 2))
    with pytest.raises(ValueError, match=r"Expected directions \(2, 12\), got \(1, 12\)"):
        readings.along(torch.ones(1, 12))
