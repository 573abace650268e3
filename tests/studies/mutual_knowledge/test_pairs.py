import numpy as np
import pytest
import torch
from group_rows import row, write_rows

from mkbench.errors import DataError
from mkbench.metrics.functional import paired_bootstrap_difference
from mkbench.studies.mutual_knowledge.pairs import QUANTITIES, ImageValues, compare_pairs, read_image_values


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


def test_values_of_images(tmp_path):
    # The longest curve of PCA has 4 entries. Image a: 6 + 3 + 0 over 4; chance 2 over 4. Image b: 8 over 4.
    rows = [
        row("b", [4.0, 3.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0], top1=False),
        row("a", [6.0, 3.0, 0.0], [2.0, 0.0, 0.0]),
        row("a", [1.0, 0.0], explainer="kmeans"),
    ]
    write_rows(tmp_path, rows[:1], key="00000-000")
    write_rows(tmp_path, rows[1:], key="00001-000")
    values = read_image_values(tmp_path, "toy")
    assert set(values) == {"pca", "kmeans"}
    assert values["pca"].sample_ids.tolist() == ["toy/a", "toy/b"]
    assert values["pca"].values.tolist() == [[2.25, 1.75, 100.0], [2.0, 1.5, 0.0]]
    assert values["kmeans"].values.tolist() == [[0.5, 0.5, 100.0]]  # its own longest curve


def test_images_without_a_label_have_no_accuracy(tmp_path):
    write_rows(tmp_path, [row("a", [0.0], top1=None)])
    (values,) = read_image_values(tmp_path, "toy").values()
    np.testing.assert_array_equal(values.values, [[0.0, 0.0, np.nan]])


def test_run_without_group_files_has_no_values(tmp_path):
    assert read_image_values(tmp_path / "nowhere", "toy") == {}


def test_damaged_group_file_is_named(tmp_path):
    write_rows(tmp_path, [row("a", [0.0])])
    (tmp_path / "groups" / "00000-000.parquet").write_bytes(b"none")
    with pytest.raises(DataError, match=r"00000-000\.parquet, found a damaged one"):
        read_image_values(tmp_path, "toy")
