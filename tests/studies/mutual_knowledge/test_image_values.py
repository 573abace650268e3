from math import log

import numpy as np
import pytest
from group_rows import row, write_rows
from result_documents import results

from mkbench.errors import DataError
from mkbench.metrics.functional import mutual_information_curve
from mkbench.runs.finished_runs import Run
from mkbench.studies.mutual_knowledge.image_values import read_image_values


def read(folder, **settings):
    document = results()
    document["settings"] |= settings
    document["data"]["bank"] = {"source": "bank.json", "sha256": "0", "size": 9}
    return read_image_values(Run(folder, "toy", document, {}))


def test_values_of_images(tmp_path):
    # The longest curve of PCA has 4 entries. Image a: 6 + 3 + 0 over 4; chance 2 over 4. Image b: 8 over 4.
    rows = [
        row("b", [4.0, 3.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0], top1=False),
        row("a", [6.0, 3.0, 0.0], [2.0, 0.0, 0.0]),
        row("a", [1.0, 0.0], explainer="kmeans"),
    ]
    write_rows(tmp_path, rows[:1], key="00000-000")
    write_rows(tmp_path, rows[1:], key="00001-000")
    values = read(tmp_path)
    assert set(values) == {"pca", "kmeans"}
    assert values["pca"].sample_ids.tolist() == ["toy/a", "toy/b"]
    assert values["pca"].values.tolist() == [[2.25, 1.75, 100.0], [2.0, 1.5, 0.0]]
    assert values["kmeans"].values.tolist() == [[0.5, 0.5, 100.0]]  # its own longest curve
    assert [values[name].longest for name in ("pca", "kmeans")] == [4, 2]
    assert values["kmeans"].padded_to(4).tolist() == [[0.25, 0.25, 100.0]]


def test_images_without_a_label_have_no_accuracy(tmp_path):
    write_rows(tmp_path, [row("a", [0.0], top1=None)])
    (values,) = read(tmp_path).values()
    np.testing.assert_array_equal(values.values, [[0.0, 0.0, np.nan]])


def test_run_without_group_files_has_no_values(tmp_path):
    assert read(tmp_path / "nowhere") == {}


def test_damaged_group_file_is_named(tmp_path):
    write_rows(tmp_path, [row("a", [0.0])])
    (tmp_path / "groups" / "00000-000.parquet").write_bytes(b"none")
    with pytest.raises(DataError, match=r"00000-000\.parquet, found a damaged one"):
        read(tmp_path)


@pytest.fixture
def hits(tmp_path):
    """Images c and a, whose descriptors are two and one of the three language concepts of a bank of nine."""
    rows = [{**row("c", [0.0]), "hits": [True, False, True]}, {**row("a", [0.0]), "hits": [True]}]
    return write_rows(tmp_path, rows)


def test_auc_by_the_other_estimator_is_that_of_its_curves_padded_to_the_longest(hits):
    (values,) = read(hits, estimator="paper", num_language_concepts=3).values()
    longer, shorter = (
        mutual_information_curve(ids, [3.0, 2.0, 1.0][: len(ids)], [0, 1, 2], estimator="shannon", bank_size=9)
        for ids in ([0, 5, 1], [0])
    )
    assert values.sample_ids.tolist() == ["toy/a", "toy/c"]
    assert values.estimated.keys() == {"shannon"}
    np.testing.assert_allclose(values.estimated["shannon"], [float(shorter.sum()) / 4, float(longer.sum()) / 4])


def test_published_auc_of_a_run_by_the_other_estimator(hits):
    (values,) = read(hits, estimator="shannon", num_language_concepts=3).values()
    # c: ln 3 + ln 3 + ln 2, then twice ln 3 + ln 3 + ln 1, then 0; a: ln 1 + ln 3 + ln 1, then 0.
    np.testing.assert_allclose(values.estimated["paper"], [log(3) / 4, (log(18) + 2 * log(9)) / 4])


def test_run_that_does_not_say_how_many_language_concepts_has_no_other_estimator(hits):
    (values,) = read(hits).values()
    assert values.estimated == {}
