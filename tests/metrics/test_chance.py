"""The chance level: vision concepts against the language concepts of other classes."""

import math

import numpy as np
import pytest
import torch

from mkbench.metrics import MutualInformationExcess
from mkbench.metrics.functional import (
    Membership,
    chance,
    chance_curves,
    grouped_curves,
    membership,
    mutual_information_curve,
)
from mkbench.metrics.functional.estimators import Estimator

BANK = 30


def family(classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Language concepts (classes, 8), vision concepts (5, 6) with padding, counts and conditioning classes."""
    rng = np.random.default_rng(seed)
    language = torch.from_numpy(np.stack([rng.permutation(BANK)[:8] for _ in range(classes)]))
    ids = torch.from_numpy(np.stack([rng.permutation(BANK)[:6] for _ in range(5)]))
    counts = torch.tensor([6, 4, 0, 6, 1])
    ids[torch.arange(6) >= counts[:, None]] = -1
    return language, ids, counts, torch.from_numpy(rng.integers(0, classes, 5))


@pytest.mark.parametrize("estimator", ["paper", "shannon"])
def test_chance_is_the_mean_over_the_other_classes(estimator: Estimator) -> None:
    language, ids, counts, own = family(7)
    curves = chance_curves(
        ids, counts, membership(language, BANK), own, num_language=8, estimator=estimator, bank_size=BANK
    )
    assert curves.shape == (5, 7)
    for i, count in enumerate(counts.tolist()):
        others = [
            mutual_information_curve(
                ids[i, :count], -torch.arange(count), concepts, estimator=estimator, bank_size=BANK
            )
            for c, concepts in enumerate(language)
            if c != own[i]
        ]
        torch.testing.assert_close(curves[i, : count + 1], torch.stack(others).mean(0), rtol=0, atol=1e-12)
        assert not curves[i, count:].any()


def test_hand_computed_chance() -> None:
    # D_v = {0, 1} of class 0. Class 1 names {0, 2}: curve ln 4, 0, 0. Class 2 names {1, 3}: ln 4, ln 4, 0. Mean:
    member = membership(torch.tensor([[0, 1], [0, 2], [1, 3]]), 4)
    curve = chance_curves(torch.tensor([[0, 1]]), torch.tensor([2]), member, torch.tensor([0]), num_language=2)
    assert curve[0].tolist() == pytest.approx([math.log(4), math.log(2), 0.0])


def test_value_does_not_depend_on_the_batch_or_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    language, ids, counts, own = family(30)
    member = membership(language, BANK)
    whole = chance_curves(ids, counts, member, own, num_language=8, max_classes=11, seed=4)
    for i in range(5):
        row = slice(i, i + 1)
        single = chance_curves(ids[row], counts[row], member, own[row], num_language=8, max_classes=11, seed=4)
        torch.testing.assert_close(single[0], whole[i], rtol=0, atol=1e-12)  # sums in another order
    monkeypatch.setattr(chance, "_VALUES_PER_CHUNK", 200)  # two images a chunk
    chunked = chance_curves(ids, counts, member, own, num_language=8, max_classes=11, seed=4)
    torch.testing.assert_close(chunked, whole, rtol=0, atol=1e-12)


def test_every_image_sees_exactly_max_classes_others() -> None:
    # Class c names descriptor c alone, image c shows it alone. An image's chance level is the mean of five values,
    # "equal" for class c itself if it is among the five and "disjoint" else, so it tells whether class c was compared.
    member = membership(torch.arange(BANK)[:, None], BANK)
    ids, counts = torch.arange(BANK)[:, None], torch.ones(BANK, dtype=torch.long)
    for own in (0, 17):
        conditioning = torch.full((BANK,), own)
        values = chance_curves(
            ids, counts, member, conditioning, num_language=1, estimator="shannon", bank_size=BANK, max_classes=5
        )[:, 0]
        # x = y gives the entropy of 1 in 30, another entry the information of two disjoint singletons.
        equal = -(math.log(1 / 30) / 30 + 29 / 30 * math.log(29 / 30))
        disjoint = 2 / 30 * math.log(30 / 29) + 28 / 30 * math.log(28 * 30 / 29**2)
        compared = ((values - disjoint) * 5 / (equal - disjoint)).round().long()
        assert compared.sum() == 5
        assert set(compared.tolist()) == {0, 1}
        assert compared[own] == 0


def test_seed_alone_decides_which_classes_are_drawn() -> None:
    language, ids, counts, own = family(30)
    member = membership(language, BANK)
    first, again, other = (
        chance_curves(ids, counts, member, own, num_language=8, max_classes=3, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_all_classes_are_used_up_to_the_limit() -> None:
    language, ids, counts, own = family(12)
    member = membership(language, BANK)
    exact = chance_curves(ids, counts, member, own, num_language=8)
    # Eleven others: a limit of eleven leaves none out, whatever the seed.
    assert torch.equal(chance_curves(ids, counts, member, own, num_language=8, max_classes=11, seed=9), exact)
    assert not torch.equal(chance_curves(ids, counts, member, own, num_language=8, max_classes=10, seed=9), exact)


def test_one_class_and_no_images() -> None:
    member = membership(torch.tensor([[0, 1]]), 3)
    ids, counts, own = torch.tensor([[0, 1]]), torch.tensor([2]), torch.tensor([0])
    assert chance_curves(ids, counts, member, own, num_language=2).isnan().tolist() == [[True] * 3]
    assert chance_curves(ids[:0], counts[:0], member, own[:0], num_language=2).shape == (0, 3)
    assert chance_curves(ids[:, :0], counts * 0, member, own, num_language=2).isnan().tolist() == [[True]]


def test_membership_leaves_out_ids_outside_the_bank() -> None:
    assert membership(torch.tensor([[0, 2], [-1, 3]]), 3).int().tolist() == [[1, 0, 1], [0, 0, 0]]
    with pytest.raises(ValueError, match="language_ids must be"):
        membership(torch.tensor([0, 1]), 3)


def test_wrong_input_is_named() -> None:
    language, ids, counts, own = family(4)
    member = membership(language, BANK)
    with pytest.raises(ValueError, match=r"conditioning must hold classes of the membership table, 0\.\.3"):
        chance_curves(ids, counts, member, own + 4, num_language=8)
    with pytest.raises(ValueError, match=r"entries of the membership table's bank, 0\.\.29"):
        chance_curves(ids + 30, counts, member, own, num_language=8)
    with pytest.raises(ValueError, match=r"expected vision_ids \(images, ids\)"):
        chance_curves(ids, counts[:1], member, own, num_language=8)
    with pytest.raises(ValueError, match="max_classes must be at least 1"):
        chance_curves(ids, counts, member, own, num_language=8, max_classes=0)


def test_rows_built_on_demand_give_the_same_and_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    language = torch.rand(300, 40, generator=generator).argsort(dim=1)[:, :8]
    ids, counts = torch.rand(5, 40, generator=generator).argsort(dim=1)[:, :6], torch.tensor([6, 3, 0, 1, 6])
    own, groups = torch.tensor([0, 299, 7, 7, 150]), torch.arange(40) // 3
    dense, built = membership(language, 40), []

    def note(some: torch.Tensor, bank_size: int) -> torch.Tensor:
        built.append(len(some))
        return membership(some, bank_size)

    monkeypatch.setattr("mkbench.metrics.functional.chance.membership", note)
    lazy = Membership(language, 40)
    assert (len(lazy), lazy.shape) == (300, (300, 40))
    found, expected = (chance_curves(ids, counts, table, own, num_language=8) for table in (lazy, dense))
    assert torch.equal(found, expected)
    grouped = [grouped_curves(ids, counts, table, own, groups) for table in (lazy, dense)]
    assert torch.equal(grouped[0].curves, grouped[1].curves)
    metric = MutualInformationExcess(bank_size=40)
    metric.update(ids, torch.rand(5, 6), language, own)
    assert sorted(set(built)) == [5, 201]  # the images' own classes, and those that were drawn; never all 300
