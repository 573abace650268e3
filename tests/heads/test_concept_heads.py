from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mkbench.heads import concept_heads as module
from mkbench.heads.concept_heads import ConceptHeads, find_concept_heads

CLASSES, LAYERS, HEADS, WIDTH, BANK = 5, 2, 3, 4, 7


@pytest.fixture
def random() -> tuple[Tensor, Tensor, Tensor]:
    """Contributions, texts and counts; the fourth class has no descriptors."""
    generator = torch.Generator().manual_seed(0)
    contributions = torch.randn(CLASSES, LAYERS, HEADS, WIDTH, generator=generator)
    texts = torch.nn.functional.normalize(torch.randn(BANK, WIDTH, generator=generator), dim=-1)
    weights = torch.randint(0, 4, (CLASSES, BANK), generator=generator).double()
    weights[3] = 0
    return contributions, texts, weights


def reference(contributions: Tensor, texts: Tensor, weights: Tensor, *, centred: bool) -> dict[str, np.ndarray]:
    """The formula of the docstring, one number at a time."""
    heads, rows, counts = (each.double().numpy() for each in (contributions, texts, weights))
    scores = np.full((CLASSES, CLASSES, LAYERS, HEADS), np.nan)  # images of one class, descriptors of another
    strongest = np.full((CLASSES, LAYERS, HEADS), -1)
    for images in range(CLASSES):
        for owner in range(CLASSES):
            for layer in range(LAYERS):
                for head in range(HEADS):
                    added = heads[images, layer, head]
                    terms = []
                    for concept in range(BANK):
                        text = rows[concept]
                        if centred:
                            text = text - sum(rows) / BANK
                        own = added - sum(heads[:, layer, head]) / CLASSES if centred else added
                        terms.append(counts[owner, concept] * np.dot(own, text))
                    if counts[owner].sum():
                        scores[images, owner, layer, head] = sum(terms) / counts[owner].sum()
                        if images == owner:
                            allowed = [
                                term if count else -np.inf for term, count in zip(terms, counts[owner], strict=True)
                            ]
                            strongest[images, layer, head] = int(np.argmax(allowed))
    best = scores.max(axis=(2, 3))
    others = [np.nanmean([best[one, two] for two in range(CLASSES) if two != one]) for one in range(CLASSES)]
    others = np.where(np.isnan(np.diag(best)), np.nan, others)
    own = np.diag(best)
    lower = [[best[one, two] < own[one] for two in (0, 1, 2, 4) if two != one] for one in range(CLASSES)]
    beaten = np.where(np.isnan(own), np.nan, [np.mean(each) for each in lower])
    own_scores = np.stack([scores[index, index] for index in range(CLASSES)])
    return {"scores": own_scores, "strongest": strongest, "own": own, "others": others, "beaten": beaten}


@pytest.mark.parametrize("centred", [True, False])
def test_formula(random: tuple[Tensor, Tensor, Tensor], centred: bool) -> None:
    found, expected = find_concept_heads(*random, centred=centred), reference(*random, centred=centred)
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name).numpy(), values, atol=1e-12, err_msg=name)


def test_memory_bound_changes_nothing(random: tuple[Tensor, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = find_concept_heads(*random)
    monkeypatch.setattr(module, "_ELEMENTS", 1)
    for name in ("scores", "strongest", "own", "others", "beaten"):
        torch.testing.assert_close(
            getattr(find_concept_heads(*random), name), getattr(whole, name), rtol=0, atol=1e-12, equal_nan=True
        )


def test_head_that_carries_a_descriptor_is_found() -> None:
    # Four axes: colour, tail, wing and what every head adds to everything. Only head 1 of the second layer tells the
    # classes apart: it writes colour for the first class and wing for the second.
    contributions = torch.zeros(2, 2, 2, 4)
    contributions[..., 3] = 9.0
    contributions[0, 1, 1, 0] = contributions[1, 1, 1, 2] = 1.0
    texts = torch.eye(4)[:3] * 0.8
    texts[:, 3] = 0.6  # a cone
    weights = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    found = find_concept_heads(contributions, texts, weights)
    # First class: u less its mean is 1/2 on colour and -1/2 on wing. Its descriptors are 2/3 colour and 1/3 tail, less
    # the mean of the bank, 0.8/3 on each of three axes: 0.8 (1/3, 0, -1/3). The product is 0.8 / 3.
    assert found.scores[0].tolist() == [[0, 0], [0, pytest.approx(0.8 / 3)]]
    # Second class: -1/2, 1/2 on colour and wing; 0.8 (-1/3, -1/3, 2/3): 0.8 / 2.
    assert found.scores[1].tolist() == [[0, 0], [0, pytest.approx(0.4)]]
    assert found.strongest[:, 1, 1].tolist() == [0, 2]
    assert found.shares()[:, 1, 1].tolist() == [1.0, 1.0]
    assert found.ranks().tolist() == [[[2, 3], [4, 1]]] * 2
    assert bool((found.own > found.others).all())
    # Raw products put the heads that say nothing of the class as high, for what all have in common.
    raw = find_concept_heads(contributions, texts, weights, centred=False).scores
    assert raw[0, 0, 0].item() == pytest.approx(9 * 0.6)


def test_best_heads_are_compared_with_best_heads() -> None:
    """Own descriptors that are no better than others' do not win by the choice of the head."""
    generator = torch.Generator().manual_seed(1)
    contributions = torch.randn(300, 4, 12, 16, generator=generator)
    weights = torch.rand(300, 40, generator=generator)
    found = find_concept_heads(contributions, torch.randn(40, 16, generator=generator), weights)
    assert 0.4 < float((found.own > found.others).double().mean()) < 0.6
    assert 0.45 < float(found.beaten.mean()) < 0.55


def test_few_others_stand_for_all(random: tuple[Tensor, Tensor, Tensor]) -> None:
    one = find_concept_heads(*random, num_others=1)
    expected = reference(*random, centred=True)
    assert not np.allclose(one.others[:3].numpy(), expected["others"][:3])
    assert torch.equal(one.others[:3], find_concept_heads(*random, num_others=1).others[:3])
    assert not torch.equal(one.others[:3], find_concept_heads(*random, num_others=1, seed=3).others[:3])
    torch.testing.assert_close(one.own, find_concept_heads(*random).own, equal_nan=True)


def test_classes_without_descriptors_have_no_scores(random: tuple[Tensor, Tensor, Tensor]) -> None:
    contributions, texts, weights = random
    found = find_concept_heads(*random)
    assert found.scores[3].isnan().all()
    assert (found.strongest[3] == -1).all()
    assert found.own.isnan().tolist() == found.others.isnan().tolist() == [False, False, False, True, False]
    nothing = find_concept_heads(contributions, texts, torch.zeros_like(weights))
    assert nothing.scores.isnan().all()
    assert nothing.own.isnan().all()
    alone = find_concept_heads(contributions, texts, weights * (torch.arange(CLASSES) == 2)[:, None])
    assert not alone.own[2].isnan()
    assert alone.others.isnan().all()
    assert alone.beaten.isnan().all()


def test_shares_where_nothing_is_positive() -> None:
    concept_heads = ConceptHeads(torch.tensor([[[-1.0, -2.0]]]), torch.zeros(1, 1, 2), *torch.ones(3, 1))
    assert concept_heads.shares().tolist() == [[[0.0, 0.0]]]
    assert concept_heads.ranks().tolist() == [[[1, 2]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contributions": torch.ones(2, 3, 4)}, r"contributions \(classes, layers, heads, dim\)"),
        ({"descriptors": torch.ones(7, 5)}, r"found \(2, 1, 3, 4\) and \(7, 5\)"),
        ({"weights": torch.ones(3, 7)}, r"2 x 7, found \(3, 7\)"),
        ({"contributions": torch.ones(0, 1, 3, 4), "weights": torch.ones(0, 7)}, "of at least one class, 0 x 7"),
        ({"weights": -torch.ones(2, 7)}, "weights must be finite and 0 or more"),
        ({"weights": torch.full((2, 7), torch.inf)}, "weights must be finite and 0 or more"),
        ({"num_others": 0}, "num_others must be at least 1, found 0"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Tensor], message: str) -> None:
    whole = {"contributions": torch.ones(2, 1, 3, 4), "descriptors": torch.ones(7, 4), "weights": torch.ones(2, 7)}
    with pytest.raises(ValueError, match=message):
        find_concept_heads(**(whole | change))  # type: ignore[arg-type]
