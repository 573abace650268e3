"""Mutual information of id lists, its curve over removals and the metrics over sets of images."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics import MutualInformation, MutualInformationAUC, MutualInformationExcess
from mkbench.metrics.functional import (
    average_curves,
    chance_curves,
    membership,
    mutual_information,
    mutual_information_auc,
    mutual_information_curve,
    mutual_information_curves,
    padded_mutual_information_curves,
    sort_by_importance,
)
from mkbench.metrics.functional.curves import Average
from mkbench.metrics.functional.estimators import Estimator

BANK = 40


def overlap_by_pairs(vision: Sequence[int], language: Sequence[int]) -> float:
    """Contingency table by a loop over pairs, then the entropies of rows, columns and table added up."""
    table = np.zeros((len(vision), len(language)))
    for i, seen in enumerate(vision):
        for j, named in enumerate(language):
            table[i, j] = seen == named
    if table.sum() == 0:
        return 0.0
    cells = table[table > 0] / table.sum()
    return math.log(len(vision)) + math.log(len(language)) - float((cells * np.log(cells)).sum())


def shannon_by_presence(vision: Sequence[int], language: Sequence[int]) -> float:
    """scikit-learn's mutual information of the two presence vectors."""
    seen = [entry in set(vision) for entry in range(BANK)]
    named = [entry in set(language) for entry in range(BANK)]
    return float(mutual_info_score(seen, named))


def reference(vision: Sequence[int], language: Sequence[int], estimator: Estimator) -> float:
    return overlap_by_pairs(vision, language) if estimator == "paper" else shannon_by_presence(vision, language)


def curve_by_replacement(
    vision: list[int], scores: Sequence[float], language: Sequence[int], estimator: Estimator
) -> list[float]:
    """Replace one id after the other by a new one that is nowhere else, and start from scratch each time."""
    ids, values = list(vision), [reference(vision, language, estimator)]
    for step, position in enumerate(sorted(range(len(ids)), key=lambda i: -scores[i])):
        ids[position] = 10**6 + step
        values.append(reference(ids, language, estimator))
    return values


def random_lists(seed: int, *, repeats: bool) -> tuple[list[int], list[float], list[int]]:
    rng = np.random.default_rng(seed)
    vision = rng.choice(BANK, size=rng.integers(1, 16), replace=repeats).tolist()
    language = rng.choice(BANK, size=rng.integers(1, 20), replace=repeats).tolist()
    # Few distinct scores, so that ties occur.
    return vision, rng.choice([0.1, 0.2, 0.3, 0.4], size=len(vision)).tolist(), language


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("estimator", ["paper", "shannon"])
@pytest.mark.parametrize("seed", range(8))
def test_value_and_curve_match_the_references(seed: int, estimator: Estimator, repeats: bool) -> None:
    vision, scores, language = random_lists(seed, repeats=repeats)
    value = mutual_information(vision, language, estimator=estimator, bank_size=BANK)
    assert value == pytest.approx(reference(vision, language, estimator), abs=1e-12)
    curve = mutual_information_curve(vision, scores, language, estimator=estimator, bank_size=BANK)
    assert curve.dtype == torch.float64
    assert curve.tolist() == pytest.approx(curve_by_replacement(vision, scores, language, estimator), abs=1e-12)
    assert curve[0].item() == value
    assert curve[-1].item() == 0.0


def test_hand_computed_overlap() -> None:
    # N = 3, M = 4; 7 and 9 are shared, K = 2: ln 3 + ln 4 + ln 2 = ln 24.
    assert mutual_information([4, 7, 9], [7, 9, 11, 12]) == pytest.approx(math.log(24))
    # Repeats are pairs: 7 twice on the left and twice on the right are K = 4 pairs of N = 2, M = 2.
    assert mutual_information([7, 7], [7, 7]) == pytest.approx(math.log(16))
    # Nothing shared is 0, not ln N + ln M.
    assert mutual_information([1, 2], [3, 4]) == 0.0


def test_hand_computed_curve() -> None:
    # Order of removal 5 (0.9), 2 (0.4), 8 (0.1) against {5, 8}: K = 2, 1, 1, 0 with N = 3 and M = 2.
    curve = mutual_information_curve([8, 5, 2], [0.1, 0.9, 0.4], [5, 8])
    assert curve.tolist() == pytest.approx([math.log(12), math.log(6), math.log(6), 0.0])


def test_hand_computed_shannon() -> None:
    # Equal sets of half the bank: I = H(1/2) = ln 2. A half crossed with a half in a quarter is independent: I = 0.
    assert mutual_information([0, 1], [0, 1], estimator="shannon", bank_size=4) == pytest.approx(math.log(2))
    assert mutual_information([0, 1], [0, 2], estimator="shannon", bank_size=4) == 0.0
    # Every entry named: y is constant and says nothing.
    assert mutual_information([0, 1], [0, 1, 2, 3], estimator="shannon", bank_size=4) == 0.0


def test_shannon_ignores_ids_outside_the_bank() -> None:
    inside = mutual_information([0, 1], [0, 1], estimator="shannon", bank_size=4)
    assert mutual_information([0, -1, 1, 9], [9, 0, 1, -1], estimator="shannon", bank_size=4) == inside


def test_equal_scores_are_removed_in_list_order() -> None:
    # Only the first id is shared, so the overlap must be gone after the first of the equal removals.
    assert mutual_information_curve([5, 6, 7], [1.0, 1.0, 1.0], [5]).tolist() == [math.log(3), 0.0, 0.0, 0.0]


@pytest.mark.parametrize("estimator", ["paper", "shannon"])
def test_empty_lists(estimator: Estimator) -> None:
    assert mutual_information_curve([], [], [1, 2], estimator=estimator, bank_size=9).tolist() == [0.0]
    assert mutual_information([], [1, 2], estimator=estimator, bank_size=9) == 0.0
    assert mutual_information([1, 2], [], estimator=estimator, bank_size=9) == 0.0
    assert mutual_information([], [], estimator=estimator, bank_size=9) == 0.0


def test_tensors_and_lists_agree() -> None:
    vision, scores, language = random_lists(3, repeats=True)
    expected = mutual_information_curve(vision, scores, language)
    curve = mutual_information_curve(torch.tensor(vision), torch.tensor(scores), torch.tensor(language))
    assert torch.equal(curve, expected)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="estimator must be one of paper, shannon, found 'other'"):
        mutual_information([1], [1], estimator="other")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'shannon' needs bank_size"):
        mutual_information([1], [1], estimator="shannon")
    with pytest.raises(ValueError, match="vision_ids must be a flat list"):
        mutual_information(torch.zeros(2, 2, dtype=torch.long), [1])
    with pytest.raises(ValueError, match="language_ids must be integers"):
        mutual_information([1], torch.tensor([0.5]))
    with pytest.raises(ValueError, match="one score per vision id: 2 ids"):
        mutual_information_curve([1, 2], [0.5], [1])


def padded_batch() -> tuple[Tensor, Tensor, Tensor, list[tuple[list[int], list[float], list[int]]]]:
    """Six images of different length (one empty), padding in the middle of the rows, and the same as lists."""
    lists = [random_lists(seed, repeats=seed % 2 == 1) for seed in range(5)] + [([], [], [3, 4])]
    ids, scores = torch.full((6, 17), -1), torch.full((6, 17), 9.0)
    language = torch.full((6, 20), -1)
    for row, (vision, importance, named) in enumerate(lists):
        places = torch.arange(1, len(vision) + 1)  # position 0 stays padding
        ids[row, places] = torch.tensor(vision, dtype=torch.long)
        scores[row, places] = torch.tensor(importance)
        language[row, : len(named)] = torch.tensor(named)
    return ids, scores, language, lists


@pytest.mark.parametrize("estimator", ["paper", "shannon"])
def test_padded_batch_equals_single_images(estimator: Estimator) -> None:
    ids, scores, language, lists = padded_batch()
    curves, counts = padded_mutual_information_curves(ids, scores, language, estimator=estimator, bank_size=BANK)
    assert curves.shape == (6, 18)
    assert counts.tolist() == [len(vision) for vision, _, _ in lists]
    for row, (vision, importance, named) in enumerate(lists):
        single = mutual_information_curve(vision, importance, named, estimator=estimator, bank_size=BANK)
        torch.testing.assert_close(curves[row, : len(single)], single, rtol=1e-12, atol=1e-12)  # another layout
        assert not curves[row, len(single) :].any()


def test_padding_does_not_mix_with_minus_infinity() -> None:
    ids, counts = sort_by_importance(torch.tensor([[-1, 4, 6]]), torch.tensor([[0.0, -math.inf, 1.0]]))
    assert ids.tolist() == [[6, 4, -1]]
    assert counts.tolist() == [2]


@pytest.mark.parametrize("estimator", ["paper", "shannon"])
def test_curves_from_hits_equal_single_images(estimator: Estimator) -> None:
    rng = np.random.default_rng(5)
    language = torch.from_numpy(np.stack([rng.permutation(BANK)[:12] for _ in range(3)]))  # (classes, 12)
    vision = torch.from_numpy(np.stack([rng.permutation(BANK)[:7] for _ in range(4)]))  # (images, 7)
    counts = torch.tensor([7, 3, 0, 1])
    hits = membership(language, BANK)[:, vision]  # (classes, images, 7)
    curves = mutual_information_curves(hits, counts, 12, estimator=estimator, bank_size=BANK)
    assert curves.shape == (3, 4, 8)
    for c in range(3):
        for i, count in enumerate(counts.tolist()):
            single = mutual_information_curve(
                vision[i, :count], -torch.arange(count), language[c], estimator=estimator, bank_size=BANK
            )
            torch.testing.assert_close(curves[c, i, : count + 1], single, rtol=1e-12, atol=1e-12)  # another layout
            assert not curves[c, i, count:].any()


def test_curves_from_hits_refuse_what_does_not_fit() -> None:
    hits = torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="hits must be bool"):
        mutual_information_curves(hits.long(), torch.tensor([2]), 3)
    with pytest.raises(ValueError, match=r"counts must lie in 0\.\.2"):
        mutual_information_curves(hits, torch.tensor([3]), 3)
    with pytest.raises(ValueError, match="num_language must be at most bank_size, found 9 of 4"):
        mutual_information_curves(hits, torch.tensor([2]), 9, estimator="shannon", bank_size=4)


def test_batch_shapes_are_checked() -> None:
    ids, scores = torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3)
    with pytest.raises(ValueError, match="must both be"):
        sort_by_importance(ids, scores[:1])
    with pytest.raises(ValueError, match="for 2 images"):
        padded_mutual_information_curves(ids, scores, ids[:1])


@pytest.mark.parametrize("estimator", ["paper", "shannon"])
@pytest.mark.parametrize("parts", [[6], [1, 5], [2, 0, 4]])
def test_classes_equal_functions_however_batches_are_cut(estimator: Estimator, parts: list[int]) -> None:
    ids, scores, language, lists = padded_batch()
    curves = [mutual_information_curve(v, s, y, estimator=estimator, bank_size=BANK) for v, s, y in lists]
    whole = MutualInformation(estimator=estimator, bank_size=BANK)
    by_set = MutualInformationAUC(estimator=estimator, bank_size=BANK)
    by_image = MutualInformationAUC("image", estimator=estimator, bank_size=BANK)
    for metric in (whole, by_set, by_image):
        for rows in zip(ids.split(parts), scores.split(parts), language.split(parts), strict=True):
            metric.update(*rows)
    assert float(whole.compute()) == pytest.approx(float(average_curves(curves)[0]), abs=1e-13)
    assert float(by_set.compute()) == pytest.approx(mutual_information_auc(curves), abs=1e-13)
    assert float(by_image.compute()) == pytest.approx(mutual_information_auc(curves, average="image"), abs=1e-13)


def test_one_image_per_update_equals_a_batch() -> None:
    ids, scores, language, lists = padded_batch()
    single, batched = MutualInformationAUC(), MutualInformationAUC()
    for row in lists:
        single.update(*row)
    batched.update(ids, scores, language)
    assert float(single.compute()) == pytest.approx(float(batched.compute()), abs=1e-13)


@pytest.mark.parametrize("average", ["set", "image"])
def test_update_with_rows_equals_update_with_ids_and_renews_the_value(average: Average) -> None:
    ids, scores, language, lists = padded_batch()
    curves = [mutual_information_curve(*row).tolist() for row in lists]
    expected, metric = MutualInformationAUC(average), MutualInformationAUC(average)
    expected.update(ids, scores, language)
    metric.update_rows({"curve": curves[:2]})
    first = metric.compute()
    metric.update_rows({"curve": curves[2:]})
    assert float(metric.compute()) == pytest.approx(float(expected.compute()), abs=1e-13)
    assert first != metric.compute()
    whole = MutualInformationAUC(average)
    assert float(whole.update_rows({"curve": curves}).mean()) == pytest.approx(float(whole.compute()), abs=1e-14)


def test_set_auc_is_diluted_by_padding_and_image_auc_is_not() -> None:
    # Curves ln 4, ln 4, 0 and ln 1 = 0, 0: the set AUC is (2 ln 4) / 2 / 3; the image AUC (2 ln 4 / 3 + 0) / 2.
    # With a second image of curve ln 2, 0 the two differ: (2 ln 4 + ln 2) / 2 / 3 and (2 ln 4 / 3 + ln 2 / 2) / 2.
    by_set, by_image = MutualInformationAUC(), MutualInformationAUC("image")
    for metric in (by_set, by_image):
        metric.update([4, 7], [0.3, 0.2], [7, 9])
        metric.update([7], [0.2], [7, 9])
    assert float(by_set.compute()) == pytest.approx(5 * math.log(2) / 6)
    assert float(by_image.compute()) == pytest.approx((4 / 3 + 1 / 2) * math.log(2) / 2)


def test_constructors_refuse_wrong_options() -> None:
    with pytest.raises(ValueError, match="'shannon' needs bank_size"):
        MutualInformation(estimator="shannon")
    with pytest.raises(ValueError, match="average must be one of set, image"):
        MutualInformationAUC("median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="average must be one of set, image"):
        MutualInformationExcess(bank_size=4, average="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected bank_size for an update with ids, found none"):
        MutualInformationExcess().update(*torch.zeros(4, 1, 1, dtype=torch.int64))


@pytest.mark.parametrize("metric", [MutualInformation(), MutualInformationAUC(), MutualInformationExcess(bank_size=3)])
def test_no_images_give_nan_and_flags_are_set(metric: Metric) -> None:
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert torch.isnan(metric.compute())
    assert metric.higher_is_better is True
    assert metric.is_differentiable is False
    assert metric.full_state_update is False


@pytest.mark.parametrize("average", ["set", "image"])
@pytest.mark.parametrize("estimator", ["paper", "shannon"])
def test_excess_is_auc_minus_chance_auc(estimator: Estimator, average: str) -> None:
    rng = np.random.default_rng(1)
    language = torch.from_numpy(np.stack([rng.permutation(BANK)[:10] for _ in range(4)]))  # (classes, 10)
    ids = torch.from_numpy(np.stack([rng.permutation(BANK)[:6] for _ in range(5)]))
    ids[2, 3:] = -1
    scores, own = torch.from_numpy(rng.random((5, 6))), torch.tensor([0, 3, 1, 2, 2])
    metric = MutualInformationExcess(bank_size=BANK, estimator=estimator, average=average)  # type: ignore[arg-type]
    metric.update(ids[:2], scores[:2], language, own[:2])
    metric.update(ids[2:], scores[2:], language, own[2:])
    curves, counts = padded_mutual_information_curves(ids, scores, language[own], estimator=estimator, bank_size=BANK)
    ordered, _ = sort_by_importance(ids, scores)
    chance = chance_curves(
        ordered, counts, membership(language, BANK), own, num_language=10, estimator=estimator, bank_size=BANK
    )
    rows = [
        [values[i, : int(count) + 1] for i, count in enumerate(counts.tolist())] for values in (curves, chance)
    ]  # own curves, chance curves
    expected = mutual_information_auc(rows[0], average=average) - mutual_information_auc(rows[1], average=average)  # type: ignore[arg-type]
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-13)
