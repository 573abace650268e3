import json

import pytest
from group_rows import row, write_rows
from result_documents import results

from mkbench.errors import DataError, UsageError
from mkbench.systems.mined_descriptors import read_mined


def write_run(folder, rows, *, key="00000-000"):
    write_rows(
        folder,
        [
            {**row(name, [0.0], explainer=explainer), "descriptor_ids": ids, "class_index": label}
            for name, label, explainer, ids in rows
        ],
        key=key,
    )
    found = results(data="owls") | {"settings": {"explainers": {"pca": {}, "kmeans": {}}}}
    (folder / "results.json").write_text(json.dumps(found))
    return folder


ROWS = [("b", 1, "pca", [4, 2]), ("a", 1, "pca", []), ("b", 1, "kmeans", [7]), ("a", 1, "kmeans", [8, 9])]


def test_concepts_of_one_explainer(tmp_path):
    run = write_run(tmp_path, ROWS)
    write_run(tmp_path, [("c", 0, "pca", [3])], key="00001-000")
    mined = read_mined(run, "pca")
    assert mined.images == {("owls", "a"), ("owls", "b"), ("owls", "c")}
    assert (mined.class_index.tolist(), mined.counts.tolist(), mined.ids.tolist()) == ([1, 1, 0], [2, 0, 1], [4, 2, 3])
    assert mined.describe() == {"data": "owls", "images": 3, "sha256": mined.sha256}
    assert read_mined(run, "kmeans").ids.tolist() == [7, 8, 9]


def test_hash_tells_what_was_found_from_anything_else(tmp_path):
    first = read_mined(write_run(tmp_path / "first", ROWS), "pca").sha256
    assert read_mined(write_run(tmp_path / "same", ROWS), "pca").sha256 == first
    changes = [("b", 1, "pca", [4, 3]), ("b", 0, "pca", [4, 2]), ("d", 1, "pca", [4, 2]), ("b", 1, "pca", [4])]
    hashes = {
        read_mined(write_run(tmp_path / str(i), [change, *ROWS[1:]]), "pca").sha256 for i, change in enumerate(changes)
    }
    assert len(hashes | {first}) == 5


def test_images_without_labels_are_refused(tmp_path):
    run = write_run(tmp_path, [("a", None, "pca", [1])])
    with pytest.raises(UsageError, match="images with labels to mine from, found a run without any at"):
        read_mined(run, "pca")


def test_damaged_group_is_named(tmp_path):
    run = write_run(tmp_path, ROWS)
    (run / "groups" / "00000-000.parquet").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"00000-000\.parquet, found a damaged one"):
        read_mined(run, "pca")
