from __future__ import annotations

import pytest
import torch
from toy_contributions import random_toy, toy

from mkbench.heads.head_values import patch_contributions, pick_heads, unit_heads


def test_embeddings_get_length_one_with_and_without_tokens() -> None:
    by_token = random_toy(2, 3, 5, 4, 6, length=2.5)
    torch.testing.assert_close(unit_heads(by_token), by_token.heads / 2.5)
    summed = toy(by_token.head_sums(), length=2.5)
    torch.testing.assert_close(unit_heads(summed), unit_heads(by_token).sum(2))
    zero = random_toy(1, 1, 1, 2, length=0.0)
    assert torch.equal(unit_heads(zero), zero.heads)


def test_heads_are_found_by_the_number_of_their_layer() -> None:
    values = torch.arange(12.0).view(2, 3, 2, 1)  # (images, layers, heads, width)
    picked = pick_heads(values, [(9, 1), (7, 0)], layers=(7, 8, 9))
    assert picked[..., 0].tolist() == [[5.0, 0.0], [11.0, 6.0]]


@pytest.mark.parametrize("heads", [[], [(6, 0)], [(7, 2)], [(7, -1)]])
def test_heads_that_are_not_there(heads: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"Expected heads of the layers \[7, 8\], 0 to 1, got"):
        pick_heads(torch.zeros(2, 2, 1), heads, layers=(7, 8))


def test_patches_are_the_last_tokens() -> None:
    terms = random_toy(2, 1, 8, 3, 4)  # a class token, a register, and 2 x 3 patches
    torch.testing.assert_close(patch_contributions(terms, (2, 3)), terms.heads[:, :, 2:])
    with pytest.raises(ValueError, match="decompose with tokens=True"):
        patch_contributions(random_toy(2, 1, 3, 4), (2, 3))
    for grid in ((3, 3), (0, 3)):
        with pytest.raises(ValueError, match=r"a grid of at most 8 patches, got"):
            patch_contributions(terms, grid)
