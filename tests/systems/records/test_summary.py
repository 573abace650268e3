import numpy as np
import pyarrow as pa
import pytest
from explained_records import make_records

from mkbench.runs import group_files
from mkbench.runs.group_files import ROW_SCHEMA, GroupFiles, GroupRecord, read_group, write_group
from mkbench.systems.records.summary import summarise


def find(summary, name, explainer):
    (found,) = [m for m in summary["metrics"] if (m["name"], m["explainer"]) == (name, explainer)]
    return found


def rows_of(records, explainer):
    return [row for record in records for row in record.rows.to_pylist() if row["explainer"] == explainer]


def averaged(curves):
    """Pad with 0 to the longest and average over images."""
    longest = max(map(len, curves))
    return np.mean([np.pad(curve, (0, longest - len(curve))) for curve in curves], axis=0)


@pytest.mark.parametrize("explainer", ["pca", "kmeans"])
def test_values_follow_from_the_rows(explainer):
    records = make_records()
    summary, rows = summarise(records), rows_of(records, explainer)
    curve = averaged([row["curve"] for row in rows])
    chance = averaged([row["chance_curve"] for row in rows])
    expected = {
        "mutual_information": curve[0],
        "mutual_information_auc": curve.mean(),
        "mutual_information_auc_chance": chance.mean(),
        "mutual_information_auc_excess": curve.mean() - chance.mean(),
        "mutual_information_image_auc": np.mean([np.mean(row["curve"]) for row in rows]),
        "concept_count": np.mean([len(row["hits"]) for row in rows]),
        "hit_share": np.mean([np.mean(row["hits"]) for row in rows if row["hits"]]),
        "part_count": np.mean([row["num_parts"] for row in rows]),
        "concept_entropy": np.mean([row["concept_entropy"] for row in rows]),
    }
    for name, value in expected.items():
        assert find(summary, name, explainer)["value"] == pytest.approx(value, abs=1e-12), name
    np.testing.assert_allclose(summary["curves"]["mutual_information"][explainer], curve, atol=1e-12)
    np.testing.assert_allclose(summary["curves"]["mutual_information_chance"][explainer], chance, atol=1e-12)
    assert len([m for m in summary["metrics"] if m["explainer"] == explainer]) == len(expected)


def test_accuracy_is_counted_once_for_each_image():
    records = make_records()
    rows = rows_of(records, "pca")
    for name in ("top1", "top5"):
        metric = find(summarise(records), name, None)
        assert metric["value"] == pytest.approx(np.mean([row[name] for row in rows]))
        assert metric["n"] == len(rows) == 24


def test_two_images_by_hand():
    # Curves (4, 2, 0) and (1, 0): averaged (2.5, 1, 0), so MI 2.5 and AUC 3.5 / 3; own AUCs 2 and 0.5, mean 1.25.
    records = make_records(groups=1, images=2)
    rows = rows_of(records, "pca")
    for row, curve in zip(rows, ([4.0, 2.0, 0.0], [1.0, 0.0]), strict=True):
        row.update(curve=curve, chance_curve=[0.0] * len(curve))
    summary = summarise([GroupRecord("00000-000", pa.Table.from_pylist(rows, schema=ROW_SCHEMA))])
    assert find(summary, "mutual_information", "pca")["value"] == 2.5
    assert find(summary, "mutual_information_auc", "pca")["value"] == pytest.approx(3.5 / 3)
    assert find(summary, "mutual_information_image_auc", "pca")["value"] == pytest.approx(1.25)


def test_intervals_hold_the_value_and_differ_from_it():
    for metric in summarise(make_records())["metrics"]:
        low, high = metric["interval"]
        if metric["name"] == "hit_share":
            assert (low, high) == (1, 1)  # all of these concepts are hits
            continue
        assert low < metric["value"] < high
        # A bootstrap of 24 images: about two standard errors on each side, so well under the whole range.
        assert high - low < (2 if metric["name"] in ("concept_count", "part_count") else 1)


def test_order_of_groups_and_rows_changes_nothing():
    records = make_records()
    rng = np.random.default_rng(1)
    shuffled = [
        GroupRecord(r.key, r.rows.take(pa.array(rng.permutation(r.rows.num_rows))), r.fallbacks, r.unreadable)
        for r in (records[i] for i in rng.permutation(len(records)))
    ]
    expected, found = summarise(records), summarise(shuffled)
    assert summarise(records[::-1]) == expected
    for content in (expected, found):  # explainers come in the order of the rows; a group's own rows are never shuffled
        content["metrics"] = sorted(content["metrics"], key=lambda m: (m["name"], str(m["explainer"])))
    assert found == expected


def test_directions():
    directions = {m["name"]: m["higher_is_better"] for m in summarise(make_records())["metrics"]}
    assert directions["mutual_information_auc_excess"] is True
    assert directions["mutual_information_auc_chance"] is None


def test_fallbacks_and_unreadable_images_add_up():
    summary = summarise(make_records())
    assert summary["fallbacks"] == {"pca": {"no_foreground": 15}, "foreground": {"crf_empty": 6}}
    assert summary["unreadable"] == [f"{index}/x: truncated" for index in (1, 3, 5)]
    assert summary["images"] == 24


def test_run_without_a_readable_image():
    record = GroupRecord("00000-000", ROW_SCHEMA.empty_table(), {}, ("a: truncated",))
    summary = summarise([record])
    assert (summary["images"], summary["metrics"], summary["curves"]) == (0, [], {})
    assert summary["unreadable"] == ["a: truncated"]


def test_without_labels_there_is_no_accuracy_and_the_rest_is_the_same():
    labelled = make_records()
    unknown = dict.fromkeys(("class_index", "class_name", "top1", "top5"))
    records = [
        GroupRecord(
            f"unlabelled-{part:06d}",
            pa.Table.from_pylist([row | unknown for row in record.rows.to_pylist()], schema=ROW_SCHEMA),
            record.fallbacks,
            record.unreadable,
        )
        for part, record in enumerate(labelled)
    ]
    expected, found = summarise(labelled), summarise(records)
    expected["metrics"] = [metric for metric in expected["metrics"] if metric["explainer"] is not None]
    assert found == expected


def with_columns(records, columns, *, explainer=None):
    """Add columns of scorers; a value for each image, the same for both explainers unless one is named."""
    changed = []
    for record in records:
        rows = record.rows.to_pylist()
        for number, row in enumerate(rows):
            shown = explainer in (None, row["explainer"])
            row.update({name: value(number // 2) if shown else None for name, (value, _) in columns.items()})
        schema = pa.schema([*ROW_SCHEMA, *((name, type_) for name, (_, type_) in columns.items())])
        changed.append(GroupRecord(record.key, pa.Table.from_pylist(rows, schema=schema), record.fallbacks))
    return changed


def test_metrics_of_the_model_are_reported_once():
    columns = {
        "localised": (lambda image: None if image == 3 else image == 0, pa.bool_()),
        "kept_region_correct": (lambda image: image < 3, pa.bool_()),
        "descriptor_precision_chance": (lambda image: 0.25 * image, pa.float64()),
        "part_iou": (lambda image: 0.5, pa.float64()),
    }
    summary = summarise(with_columns(make_records(groups=6, images=4), columns))
    corloc = find(summary, "corloc", None)
    assert (corloc["value"], corloc["n"], corloc["higher_is_better"]) == (pytest.approx(1 / 3), 18, True)
    assert find(summary, "kept_region_top1", None)["value"] == 0.75
    assert find(summary, "descriptor_precision_chance", None)["higher_is_better"] is None
    assert find(summary, "descriptor_precision_chance", None)["value"] == pytest.approx(0.375)
    names = [(metric["name"], metric["explainer"]) for metric in summary["metrics"]]
    assert len(names) == len(set(names))
    assert {explainer for name, explainer in names if name == "part_iou"} == {"pca", "kmeans"}
    assert {explainer for name, explainer in names if name in ("corloc", "kept_region_top1")} == {None}


def test_images_without_a_value_do_not_count():
    columns = {"importance_effect": (lambda image: [None, -1.0, 0.5, 1.0][image], pa.float64())}
    summary = summarise(with_columns(make_records(), columns, explainer="pca"))
    calibration = find(summary, "importance_calibration", "pca")
    assert (calibration["value"], calibration["n"]) == (pytest.approx(0.5 / 3), 18)
    assert not [m for m in summary["metrics"] if (m["name"], m["explainer"]) == ("importance_calibration", "kmeans")]


def test_group_files_are_read_once_and_give_what_their_records_give(tmp_path, monkeypatch):
    records, read = make_records(), []
    for record in records:
        write_group(tmp_path, record)
    monkeypatch.setattr(group_files, "read_group", lambda path: read.append(path.stem) or read_group(path))
    keys = [record.key for record in records]
    assert summarise(GroupFiles(tmp_path, keys[::-1])) == summarise(records)
    assert sorted(read) == keys
    assert [record.key for record in GroupFiles(tmp_path, keys)[1:]] == keys[1:]
