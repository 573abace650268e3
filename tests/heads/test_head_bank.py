from __future__ import annotations

import pytest
import torch
from tower_kinds import clip, random_images
from toy_contributions import random_toy

from mkbench.heads import HeadBank, decompose


def make_bank(ids: tuple[str, ...] = ("a", "b", "c"), seed: int = 0, model: str = "m") -> HeadBank:
    heads = random_toy(len(ids), 2, 3, 4, seed=seed)
    return HeadBank.from_contributions(heads, ids, model=model)


def test_rows_of_a_real_model_are_unit_contributions() -> None:
    backbone = clip().double()
    images = random_images(backbone, 3)
    terms = decompose(backbone, images, layers=[1, 2], tokens=True)
    bank = HeadBank.from_contributions(terms, ["a", "b", "c"])
    expected = terms.heads[:, 1, :, 0].sum(1) / backbone.encode_image(images).norm(dim=1, keepdim=True)
    torch.testing.assert_close(bank.rows([(2, 0)]), expected, check_dtype=False, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(
        HeadBank.from_contributions(decompose(backbone, images, layers=[1, 2]), ["a", "b", "c"]).heads, bank.heads
    )


def test_rows_average_the_heads() -> None:
    bank = make_bank()
    torch.testing.assert_close(bank.rows([(0, 2), (1, 0)]), (bank.heads[:, 0, 2] + bank.heads[:, 1, 0]) / 2)
    assert (len(bank), bank.find("b"), bank.find("z"), bank.find(None)) == (3, 1, None, None)


def test_banks_are_joined() -> None:
    joined = HeadBank.concatenate([make_bank(), make_bank(("d",), seed=1)])
    assert joined.ids == ("a", "b", "c", "d")
    torch.testing.assert_close(joined.heads[3:], make_bank(("d",), seed=1).heads)
    with pytest.raises(ValueError, match="same layers of one model"):
        HeadBank.concatenate([make_bank(), make_bank(("d",), model="other")])
    with pytest.raises(ValueError, match="same layers"):
        HeadBank.concatenate([])
    with pytest.raises(ValueError, match="every image once"):
        HeadBank.concatenate([make_bank(), make_bank()])


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"Expected heads \(1, 1, H, d\) .* got \(2, 1, 3, 4\)"):
        HeadBank(torch.zeros(2, 1, 3, 4), ("a",), (0,))
    with pytest.raises(ValueError, match="every layer once"):
        HeadBank(torch.zeros(1, 2, 3, 4), ("a",), (5, 5))


def test_some_layers_are_kept() -> None:
    terms = random_toy(3, 4, 2, 5, layers=(1, 2, 3, 4))
    bank = HeadBank.from_contributions(terms, ["a", "b", "c"], layers=(4, 2))
    assert bank.layers == (4, 2)
    torch.testing.assert_close(bank.heads, terms.heads[:, [3, 1]])
    with pytest.raises(ValueError, match=r"Expected layers of \[1, 2, 3, 4\], got \[0\]"):
        HeadBank.from_contributions(terms, ["a", "b", "c"], layers=[0])
