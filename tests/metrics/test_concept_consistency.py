"""How many texts of a head fit its label."""

import math

import numpy as np
import pytest
import torch

from mkbench.metrics import (
    ConceptConsistency,
    ConceptConsistencyCount,
    ConceptConsistencyRatio,
    ConceptConsistencyShare,
)
from mkbench.metrics.functional import (
    ccs_share,
    concept_consistency,
    concept_consistency_ratio,
    consistency_levels,
)


def some_fits() -> np.ndarray:
    return np.random.default_rng(0).random((64, 5)) > 0.45


def test_scores_match_numpy() -> None:
    fits = some_fits()
    scores = concept_consistency(torch.from_numpy(fits))
    assert scores.tolist() == np.count_nonzero(fits, axis=1).tolist()
    counts = np.bincount(scores.numpy(), minlength=6)
    assert [ccs_share(scores, k) for k in range(6)] == pytest.approx((counts / 64).tolist(), abs=1e-15)
    assert consistency_levels(scores) == (counts[5], counts[3], counts[0] + counts[1])
    assert all(counts[1:])


def test_classes_equal_numpy_however_heads_are_cut() -> None:
    fits = some_fits()
    scores = fits.sum(axis=1)
    cases = {
        ConceptConsistency(): scores.mean(),
        **{ConceptConsistencyShare(k): (scores == k).mean() for k in range(6)},
        ConceptConsistencyCount("high"): (scores == 5).sum(),
        ConceptConsistencyCount("moderate"): (scores == 3).sum(),
        ConceptConsistencyCount("low"): (scores <= 1).sum(),
    }
    for metric, expected in cases.items():
        for part in torch.from_numpy(fits).split([10, 0, 54]):
            metric.update(part)
        assert float(metric.compute()) == pytest.approx(expected, abs=1e-13)


def test_shuffled_rows_are_averaged_head_by_head() -> None:
    fits = [[[True] * 5, [False] * 5], [[True, False, False, False, False]] * 2]  # head -> shuffle -> texts
    metric = ConceptConsistency(columns=("shuffled",))
    assert metric.update_rows({"shuffled": fits}).tolist() == [2.5, 1.0]
    assert float(metric.compute()) == 1.75


def test_ratio_keeps_the_order_of_the_heads_and_needs_high_ones() -> None:
    labels, fits = ["animal", "animals", "size", "shape"], [[True] * 5] * 3 + [[True] * 4 + [False]]
    mixed = ConceptConsistencyRatio()
    mixed.update(labels[2:], fits[2:], heads=[2, 3])
    mixed.update(labels[:2], fits[:2], heads=[0, 1])
    assert float(mixed.compute()) == pytest.approx(1 / 3)
    values = mixed.image_values({"label": labels, "fits": fits})
    assert values[:3].tolist() == pytest.approx([1 / 3] * 3)
    assert values[3].isnan()
    none = ConceptConsistencyRatio()
    none.update_rows({"label": labels[3:], "fits": fits[3:]})
    assert torch.isnan(none.compute())


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"k must lie in 0\.\.5, found 6"):
        ConceptConsistencyShare(6)
    with pytest.raises(ValueError, match="level must be one of high, moderate, low, found 'some'"):
        ConceptConsistencyCount("some")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_no_heads() -> None:
    assert concept_consistency([]).tolist() == []
    for metric in (ConceptConsistency(), ConceptConsistencyCount("high"), ConceptConsistencyRatio()):
        assert torch.isnan(metric.compute())
    with pytest.raises(ValueError, match="at least one head"):
        ccs_share([], 5)
    with pytest.raises(ValueError, match="at least one head"):
        consistency_levels(torch.zeros(0, dtype=torch.int64))


def test_ratio_worked_out_by_hand() -> None:
    # High heads: animal, animals, art, artist, size and one without a label: 6. Two concepts have two heads each.
    labels = ["animal", "animals", "art", "artist", "size", "", "size"]
    scores = [5, 5, 5, 5, 5, 5, 4]  # the second head of size is not a high one
    assert concept_consistency_ratio(labels, scores) == pytest.approx(2 / 6)
    # The shortest label that begins them makes three labels one concept, in any order.
    for three in (["a", "ab", "ac"], ["ac", "ab", "a"]):
        assert concept_consistency_ratio(three, [5, 5, 5]) == pytest.approx(1 / 3)
    assert concept_consistency_ratio(["ab", "ac"], [5, 5]) == 0
    assert concept_consistency_ratio(["size"] * 2, [5, 5]) == 0.5
    assert concept_consistency_ratio(["", ""], [5, 5]) == 0
    assert math.isnan(concept_consistency_ratio(["size"], [4]))


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"fits must be bool \(heads, 5\), found \(2, 4\)"):
        concept_consistency(torch.zeros(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="fits must be bool"):
        concept_consistency(torch.ones(2, 5))
    with pytest.raises(ValueError, match=r"scores must lie in 0\.\.5, found 1\.\.6"):
        ccs_share([1, 6], 5)
    with pytest.raises(ValueError, match=r"k must lie in 0\.\.5, found 6"):
        ccs_share([1], 6)
    with pytest.raises(ValueError, match="scores must be integers"):
        consistency_levels(torch.tensor([1.0]))
    with pytest.raises(ValueError, match="a label for each of 2 scores, found 1"):
        concept_consistency_ratio(["size"], [5, 5])
