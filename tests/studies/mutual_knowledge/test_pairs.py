import numpy as np
import pytest
import torch

from mkbench.metrics.functional import paired_bootstrap_difference
from mkbench.runs.results import Estimate
from mkbench.studies.mutual_knowledge.image_values import ImageValues
from mkbench.studies.mutual_knowledge.pairs import QUANTITIES, compare_pairs


def _values(ids, seed, count=3):
    rng = np.random.default_rng(seed)
    return ImageValues(np.array(ids, dtype=np.str_), rng.normal(size=(len(ids), count)))


def _reference(first, second):
    """Join by name with sets and dictionaries, one pair and one quantity at a time."""
    shared = sorted(set(first.sample_ids) & set(second.sample_ids))
    places = [{name: i for i, name in enumerate(values.sample_ids)} for values in (first, second)]
    one, two = (
        torch.tensor(values.values[[place[name] for name in shared]])
        for values, place in zip((first, second), places, strict=True)
    )
    intervals = [paired_bootstrap_difference(one[:, k], two[:, k]) for k in range(3)]
    return len(shared), (one - two).mean(0).tolist(), intervals


IDS = [f"toy/{i:03d}" for i in range(40)]


@pytest.mark.parametrize(
    "ids",
    [
        [IDS, IDS, IDS],  # one batch
        [IDS, IDS[:30], IDS[10:]],  # three different intersections
        [IDS, IDS[::2], IDS],  # two batches
    ],
)
def test_every_pair_is_the_paired_bootstrap_of_its_images(ids):
    models = [(name, _values(own, seed)) for seed, (name, own) in enumerate(zip("abc", ids, strict=True))]
    pairs = compare_pairs("pca", models)
    assert [(pair.first, pair.second, pair.neighbors) for pair in pairs] == [
        ("a", "b", True),
        ("a", "c", False),
        ("b", "c", True),
    ]
    values = dict(models)
    for pair in pairs:
        images, means, intervals = _reference(values[pair.first], values[pair.second])
        assert (pair.explainer, pair.images) == ("pca", images)
        for key, mean, interval in zip(QUANTITIES, means, intervals, strict=True):
            assert pair.differences[key].value == pytest.approx(mean)
            np.testing.assert_allclose(pair.differences[key].interval, interval, atol=1e-12)


def test_one_long_curve_does_not_lower_its_model():
    """Three images have the same curves by both models but for one entry of 0 at the end of one."""
    ids, sums = np.array(IDS[:3]), np.array([[6.0, 3.0], [4.0, 2.0], [2.0, 1.0]])
    short, long = (
        ImageValues(ids, np.column_stack([sums / entries, [100.0, 0.0, 100.0]]), longest=entries) for entries in (3, 4)
    )
    (pair,) = compare_pairs("pca", [("short", short), ("long", long)])
    assert [pair.differences[key] for key in QUANTITIES] == [Estimate(0.0, (0.0, 0.0))] * 3


def test_pairs_without_common_images_are_left_out():
    models = [("a", _values(IDS[:5], 0)), ("b", _values(IDS[5:9], 1)), ("c", _values(IDS[4:9], 2))]
    assert [(pair.first, pair.second, pair.images) for pair in compare_pairs("pca", models)] == [
        ("a", "c", 1),
        ("b", "c", 4),
    ]
    assert compare_pairs("pca", []) == compare_pairs("pca", models[:1]) == compare_pairs("pca", models[:2]) == []


def test_quantity_that_an_image_lacks_has_no_difference():
    first, second = _values(IDS, 0), _values(IDS, 1)
    second.values[7, 2] = np.nan
    (pair,) = compare_pairs("pca", [("a", first), ("b", second)])
    assert pair.differences["top1"] is None
    assert pair.apart("top1") is None
    assert pair.differences["auc"].interval is not None


@pytest.mark.parametrize(("shift", "clear"), [(0.0, False), (5.0, True), (-5.0, True)])
def test_clear_of_zero_means_that_the_interval_leaves_it_out(shift, clear):
    values = _values(IDS, 0)
    (pair,) = compare_pairs("pca", [("a", ImageValues(values.sample_ids, values.values + shift)), ("b", values)])
    assert pair.apart("auc") is clear
    assert pair.differences["auc"].value == pytest.approx(shift)
