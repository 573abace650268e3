from __future__ import annotations

import pytest
from result_documents import make_results

from mkbench.runs.results import Estimate
from mkbench.studies.control_marks import MARKS, marks_of
from mkbench.studies.faithfulness.study import faithfulness_rows, notes, shown_metrics


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
    assert shown_metrics(rows) == ["deletion", "part_iou", "corloc"]


def test_concept_entropy_stands_beside_what_was_measured() -> None:
    (row,) = faithfulness_rows([make_results(("concept_entropy", "pca", 2.0), ("corloc", None, 0.5))])
    assert row["estimates"]["concept_entropy"] == Estimate(2.0, (1.9, 2.1))
    assert shown_metrics([row]) == ["corloc", "concept_entropy"]
    assert "Concept entropy: of the descriptors" in notes([row])[0]


def test_stability_is_shown_with_what_it_means() -> None:
    (row,) = faithfulness_rows([make_results(("noise_jaccard", "pca", 0.7), ("noise_auc_flips", "pca", 0.1))])
    assert shown_metrics([row]) == ["noise_jaccard", "noise_auc_flips"]
    about = notes([row])[0]
    assert "Noise: the same after one grey level of noise." in about
    assert "Reseed" not in about


def test_explainers_are_ranked_by_the_mean_and_controls_are_last() -> None:
    metrics = [
        ("deletion", "pca", 1.5),
        ("deletion", "kmeans", 1.2),
        ("deletion", "random", 0.1),
        ("deletion", "b", 1.4),
    ]
    # The sums say otherwise, and a control without parts has neither.
    sums = [("deletion_sum", "pca", 1.0), ("deletion_sum", "kmeans", 9.0), ("concept_entropy", "whole-image", 1.0)]
    rows = faithfulness_rows([make_results(*metrics, *sums, ("corloc", None, 0.5))])
    assert [row["explainer"] for row in rows] == ["kmeans", "b", "pca", "random", "whole-image"]
    assert "deletion" not in rows[-1]["estimates"]


def test_where_less_is_worse_the_largest_mean_is_first() -> None:
    rows = faithfulness_rows([make_results(("insertion", "pca", 1.5), ("insertion", "kmeans", 1.7))])
    assert [row["explainer"] for row in rows] == ["kmeans", "pca"]


def test_runs_of_an_earlier_version_have_no_controls() -> None:
    results = make_results(("deletion", "pca", 4.5))
    del results["controls"]
    (row,) = faithfulness_rows([results])
    assert row["not_separated"] == {}


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ([], []),
        ([("deletion", "pca", "reversed")], ["reversed"]),
        ([("deletion", "pca", "random"), ("deletion", "pca", "reversed")], ["reversed", "random"]),
        ([("deletion", "pca", "whole-image")], ["whole-image"]),
        # Sums grow with the number of parts: what they say of a control marks nothing.
        ([("deletion_sum", "pca", "random")], []),
        ([("deletion", "kmeans", "random"), ("insertion", "pca", "random")], []),
        ([("deletion", "pca", "another control")], []),
    ],
)
def test_marks_of_controls_that_are_missed(missed: list[tuple[str, str, str]], expected: list[str]) -> None:
    (row,) = faithfulness_rows([make_results(("deletion", "pca", 4.5), missed=missed)])
    assert marks_of(row["not_separated"], "deletion") == "".join(MARKS[control][0] for control in expected)
    text = "\n".join(notes([row]))
    for control, (mark, what) in MARKS.items():
        assert (f"{mark} no better than {what}" in text) is (control in expected)


def test_notes_explain_what_is_shown_and_nothing_else() -> None:
    (row,) = faithfulness_rows([make_results(("part_iou", "pca", 0.1))])
    assert notes([row]) == ["95 % intervals over images."]
    metrics = [("descriptor_recall", "pca", 0.2), ("descriptor_precision_chance", None, 0.18), ("corloc", None, 0.5)]
    metrics.append(("corloc_whole_image", None, 0.4))
    (row,) = faithfulness_rows([make_results(*metrics, ("deletion", "pca", 4.4))])
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


def test_costs_stand_in_the_row_of_their_explainer_with_the_pass_that_all_share() -> None:
    results = make_results(("deletion", "pca", 1.5), ("deletion", "kmeans", 1.2))
    costs = {"forward_ms": 5.0, "explainer_costs": {"pca": {"forwards": 13.5, "ms": 70.25}}}
    kmeans, pca = faithfulness_rows([results], [costs])  # type: ignore[list-item]
    assert (pca["costs"], kmeans["costs"], pca["forward_ms"]) == ({"forwards": 13.5, "ms": 70.25}, {}, 5.0)
    assert "The shared pass: 5.0 ms (ViT-B/16)." in notes([kmeans, pca])[-1]
