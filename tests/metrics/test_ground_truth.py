"""Descriptors and parts against what is known of the images."""

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score, precision_score, recall_score

from mkbench.metrics.functional import descriptor_agreement, named_part_iou, object_driven

IMAGES, BANK, MOST = 30, 40, 9


def test_shares_match_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, MOST + 1, IMAGES)
    visible = rng.random((IMAGES, BANK)) < rng.choice([0.05, 0.4], (IMAGES, 1))
    visible[:, 0] = True
    ids = np.full((IMAGES, MOST), -1)
    named = np.zeros((IMAGES, BANK), bool)
    for image, count in enumerate(counts):
        ids[image, :count] = rng.permutation(BANK)[:count]
        named[image, ids[image, :count]] = True
    found = descriptor_agreement(*map(torch.from_numpy, (ids, counts, visible)))
    for image in range(IMAGES):
        assert found.precision[image] == pytest.approx(precision_score(visible[image], named[image], zero_division=0))
        assert found.recall[image] == pytest.approx(recall_score(visible[image], named[image]))
        assert found.chance[image] == pytest.approx(visible[image].mean())
    # The best |D_v| concepts would all be visible, or be all that is visible.
    bound = [min(count, shown) / shown for count, shown in zip(counts, visible.sum(1), strict=True)]
    assert found.recall_bound.tolist() == pytest.approx(bound)
    assert (found.recall <= found.recall_bound).all()
    assert (found.recall_bound < 1).any()
    assert (found.recall_bound == 1).any()


def test_padding_is_no_descriptor() -> None:
    # Padding of any kind, even an id that can be seen, is behind the count.
    found = descriptor_agreement(torch.tensor([[1, 0]]), torch.tensor([1]), torch.tensor([[True, False]]))
    assert (found.precision.item(), found.recall.item()) == (0.0, 0.0)


def test_chance_is_the_mean_over_random_sets() -> None:
    visible = torch.zeros(1, BANK, dtype=torch.bool)
    visible[0, :11] = True
    generator = torch.Generator().manual_seed(0)
    ids = torch.stack([torch.randperm(BANK, generator=generator)[:MOST] for _ in range(4000)])
    found = descriptor_agreement(ids, torch.full((4000,), MOST), visible.expand(4000, -1))
    assert found.precision.mean().item() == pytest.approx(found.chance[0].item(), abs=0.01)
    assert found.chance[0].item() == 11 / BANK


def test_nothing_named_or_nothing_to_see() -> None:
    ids = torch.tensor([[-1, -1], [0, -1]])
    found = descriptor_agreement(ids, torch.tensor([0, 1]), torch.tensor([[True, False], [False, False]]))
    assert found.precision.isnan().tolist() == [True, False]
    assert found.recall.isnan().tolist() == [False, True]
    assert (found.precision[1].item(), found.recall[0].item(), found.recall_bound[0].item()) == (0.0, 0.0, 0.0)


def test_wrong_descriptors() -> None:
    visible = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(
        ValueError, match=r"ids \(images, concepts\) and counts \(images,\) of 2 images, found \(1, 2\)"
    ):
        descriptor_agreement(torch.zeros(1, 2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64), visible)
    with pytest.raises(ValueError, match="expected ids of 3 descriptors, found 3"):
        descriptor_agreement(torch.full((2, 1), 3), torch.ones(2, dtype=torch.int64), visible)


def test_overlap_matches_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    parts, true = rng.random((6, 4, 8, 8)) < 0.3, rng.random((6, 3, 8, 8)) < 0.4
    true[:, 2] = rng.random((6, 1, 1)) < 0.5  # a part that is everywhere or cannot be seen
    parts[::2, 3] = False
    named = rng.integers(-1, 3, (6, 4))
    found = named_part_iou(*map(torch.from_numpy, (parts, named, true)))
    for image in range(6):
        pairs = [(parts[image, part], true[image, name]) for part, name in enumerate(named[image]) if name >= 0]
        values = [jaccard_score(b.ravel(), a.ravel()) for a, b in pairs if a.any() and b.any()]
        assert found[image].item() == pytest.approx(np.mean(values)), values


def test_two_parts_by_hand() -> None:
    # Columns 0-1 against the true columns 1-2: 1 of 3. Column 3 against itself: 1. A third part names nothing.
    columns = torch.arange(4)
    parts = torch.stack([columns < 2, columns == 3, columns == 0])[None, :, None]
    true = torch.stack([columns == 3, (columns == 1) | (columns == 2)])[None, :, None]
    assert named_part_iou(parts, torch.tensor([[1, 0, -1]]), true).item() == pytest.approx((1 / 3 + 1) / 2)


def test_nothing_to_compare() -> None:
    nothing, all_of_it = torch.zeros(1, 1, 2, 2, dtype=torch.bool), torch.ones(1, 1, 2, 2, dtype=torch.bool)
    assert named_part_iou(all_of_it, torch.tensor([[-1]]), all_of_it).isnan().all()
    assert named_part_iou(all_of_it, torch.tensor([[0]]), nothing).isnan().all()
    assert named_part_iou(nothing, torch.tensor([[0]]), all_of_it).isnan().all()
    assert named_part_iou(all_of_it, torch.tensor([[0]]), all_of_it).tolist() == [1.0]


def test_first_part_is_driven_by_the_object_as_in_numpy() -> None:
    rng = np.random.default_rng(2)
    parts, true = rng.random((40, 3, 6, 6)) < 0.4, rng.random((40, 6, 6)) < 0.5
    parts[::3, 0], parts[::6, 1], parts[::12] = False, False, False
    found = object_driven(torch.from_numpy(parts), torch.from_numpy(true)).numpy()
    for image in range(40):
        there = [part for part in parts[image] if part.any()]
        expected = float(true[image][there[0]].mean() > 0.5) if there else np.nan
        np.testing.assert_equal(found[image], expected)
    assert set(found[~np.isnan(found)]) == {0.0, 1.0}


def test_half_of_a_part_is_not_more_than_half_and_no_parts_have_no_value() -> None:
    part, half = torch.ones(1, 1, 2, 2, dtype=torch.bool), torch.tensor([[[True, True], [False, False]]])
    assert object_driven(part, half).tolist() == [0.0]
    assert object_driven(part[:, :0], half).isnan().all()
    with pytest.raises(ValueError, match=r"expected part pixels .* found \(1, 1, 2, 2\) and \(1, 1, 2\)"):
        object_driven(part, half[:, :1])


@pytest.mark.parametrize(
    ("named", "true"), [(torch.zeros(1, 2), torch.ones(1, 1, 2, 2)), (torch.zeros(1, 1), torch.ones(1, 1, 2, 3))]
)
def test_wrong_shapes(named: torch.Tensor, true: torch.Tensor) -> None:
    with pytest.raises(
        ValueError, match=r"expected part pixels \(images, parts, height, width\), a named part for each"
    ):
        named_part_iou(torch.ones(1, 1, 2, 2, dtype=torch.bool), named.long(), true.bool())
