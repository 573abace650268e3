import csv
import io

import pytest
from result_documents import results
from rich.console import Console

from mkbench.studies.mutual_knowledge.table import bench_rows, bench_table, caption
from mkbench.tables import to_console, to_csv, to_latex, to_markdown

FULL = {"mi": 7.5, "auc": 3.375, "chance": 2.25, "excess": 1.125}
SPEED = {"images_per_second": 12.34}


def _rows():
    return bench_rows(
        [
            (results("ViT-B/16", top1=0.683, pca=FULL, kmeans={**FULL, "excess": -0.001}), SPEED),
            (results("ViT-L_14", top1=0.0, random_weights=True, pca={"auc": 3.0}), {}),
            (results("A|B [red]", top1=0.5), SPEED),
        ]
    )


def _print(table, width=120):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table)
    return console.file.getvalue()


def test_a_row_for_each_model_and_explainer():
    rows = _rows()
    assert [(row["model"], row["explainer"]) for row in rows] == [
        ("ViT-B/16", "pca"),
        ("ViT-B/16", "kmeans"),
        ("ViT-L_14", "pca"),
        ("A|B [red]", None),
    ]
    assert rows[0]["parameters"] == pytest.approx(149.620737)
    assert rows[0]["top1"].value == pytest.approx(68.3)
    assert rows[2]["chance"] is None
    assert rows[2]["top1"].value == 0.0  # measured, and not the same as absent


def test_markdown_cells():
    lines = to_markdown(bench_table(_rows())).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split(" | ")]
    assert cells == [
        *("ViT-B/16", "149.6", "68.3 [63.3, 73.3]", "PCA", "7.50 [7.45, 7.55]"),
        *("3.38 [3.33, 3.42]", "2.25 [2.20, 2.30]", "1.12 [1.07, 1.18]", "12.3"),
    ]
    assert "0.00 [-0.05, 0.05]" in lines[3]
    assert lines[4].startswith("| ViT-L_14 (random weights) | 149.6 | 0.0 [-5.0, 5.0] | PCA | \u2013 | 3.00 ")
    assert lines[4].endswith("| \u2013 | \u2013 | \u2013 |")
    assert lines[5].startswith("| A\\|B [red] |")


def test_small_values_get_more_decimals():
    rows = bench_rows([(results(estimator="shannon", pca={"mi": 0.0234, "auc": 0.0111}), {})])
    assert "0.0234 [-0.0266, 0.0734]" in to_markdown(bench_table(rows))
    rows = bench_rows([(results(pca={"mi": 0.3, "auc": 0.1234}), {})])
    assert "0.123 [0.073, 0.173]" in to_markdown(bench_table(rows))


def test_console_table_is_whole_at_120_columns():
    text = _print(to_console(bench_table(_rows())))
    assert max(len(line) for line in text.splitlines()) <= 120
    for whole in ("[63.3, 73.3]", "[7.45, 7.55]", "[-0.05, 0.05]", "(random weights)", "A|B [red]", "K-means"):
        assert whole in text
    assert "…" not in text


def test_narrow_terminals_keep_names_and_numbers_whole():
    def show(width, label="Critters ViT-L"):
        rows = bench_rows([(results(label, top1=0.922, pca=FULL, kmeans=FULL), SPEED)])
        text = _print(to_console(bench_table(rows), width=width), width)
        assert max(map(len, text.splitlines())) <= width
        assert "7.50" in text
        return text

    assert "[91.7, 97.2]" not in show(80)
    assert "[87.2, 97.2]" in show(120)
    assert "a wider terminal shows 95 % intervals" in " ".join(show(80).split())
    assert "a wider terminal" not in show(120)
    for text in (show(120), show(80)):
        assert "Critters ViT-L" in text
        assert "149.6" in text
        assert "12.3" in text
    small = show(66)
    assert "Critters ViT-L" in small
    assert "149.6" not in small
    assert "12.3" not in small
    assert "a name of 30 characters, no les" in show(82, "a name of 30 characters, no les")


def test_random_weights_are_named_once():
    rows = bench_rows([(results("vit (random weights)", random_weights=True, pca=FULL), {})])
    assert to_markdown(bench_table(rows)).count("random weights") == 1
    assert _print(to_console(bench_table(rows))).count("random weights") == 1


def test_console_blocks():
    def gaps(block):
        lines = _print(to_console(bench_table(_rows(), block=block))).rstrip().splitlines()
        start = next(index for index, line in enumerate(lines) if "───" in line)
        return sum(not line.strip() for line in lines[start:])

    assert gaps("model") == 3  # three models, each followed by a gap
    assert gaps("explainer") == 4  # PCA, K-means, PCA, none


def test_csv_has_full_precision_and_empty_cells():
    table = list(csv.DictReader(io.StringIO(to_csv(bench_table(_rows())))))
    assert float(table[0]["auc"]) == 3.375
    assert float(table[0]["auc_low"]) == pytest.approx(3.325)
    assert float(table[0]["chance_auc"]) == 2.25
    assert float(table[0]["excess_auc"]) == 1.125
    assert table[2]["chance_auc"] == table[2]["chance_auc_high"] == table[2]["images_per_second"] == ""
    assert float(table[2]["top1_percent"]) == 0.0
    assert [row["random_weights"] for row in table] == ["false", "false", "true", "false"]
    assert table[3]["explainer"] == ""


def test_latex_is_escaped_and_complete():
    lines = to_latex(bench_table(_rows())).splitlines()
    assert lines[2:4] == [
        r"\toprule",
        r"model & params (M) & top-1 \% $\uparrow$ & parts & MI $\uparrow$ & AUC $\uparrow$ & chance AUC "
        r"& excess AUC $\uparrow$ & images/s $\uparrow$ \\",
    ]
    body = lines[5:9]
    assert all(line.count("&") == len(bench_table([]).shown) - 1 for line in body)
    assert r"68.3 {\scriptsize[63.3, 73.3]}" in body[0]
    assert r"0.00 {\scriptsize[$-$0.05, 0.05]}" in body[1]
    assert body[2].startswith(r"ViT-L\_14 (random weights) & ")
    assert body[3].startswith(r"A\textbar{}B {[}red{]} & ")
    assert body[3].count("--") == 5


def test_caption_names_every_estimator():
    rows = bench_rows([(results(pca=FULL), {}), (results(estimator="shannon", pca=FULL), {})])
    assert "estimator: paper, an overlap score rather than Shannon information; shannon)" in caption(rows)
