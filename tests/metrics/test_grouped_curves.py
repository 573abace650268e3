"""Concepts counted by what they state: paraphrases and duplicates change nothing."""

import math

import numpy as np
import pytest
import torch

from mkbench.metrics.functional import (
    group_concepts,
    grouped_curves,
    membership,
    mutual_information,
    mutual_information_curve,
)

GROUPS = torch.tensor([0, 0, 1, 2, 2, 2, 3, 4])  # of eight descriptors
BOTH = pytest.mark.parametrize("estimator", ["paper", "shannon"])


def score(vision, language, groups=GROUPS, estimator="paper"):
    """The grouped curve of one image, without padding."""
    member = membership(torch.tensor([language]), len(groups))
    ids, counts = torch.tensor([vision], dtype=torch.int64), torch.tensor([len(vision)])
    curves, sizes = grouped_curves(ids, counts, member, torch.tensor([0]), groups, estimator=estimator)
    return curves[0, : int(sizes[0]) + 1].tolist()


def published(vision, language, bank=8, estimator="paper"):
    return mutual_information(vision, language, estimator=estimator, bank_size=bank)


def test_by_hand() -> None:
    # Vision states 2, 0, 3; language states 0 and 2: N = 3, M = 2, K = 2, 1, 0 after 2 and 0 are removed.
    assert score([3, 5, 0, 6], [1, 4]) == pytest.approx([math.log(12), math.log(6), 0.0, 0.0])


@BOTH
def test_curve_is_the_published_one_of_the_groups(estimator) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        vision = rng.permutation(8)[: rng.integers(0, 8)].tolist()
        language = rng.permutation(8)[: rng.integers(1, 8)].tolist()
        found = list(dict.fromkeys(GROUPS[vision].tolist()))
        expected = mutual_information_curve(
            found, -np.arange(len(found)), sorted(set(GROUPS[language].tolist())), estimator=estimator, bank_size=5
        )
        assert score(vision, language, estimator=estimator) == pytest.approx(expected.tolist(), abs=1e-12)


@BOTH
@pytest.mark.parametrize(
    ("vision", "language"),
    [([0, 3, 1], [0, 4]), ([0, 3], [0, 4, 5]), ([0, 3, 4], [0, 4, 1])],
    ids=["of an image", "of a class", "of both"],
)
def test_paraphrase_in_a_set_changes_the_published_score_alone(vision, language, estimator) -> None:
    before = score([0, 3], [0, 4], estimator=estimator)
    assert score(vision, language, estimator=estimator) == pytest.approx(before, abs=1e-12)
    old, new = (published(*sets, estimator=estimator) for sets in (([0, 3], [0, 4]), (vision, language)))
    assert abs(new - old) > 0.01


def test_paraphrase_in_the_bank_changes_the_published_score_alone() -> None:
    longer = torch.cat([GROUPS, torch.tensor([3])])
    before = score([0, 3], [0, 4], estimator="shannon")
    assert score([0, 3], [0, 4], longer, estimator="shannon") == before
    assert abs(published([0, 3], [0, 4], 9, "shannon") - published([0, 3], [0, 4], 8, "shannon")) > 0.001


@BOTH
def test_duplicates_change_nothing(estimator) -> None:
    assert score([0, 3, 0, 3], [0, 4, 4], estimator=estimator) == score([0, 3], [0, 4], estimator=estimator)


def test_padding_and_empty_sets() -> None:
    ids, sizes = group_concepts(torch.tensor([[3, 5, 7, -1], [-1, -1, -1, -1]]), torch.tensor([3, 0]), GROUPS)
    assert (ids.tolist(), sizes.tolist()) == ([[2, 4, -1, -1], [-1, -1, -1, -1]], [2, 0])
    assert score([], [0]) == [0.0]


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected vision_ids \(images, ids\)"):
        group_concepts(torch.tensor([1, 2]), torch.tensor([2]), GROUPS)
    with pytest.raises(ValueError, match=r"entries of the bank, 0\.\.7"):
        group_concepts(torch.tensor([[8]]), torch.tensor([1]), GROUPS)
