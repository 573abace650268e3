from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from own_metric import own_metric
from result_documents import make_results
from rich.console import Console

from mkbench.runs.finished_runs import Run
from mkbench.studies.faithfulness.study import (
    CSV_METRICS,
    EXACT,
    INTERVENTION,
    SHOWN,
    STABILITY,
    faithfulness_rows,
)
from mkbench.studies.faithfulness.table import faithfulness_table
from mkbench.studies.faithfulness.write import write_faithfulness
from mkbench.tables import to_console, to_csv, to_latex, to_markdown

MISSED = [("deletion", "pca", "reversed"), ("deletion", "pca", "random"), ("part_iou", "kmeans", "random")]
OTHERS = ("corloc", "kept", "noise", "reseed", "exact", "intervention")
OF_EXPLAINERS = [metric for metric in CSV_METRICS if metric.partition("_")[0] not in OTHERS]


#: Printed metrics that have no table of their own on narrow terminals.
USUAL = [metric for metric in SHOWN if metric not in (*STABILITY, *EXACT, *INTERVENTION)]


def full_results() -> Any:
    explained = [(metric, name, -0.25) for name in ("pca", "kmeans") for metric in OF_EXPLAINERS]
    return make_results(*explained, ("corloc", None, 0.5), ("kept_region_top1", None, 0.75), missed=MISSED)


def show(width: int, results: Any) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(to_console(faithfulness_table(faithfulness_rows([results])), width=width))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    return text


def test_markdown_cells() -> None:
    lines = to_markdown(faithfulness_table(faithfulness_rows([full_results()]))).splitlines()
    assert lines[0].count("|") == len(USUAL) + 3
    cells = [cell.strip() for cell in lines[2].strip("|").split(" | ")]
    assert cells[:4] == ["ViT-B/16", "PCA", "-0.25†‡ [-0.35, -0.15]", "-0.25 [-0.35, -0.15]"]
    assert cells[8:11] == ["-0.250 [-0.350, -0.150]", "-0.250 [-0.350, -0.150]", "-0.25 [-0.35, -0.15]"]
    assert cells[11:] == ["50.0 [40.0, 60.0]", "75.0 [65.0, 85.0]", "-0.25 [-0.35, -0.15]"]
    assert "| K-means | -0.25 [" in lines[3]
    assert "-0.250‡ [" in lines[3]
    assert sum(line.startswith(("† no better than", "‡ no better than")) for line in lines) == 2


def test_absent_values_are_dashes() -> None:
    results = make_results(("part_iou", "pca", 0.1), ("descriptor_recall", "kmeans", 0.2))
    lines = to_markdown(faithfulness_table(faithfulness_rows([results]))).splitlines()
    assert lines[2].startswith("| ViT-B/16 | PCA | \u2013 | 0.100 ")
    assert lines[3].endswith("0.200 [0.100, 0.300] | \u2013 |")


def test_csv_has_every_scale_bound_and_control() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(faithfulness_table(faithfulness_rows([full_results()]))))))
    assert [row["explainer"] for row in rows] == ["pca", "kmeans"]
    for row in rows:
        for metric in OF_EXPLAINERS:
            assert float(row[metric]) == -0.25
            assert (float(row[f"{metric}_low"]), float(row[f"{metric}_high"])) == (-0.35, -0.15)
        assert (float(row["corloc"]), float(row["kept_region_top1"])) == (0.5, 0.75)
    assert rows[0]["deletion_not_separated_from"] == "reversed random"
    assert rows[1]["deletion_not_separated_from"] == rows[0]["part_iou_not_separated_from"] == ""
    assert rows[0].keys() >= {"model", "random_weights", "descriptor_recall_bound", "descriptor_precision_chance"}


def test_latex() -> None:
    lines = to_latex(faithfulness_table(faithfulness_rows([full_results()]))).splitlines()
    assert rf"\begin{{tabular}}{{ll{'r' * (len(USUAL))}}}" in lines
    body = [line for line in lines if not line.startswith("%")]
    assert r"deletion $\downarrow$ & insertion $\uparrow$" in body[2]
    first = r"ViT-B/16 & PCA & $-$0.25$^\dagger$$^\ddagger$ {\scriptsize[$-$0.35, $-$0.15]} & $-$0.25 {\scriptsize["
    assert body[4].startswith(first)
    assert all(line.count("&") == len(USUAL) + 1 for line in (body[2], *body[4:6]))
    assert [line[2:9] for line in lines if line.startswith("% †") or line.startswith("% ‡")] == ["† no be", "‡ no be"]


def test_terminals_of_any_width_keep_numbers_whole() -> None:
    wide, usual, narrow = (show(width, full_results()) for width in (230, 120, 80))
    assert len([line for line in wide.splitlines() if "K-means" in line]) == 1
    assert len([line for line in usual.splitlines() if "K-means" in line]) == 3
    assert len([line for line in narrow.splitlines() if "K-means" in line]) == 3
    for text in (wide, usual):
        assert text.count("[-0.35, -0.15]") == 12
        assert "[40.0, 60.0]" in text
    assert "[-0.35, -0.15]" not in narrow
    for text in (wide, usual, narrow):
        assert "-0.25†‡" in text
        assert "calibration" in text
        assert "precision" in text


def test_stability_has_tables_of_its_own_on_narrow_terminals() -> None:
    results = make_results(*((metric, "kmeans", 0.5) for metric in STABILITY), ("part_iou", "kmeans", 0.25))
    text = show(80, results)
    assert len([line for line in text.splitlines() if "K-means" in line]) == 3
    assert text.count("0.500") == len(STABILITY)
    assert "correlation, noise" in text


def test_changed_images_have_tables_of_their_own_on_narrow_terminals() -> None:
    measured = [(metric, "kmeans", 0.5) for metric in (*EXACT, *INTERVENTION)]
    results = make_results(*measured, missed=[("intervention_j", "kmeans", "mispaired")])
    text = show(80, results)
    assert len([line for line in text.splitlines() if "K-means" in line]) == 3
    assert "0.500‖" in text
    assert "‖ no better than the truth of another change" in text
    (row,) = csv.DictReader(io.StringIO(to_csv(faithfulness_table(faithfulness_rows([results])))))
    assert row["intervention_j_not_separated_from"] == "mispaired"
    assert r"0.500$^\parallel$" in to_latex(faithfulness_table(faithfulness_rows([results])))


def test_only_removal_was_measured() -> None:
    text = show(120, make_results(("deletion", "pca", 4.5)))
    assert len([line for line in text.splitlines() if "PCA" in line]) == 1
    assert "4.50" in text


def test_files_come_and_go_with_the_metrics(tmp_path: Path) -> None:
    runs = [Run(tmp_path, "ViT (a)", full_results(), {})]
    assert write_faithfulness(runs, tmp_path / "out") is not None
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(files) == {"faithfulness.csv", "faithfulness.md", "faithfulness.tex"}
    assert "ViT (a)" in files["faithfulness.md"].decode()
    write_faithfulness(runs, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files
    plain = Run(tmp_path, "ViT", make_results(("mutual_information", "pca", 7.0)), {})
    assert write_faithfulness([plain], tmp_path / "out") is None
    assert list((tmp_path / "out").iterdir()) == []


def test_compare_shows_the_table_of_a_run_that_measured(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    scorers = [f"--model.scorers+=mkbench.scorers.{name}" for name in ("Calibration", "KeptRegion")]
    assert command(*predict_words, "--data.limit_classes=2", *scorers).code == 0
    outcome = command("compare", "runs", "--out=table")
    assert (outcome.code, outcome.error) == (0, "")
    assert "kept-region" in outcome.output
    (first, second, *_) = csv.DictReader(io.StringIO((tmp_path / "table" / "faithfulness.csv").read_text()))
    assert (first["explainer"], second["explainer"]) == ("pca", "kmeans")
    assert first["kept_region_top1"] == second["kept_region_top1"] != ""
    again = ("--data.limit_classes=2", "--model.scorers=[]", "--results.overwrite=true")
    assert command(*predict_words, *again).code == 0
    outcome = command("compare", "runs", "--out=table")
    assert "kept-region" not in outcome.output
    assert not (tmp_path / "table" / "faithfulness.csv").exists()


def test_metric_of_a_user_is_a_column() -> None:
    results = make_results(("part_iou", "pca", 0.1), ("part_iou", "kmeans", 0.2))
    results["metrics"] += [own_metric("pca", 0.25), own_metric("kmeans", 0.5)]
    table = faithfulness_table(faithfulness_rows([results]))
    header, _, first, second, *_ = to_markdown(table).splitlines()
    assert header.endswith(" dark % ↓ |")
    assert [line.rpartition(" | ")[2] for line in (first, second)] == ["25.0 [12.5, 37.5] |", "50.0 [37.5, 62.5] |"]
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [(row["darkness"], row["darkness_low"]) for row in rows] == [("0.25", "0.125"), ("0.5", "0.375")]
    assert "dark" in show(60, results)


def test_costs_are_columns_where_a_run_has_them() -> None:
    results = make_results(("deletion", "pca", 1.5), ("deletion", "kmeans", 1.2))
    costs: Any = {"forward_ms": 5.0, "explainer_costs": {"pca": {"forwards": 13.52, "ms": 70.25}}}
    table = faithfulness_table(faithfulness_rows([results], [costs]))
    lines = to_markdown(table).splitlines()
    assert lines[0].endswith("| forwards ↓ | ms an image ↓ |")
    assert [line.split("|")[-3:-1] for line in lines[2:4]] == [[" \u2013 ", " \u2013 "], [" 13.5 ", " 70.2 "]]
    kmeans, pca = csv.DictReader(io.StringIO(to_csv(table)))
    assert (pca["forwards_of_an_image"], pca["ms_of_an_image"], pca["forward_ms"]) == ("13.52", "70.25", "5.0")
    assert kmeans["ms_of_an_image"] == ""
    assert "ms an image" not in to_markdown(faithfulness_table(faithfulness_rows([results])))
