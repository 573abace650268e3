from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mkbench.heads import HeadContributions, mean_ablate
from mkbench.heads.head_removal import group_scores, remove_heads, resample_group_scores
from mkbench.heads.store import ContributionStore, StoredGroup
from mkbench.heads.stored_contributions import write_contributions

LAYERS = (2, 3)


def terms_of(images: int, seed: int) -> HeadContributions:
    """Two layers of three heads in a space of four dimensions; the embedding is the sum of all terms."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(images, *shape, generator=generator)

    heads, mlp, initial, rest, constant = draw(2, 3, 4), draw(5, 4), draw(4), draw(4), draw(4)
    total = heads.sum(dim=(1, 2)) + mlp.sum(dim=1) + initial + rest + constant
    return HeadContributions(heads, mlp, initial, rest, constant, total, draw(2, 3, 0), LAYERS)


@pytest.fixture
def store(tmp_path: Path) -> ContributionStore:
    """A class of three images, and one of 150, more than are edited at once."""
    groups = []
    for label, images in enumerate((3, 150)):
        ids = tuple(f"{label}/{number}" for number in range(images))
        path = write_contributions(tmp_path, f"{label:05d}-000", terms_of(images, label), ids, fingerprint="f")
        groups.append(StoredGroup(path, ids, label))
    return ContributionStore(tmp_path, LAYERS, 3, 4, tuple(groups))


def test_accuracies_of_groups_by_hand() -> None:
    # Group 0: right, right, wrong, right; group 2: wrong, right; no image in group 1.
    correct = torch.tensor([True, False, True, False, True, True])
    groups = torch.tensor([0, 2, 0, 0, 2, 0])
    scores = group_scores(correct, groups, num_groups=3)
    assert scores.groups[[0, 2]].tolist() == [0.75, 0.5]
    assert scores.groups[1].isnan()
    assert (scores.worst.item(), scores.balanced.item()) == (0.5, 0.625)
    assert scores.accuracy.item() == pytest.approx(4 / 6)
    rows = group_scores(torch.stack([correct, ~correct]), groups, num_groups=3)
    assert rows.worst.tolist() == [0.5, 0.25]


def test_one_group_is_its_own_worst() -> None:
    scores = group_scores(torch.tensor([1, 0, 1, 1]), torch.zeros(4, dtype=torch.int64), num_groups=1)
    assert scores.accuracy == scores.balanced == scores.worst == scores.groups[0] == 0.75


def test_all_right_is_certain() -> None:
    groups = torch.tensor([0, 1, 1])
    drawn = resample_group_scores(torch.ones(2, 3), groups, num_groups=2, resamples=20)
    assert all(bool((values == 1).all()) for values in drawn)


def test_samples_hold_every_group_in_its_size() -> None:
    """One right image of 50 in group 0, all right in group 1: only group 0 varies, around 0.02."""
    correct, groups = torch.zeros(90), torch.zeros(90, dtype=torch.int64)
    correct[0], groups[50:], correct[50:] = 1, 1, 1
    drawn = resample_group_scores(correct, groups, num_groups=3, resamples=4000)
    assert bool((drawn.groups[:, 1] == 1).all())
    assert bool(drawn.groups[:, 2].isnan().all())
    assert torch.equal(drawn.worst, drawn.groups[:, 0])
    torch.testing.assert_close(drawn.accuracy, (50 * drawn.groups[:, 0] + 40) / 90)
    torch.testing.assert_close(drawn.balanced, (drawn.groups[:, 0] + 1) / 2)
    # Of n images with share p, the resampled share has variance p (1 - p) / n; 4000 samples find it within 10 %.
    assert drawn.groups[:, 0].var().item() == pytest.approx(0.02 * 0.98 / 50, rel=0.1)


def test_rows_see_the_same_samples_and_groups_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    row = torch.rand(60, generator=generator) < 0.5
    both = torch.cat([row, row])
    groups = torch.tensor([0] * 60 + [1] * 60)
    drawn = resample_group_scores(torch.stack([both, both, ~both]), groups, num_groups=2)
    assert torch.equal(drawn.groups[:, 0], drawn.groups[:, 1])
    torch.testing.assert_close(drawn.groups[:, 0], 1 - drawn.groups[:, 2])
    first, second = drawn.groups[:, 0].T.numpy()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15


@pytest.mark.parametrize(
    ("correct", "groups", "message"),
    [
        (torch.ones(0), torch.zeros(0, dtype=torch.int64), r"groups \(K,\) of 0 images, at least one, got \(0,\)"),
        (torch.ones(3), torch.zeros(2, dtype=torch.int64), r"groups \(K,\) of 3 images, at least one, got \(2,\)"),
        (torch.ones(2), torch.tensor([0, 2]), "groups of 0 to 1, got 0 to 2"),
        (torch.ones(2), torch.tensor([-1, 0]), "groups of 0 to 1, got -1 to 0"),
    ],
)
def test_groups_that_do_not_fit(correct: torch.Tensor, groups: torch.Tensor, message: str) -> None:
    for scores in (group_scores, resample_group_scores):
        with pytest.raises(ValueError, match=message):
            scores(correct, groups, num_groups=2)


def test_no_samples() -> None:
    with pytest.raises(ValueError, match="at least one bootstrap sample, got 0"):
        resample_group_scores(torch.ones(1), torch.zeros(1, dtype=torch.int64), num_groups=1, resamples=0)


@pytest.mark.parametrize("mean", [False, True])
def test_removal_is_that_of_one_set_after_another(store: ContributionStore, mean: bool) -> None:
    sets = [[], [(2, 0)], [(3, 2), (2, 1)], [(layer, head) for layer in LAYERS for head in range(3)]]
    means = store.mean()
    removed = torch.cat(list(remove_heads(store, sets, means=means if mean else None)), dim=1)
    assert removed.dtype == torch.float64
    assert removed.shape == (4, 153, 4)
    middle = means if mean else means.map(torch.zeros_like)
    for rows, heads in zip(removed, sets, strict=True):
        expected = torch.cat([mean_ablate(terms, heads=heads, means=middle).total() for terms in store])
        torch.testing.assert_close(rows.float(), expected, rtol=1e-4, atol=1e-5)
    embeddings = torch.cat([terms.embedding for terms in store])
    assert torch.equal(removed[0], embeddings.double())


def test_the_store_is_read_once(store: ContributionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[StoredGroup] = []
    original = ContributionStore.read
    monkeypatch.setattr(ContributionStore, "read", lambda self, group: (read.append(group), original(self, group))[1])
    list(remove_heads(store, [[(2, 0)], [(2, 1)], [(3, 0)]]))
    assert read == list(store.groups)


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([(1, 0)], r"heads of the layers \[2, 3\], 0 to 2, got \(1, 0\)"),
        ([(2, 3)], r"got \(2, 3\)"),
        ([(2, -1)], r"got \(2, -1\)"),
        ([(2, 1), (2, 1)], "every head once in a set"),
    ],
)
def test_heads_that_are_not_there(store: ContributionStore, heads: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(remove_heads(store, [[], heads]))
