import pyarrow as pa
import pytest
from compared_documents import COMPARED, compared
from group_rows import row
from result_documents import results

from mkbench.runs.finished_runs import Run
from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord, write_group
from mkbench.studies.mutual_knowledge.study import compare, pair_up


def test_order_is_by_excess_in_blocks_of_explainers():
    rows = compare(COMPARED).rows
    assert [row["explainer"] for row in rows] == ["pca"] * 4 + ["kmeans"] * 4
    assert [row["model"] for row in rows[:4]] == ["b", "a", "d", "c"]  # equal ones keep their order, absent is last
    assert [row["model"] for row in rows[4:]] == ["a", "b", "c", "d"]


def test_ranks_share_the_better_place():
    ranks = {row["model"]: row for row in compare(COMPARED).ranks if row["explainer"] == "pca"}
    assert {model: row["top1"] for model, row in ranks.items()} == {"c": 1, "b": 2, "a": 3, "d": 3}
    assert {model: row["excess"] for model, row in ranks.items()} == {"b": 1, "a": 2, "d": 2, "c": None}
    assert {model: row["auc"] for model, row in ranks.items()} == dict.fromkeys("abcd", 1)
    assert {model: row["images_per_second"] for model, row in ranks.items()} == {
        "b": 1,
        "a": None,
        "c": None,
        "d": None,
    }


def test_differences_are_noted():
    documents = [compared("a", 0.5), compared("b", 0.5, estimator="shannon"), compared("c", 0.5, data="other")]
    assert compare(documents).notes == (
        'These runs differ in data.name: "toy" (a, b); "other" (c).',
        'These runs differ in settings.estimator: "paper" (a, c); "shannon" (b).',
    )
    assert compare(COMPARED).notes == ()


def test_pairs_follow_the_ranks(bench):
    pairs, notes = pair_up(compare([(run.results, run.environment) for run in bench]), bench)
    assert notes == ()
    assert [(pair.explainer, pair.first, pair.second, pair.images) for pair in pairs[:3]] == [
        ("pca", "high", "low", 2),
        ("pca", "high", "other", 1),
        ("pca", "low", "other", 1),
    ]
    # Curves of 3, 2 and 4 at the start and two entries; the same chance curve everywhere.
    assert [pair.differences["auc"].value for pair in pairs[:3]] == [0.5, -0.5, -1.0]
    assert pairs[0].differences["top1"].value == 100.0
    assert pairs[1].differences["top1"] is None


def test_same_names_of_images_in_two_data_sets_are_not_the_same_images(bench):
    bench[0].results["data"]["name"] = "elsewhere"
    pairs, _ = pair_up(compare([(run.results, run.environment) for run in bench]), bench)
    assert {(pair.first, pair.second) for pair in pairs} == {("high", "other")}


def write_grouped(folder, grouped):
    """A run of ten images, with half of a score as their AUC over concepts."""
    rows = [row(name, [value, 0.0]) for name, value in zip("abcdefghij", (1.0, grouped) * 5, strict=True)]
    table = pa.Table.from_pylist(
        [dict.fromkeys(ROW_SCHEMA.names) | each | {"grouped_curve": [grouped, 0.0]} for each in rows],
        schema=pa.schema([*ROW_SCHEMA, ("grouped_curve", pa.list_(pa.float64()))]),
    )
    write_group(folder, GroupRecord("00000-000", table))


def test_ranks_over_thresholds_count_every_model_once(tmp_path):
    runs = []
    for threshold, scores in {0.9: (1.0, 2.0, 3.0), 0.95: (1.0, 3.0, 2.0)}.items():
        for name, score in zip("abc", scores, strict=True):
            document = results(name, pca={"auc": 1.0, "excess": score})
            document["settings"]["concept_groups"] = threshold
            runs.append(Run(tmp_path / f"{name}-{threshold}", f"{name} {threshold}", document, {}))
            write_grouped(runs[-1].folder, score)
    _, notes = pair_up(compare([(run.labelled(), {}) for run in runs]), runs)
    said = [note.partition(" [")[0] for note in notes]
    # Of the pairs ab, ac and bc of models, the thresholds agree on two.
    start = "PCA, ranks of 3 models by {} beside other scores, Kendall's tau: {}"
    assert start.format("AUC over concepts (cosine 0.9)", "AUC over concepts (cosine 0.95) 0.33") in said
    assert any("; AUC over concepts 1.00 [" in note for note in notes if note.startswith(start.format("AUC", "")))


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="at least one run, found none"):
        compare([])


def test_unreadable_images_are_counted_in_the_notes():
    document, environment = compared("a", 0.5)
    document = {**document, "data": {**document["data"], "unreadable": ["ant/a.png: truncated", "ant/b.png: empty"]}}
    notes = compare([(document, environment), compared("b", 0.5)]).notes
    assert "a: 2 unreadable images left out; results.json names them." in notes
    assert not any(note.startswith("b: ") for note in notes)
