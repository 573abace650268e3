from __future__ import annotations

import csv
import io

import pytest
from concept_head_rows import joint_row, printed, words
from own_metric import own_metric

from mkbench.studies.concept_heads.table import concept_heads_console, concept_heads_table
from mkbench.studies.metric_columns import own_metrics
from mkbench.tables import to_csv, to_latex, to_markdown


def test_markdown_has_directions_intervals_and_notes() -> None:
    rows = [joint_row(), joint_row("RN", "kmeans", excess=None, association=None)]
    text = to_markdown(concept_heads_table(rows, notes=["A note."]))
    header, _, first, second, *_ = text.splitlines()
    assert header == (
        "| model | parts | top-1 % ↑ | MI ↑ | AUC ↑ | chance AUC | excess AUC ↑ | entanglement ↓ | association ↑ "
        "| CCS ↑ | CCS@5 | CCR | carried ↑ | beaten ↑ |"
    )
    assert first == (
        "| ViT | PCA | 50.0 [50.0, 50.0] | 3.00 [2.95, 3.05] | 2.00 [1.95, 2.05] | 0.50 [0.45, 0.55] | "
        "1.50 [1.45, 1.55] | 0.250 [0.200, 0.300] | 0.500 [0.450, 0.550] | 3.50 [3.45, 3.55] | 0.125 [0.075, 0.175] | "
        "0.500 | 0.75 [0.70, 0.80] | 0.88 [0.82, 0.93] |"
    )
    assert "| RN | K-means |" in second
    assert second.count("| – |") == 2
    assert text.endswith("\nA note.\n")


def test_notes_explain_the_marks_and_no_column_that_is_missing() -> None:
    row = joint_row() | {"not_separated": {"mutual_information_auc": ["whole-image"]}, "concepts": 8.0}  # type: ignore[typeddict-unknown-key]
    text = to_markdown(concept_heads_table([row]))
    assert " | 2.00§ [1.95, 2.05] | " in text
    assert "§ no better than the whole image" in text
    assert "concepts N" not in text


def test_csv_has_full_precision_and_empty_cells() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv(concept_heads_table([joint_row(excess=None, random=True)]))))
    assert (row["random_weights"], row["images"], row["head_images"]) == ("true", "40", "12")
    assert (row["high_ccs"], row["carried_low"], row["carried_high"]) == ("0.125", "0.7", "0.8")
    assert [row[f"excess_auc{bound}"] for bound in ("", "_low", "_high")] == ["", "", ""]
    assert [row[f"concept_consistency_ratio{bound}"] for bound in ("", "_low")] == ["0.5", ""]


def test_latex_escapes_names() -> None:
    text = to_latex(concept_heads_table([joint_row("a_b")], notes=["Note."]))
    assert r"a\_b & PCA & 50.0 {\scriptsize[50.0, 50.0]} &" in text
    assert r"entanglement $\downarrow$" in text
    assert "\n% Note.\n" in text


@pytest.mark.parametrize(("width", "headers", "intervals"), [(200, 1, True), (120, 3, True), (80, 2, False)])
def test_console_fits_the_terminal(width: int, headers: int, intervals: bool) -> None:
    lines = printed(concept_heads_console([joint_row("ViT-L/14@336", random=True), joint_row()], width=width), width)
    assert max(map(len, lines)) <= width
    assert sum("model" in line and "parts" in line for line in lines) == headers
    assert any("[0.200, 0.300]" in line for line in lines) == intervals
    assert any(line.startswith("ViT PCA") for line in words(lines))
    assert ("a wider terminal shows 95 % intervals" in " ".join(words(lines))) != intervals


def test_metric_of_a_user_is_a_column() -> None:
    row = joint_row() | {"own": own_metrics({"metrics": [own_metric("pca", 0.25)]}, "pca")}  # type: ignore[typeddict-item]
    header, _, first, *_ = to_markdown(concept_heads_table([row])).splitlines()
    assert "| excess AUC ↑ | dark % ↓ | entanglement ↓ |" in header
    assert " | 25.0 [12.5, 37.5] | " in first
