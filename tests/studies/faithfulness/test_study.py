from __future__ import annotations

import pytest
from result_documents import make_results

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.runs.results import Estimate
from mkbench.studies.faithfulness.study import COLUMNS, CSV_METRICS, MARKS, faithfulness_rows, notes, shown_columns


def test_headings_point_where_the_metrics_do() -> None:
    directions = {entry.name: entry.display.higher_is_better for entry in CATALOGUE.values()}
    for column in COLUMNS:
        arrow = {True: "↑", False: "↓", None: ""}[directions[column.metric]]
        assert column.heading.endswith(arrow)
        assert bool(arrow) == (column.heading[-1] in "↑↓")
        assert column.metric in CSV_METRICS
        if column.mean is not None:
            assert directions[column.mean] == directions[column.metric]
    assert set(CSV_METRICS) <= set(directions)


def test_a_row_for_each_explainer_that_was_measured() -> None:
    results = make_results(
        ("top1", None, 0.9),
        ("corloc", None, 0.5),
        ("deletion", "pca", 1.5),
        ("deletion_sum", "kmeans", 4.5),
        ("part_iou", "random", 0.1),
    )
    rows = faithfulness_rows([results, make_results(("top1", None, 0.9), ("concept_entropy", "pca", 2.0))])
    # A run that measured none of it has no row, nor has one of its concept entropy, which every run has.
    assert [(row["model"], row["explainer"]) for row in rows] == [
        ("ViT-B/16", name) for name in ("pca", "kmeans", "random")
    ]
    # What is the same for every explainer stands in the row of each.
    assert [row["estimates"]["corloc"].value for row in rows] == [0.5] * 3
    assert rows[1]["estimates"]["deletion_sum"] == Estimate(4.5, (4.4, 4.6))
    assert [column.metric for column in shown_columns(rows)] == ["deletion_sum", "part_iou", "corloc"]


def test_concept_entropy_stands_beside_what_was_measured() -> None:
    (row,) = faithfulness_rows([make_results(("concept_entropy", "pca", 2.0), ("corloc", None, 0.5))])
    assert row["estimates"]["concept_entropy"] == Estimate(2.0, (1.9, 2.1))
    assert [column.metric for column in shown_columns([row])] == ["corloc", "concept_entropy"]
    assert "Concept entropy: of the descriptors" in notes([row])[0]


def test_runs_of_an_earlier_version_have_no_controls() -> None:
    results = make_results(("deletion_sum", "pca", 4.5))
    del results["controls"]
    (row,) = faithfulness_rows([results])
    assert row["not_separated"] == {}


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ([], []),
        ([("deletion_sum", "pca", "reversed")], ["reversed"]),
        # Fewer parts make the sum smaller, whatever they are: the mean has to agree.
        ([("deletion", "pca", "random")], ["random"]),
        ([("deletion", "pca", "random"), ("deletion_sum", "pca", "reversed")], ["reversed", "random"]),
        ([("deletion", "pca", "random"), ("deletion_sum", "pca", "random")], ["random"]),
        ([("deletion_sum", "kmeans", "random"), ("insertion", "pca", "random")], []),
        ([("deletion_sum", "pca", "another control")], []),
    ],
)
def test_controls_that_are_missed_on_either_scale(missed: list[tuple[str, str, str]], expected: list[str]) -> None:
    (row,) = faithfulness_rows([make_results(("deletion_sum", "pca", 4.5), missed=missed)])
    (column,) = shown_columns([row])
    assert column.controls_missed(row) == expected
    text = "\n".join(notes([row]))
    for control, (mark, what) in MARKS.items():
        assert (mark in text and what in text) is (control in expected)


def test_notes_explain_what_is_shown_and_nothing_else() -> None:
    (row,) = faithfulness_rows([make_results(("part_iou", "pca", 0.1))])
    assert notes([row]) == ["95 % intervals over images."]
    metrics = [("descriptor_recall", "pca", 0.2), ("descriptor_precision_chance", None, 0.18), ("corloc", None, 0.5)]
    metrics.append(("corloc_whole_image", None, 0.4))
    (row,) = faithfulness_rows([make_results(*metrics, ("deletion_sum", "pca", 4.4))])
    about, precision, corloc = notes([row])
    for word in ("2.5 cos(image, class)", "descriptor_recall_bound", "of the foreground", "95 %"):
        assert word in about
    assert precision == "Descriptor precision of descriptors drawn at random: 0.180 [0.080, 0.280] (ViT-B/16)."
    assert corloc.startswith("CorLoc of the whole image, as a share: 0.400 ")


def test_what_many_runs_share_is_said_once() -> None:
    def say(*values: float) -> str:
        estimates = [{"part_iou": Estimate(0.1), "corloc_whole_image": Estimate(value)} for value in values]
        rows = [{"model": f"v{n}", "estimates": each, "not_separated": {}} for n, each in enumerate(estimates)]
        return notes(rows)[-1].partition(": ")[2]

    assert say(0.5, 0.25, 0.5) == "0.500 (v0, v2), 0.250 (v1)."
    assert say(*[0.5] * 5) == "0.500 (all runs)."
