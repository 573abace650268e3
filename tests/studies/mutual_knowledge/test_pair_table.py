import csv
import io

from rich.console import Console

from mkbench.runs.results import Estimate
from mkbench.studies.mutual_knowledge.pair_table import neighbors_table, pairs_table
from mkbench.studies.mutual_knowledge.pairs import Pair
from mkbench.tables import to_console, to_csv, to_markdown

CLEAR = Estimate(0.314, (0.12, 0.5))
UNCLEAR = Estimate(-0.001, (-0.2, 0.1))
PAIRS = [
    Pair("pca", "ViT-L", "ViT-M", True, 192, {"auc": CLEAR, "excess": UNCLEAR, "top1": Estimate(2.25, (1.0, 3.0))}),
    Pair("pca", "ViT-L", "[red]RN", False, 192, {"auc": CLEAR, "excess": CLEAR, "top1": None}),
    Pair("pca", "ViT-M", "[red]RN", True, 7, {"auc": Estimate(1.0), "excess": CLEAR, "top1": None}),
]


def _print(table, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_csv_has_every_pair_in_full_precision():
    rows = list(csv.DictReader(io.StringIO(to_csv(pairs_table(PAIRS)))))
    assert [(row["first"], row["second"], row["images"]) for row in rows] == [
        ("ViT-L", "ViT-M", "192"),
        ("ViT-L", "[red]RN", "192"),
        ("ViT-M", "[red]RN", "7"),
    ]
    assert [float(rows[0][key]) for key in ("auc", "auc_low", "auc_high", "top1")] == [0.314, 0.12, 0.5, 2.25]
    assert rows[1]["top1"] == rows[1]["top1_low"] == rows[2]["auc_low"] == ""
    assert rows[2]["auc"] == "1.0"


def test_markdown_has_every_pair_and_says_which_intervals_hold_0():
    lines = to_markdown(pairs_table(PAIRS, notes=["PCA: 1 of 4 pairs"])).splitlines()
    assert lines[2] == (
        "| PCA | ViT-L > ViT-M | 192 | +0.31 [0.12, 0.50] | +0.00 [-0.20, 0.10] undecided | +2.2 [1.0, 3.0] |"
    )
    assert lines[3] == "| PCA | ViT-L > [red]RN | 192 | +0.31 [0.12, 0.50] | +0.31 [0.12, 0.50] | \u2013 |"
    assert lines[4] == "| PCA | ViT-M > [red]RN | 7 | +1.00 | +0.31 [0.12, 0.50] | \u2013 |"
    assert lines[-1] == "PCA: 1 of 4 pairs"
    assert "+0.3140 [0.1200, 0.5000]" in to_markdown(pairs_table(PAIRS, decimals=4))


def test_console_has_the_neighbors_in_80_columns():
    lines = _print(to_console(neighbors_table(PAIRS)), 80)
    assert "ViT-L PCA +0.31 +0.00 +2.2" in lines
    assert "> ViT-M n 192 [0.12, 0.50] [-0.20, 0.10] [1.0, 3.0]" in lines
    assert "undecided" in lines
    assert "ViT-M PCA +1.00 +0.31 \u2013" in lines
    assert "> [red]RN n 7 [0.12, 0.50]" in lines
    assert len([line for line in lines if line.startswith(">")]) == 2
