import csv
import io
import json
from pathlib import Path

import pytest
from published_runs import TABLE, reproduction, shift, without
from rich.console import Console

from mkbench.runs.finished_runs import Run
from mkbench.studies.reproduction.published import load_published
from mkbench.studies.reproduction.study import verify
from mkbench.studies.reproduction.table import (
    explanations,
    show_verification,
    summary,
    to_json,
    verification_files,
    verification_markdown,
    verification_table,
)
from mkbench.tables import to_csv


@pytest.fixture
def verification():
    documents = [
        shift(reproduction("ViT-B/16"), "mutual_information_auc", "pca", 0.0549),
        without(reproduction("RN-50", settings__refine="none"), "top1"),
    ]
    runs = [Run(Path("runs") / str(i), doc["model"]["label"], doc, {}) for i, doc in enumerate(documents)]
    return verify(load_published(TABLE), runs)


def _print(verification, width, **options):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(show_verification(verification, **options))
    return console.file.getvalue()


def test_console_is_whole_at_100_columns(verification):
    lines = [" ".join(line.split()) for line in _print(verification, 100).splitlines()]
    assert lines[0].startswith("ImageNet validation, 50,000 images: Sammani & Deligiannis")
    assert "ViT-B/16 top-1 % 67.70 67.70 [66.70, 68.70] +0.000 match" in lines
    # A difference above the tolerance must not look like the tolerance itself.
    assert "AUC PCA 3.62 3.67 [3.61, 3.63] +0.055 mismatch" in lines
    assert "RN-50 top-1 % 58.42 \u2013 \u2013 not comparable" in lines
    assert "MI K-means 7.20 7.20 [7.19, 7.21] \u2013 not comparable" in lines
    assert "- refine none, published with crf (RN-50; mi_pca, mi_kmeans, auc_pca, auc_kmeans)" in lines
    assert "Tolerances: 0.3 for top1; 0.05 for mi_pca, mi_kmeans, auc_pca, auc_kmeans." in lines
    assert lines[-1] == "Not verified: 4 numbers match, 1 mismatch, 5 not comparable; 11 of 13 models not run."
    assert sum(line.startswith("ViT-B/16 ") for line in lines) == 1  # grouped by model


def test_verdicts_are_told_by_colour_and_by_word(verification):
    console = Console(width=100, file=io.StringIO(), color_system="standard", force_terminal=True)
    console.print(show_verification(verification))
    text = console.file.getvalue()
    assert "\x1b[32mmatch" in text
    assert "\x1b[1;31mmismatch" in text
    assert "\x1b[33mnot comparable" in text


def test_summary_tells_success(verification):
    table = load_published(TABLE)
    full = verify(table, [Run(Path(model), model, reproduction(model), {}) for model in table.rows])
    assert summary(full, complete=True) == (
        "Verified: 65 numbers match, 0 mismatch, 0 not comparable; 0 of 13 models not run."
    )
    assert "Not comparable" not in _print(full, 100)
    assert "Not run" not in verification_markdown(full)
    single = verify(table, [Run(Path("rn"), "RN-50", reproduction("RN-50"), {})])
    assert summary(single).startswith("Verified: 5 numbers match")
    assert summary(single, complete=True).startswith("Not verified: 5 numbers match")


def test_variants_that_were_not_run_are_named():
    table = load_published("mutual-knowledge-ablations")
    run = reproduction("RN-50", table.name, columns=["base", "nearest"])
    verification = verify(table, [Run(Path("rn"), "RN-50", run, {})])
    assert summary(verification) == (
        "Verified: 2 numbers match, 0 mismatch, 0 not comparable; 5 of 6 models, 2 numbers of other variants not run."
    )
    assert summary(verification, complete=True).startswith("Not verified")
    missing = "Not run in the variant of: RN-50 kept-region top-1 % components; RN-50 kept-region top-1 % crf."
    assert missing in verification_markdown(verification)
    assert missing in " ".join(_print(verification, 100).split())
    assert to_json(verification)["not_measured"] == [["RN-50", "components"], ["RN-50", "crf"]]


def test_each_reason_is_told_once(verification):
    assert explanations(verification) == [
        "no top1 in the results (RN-50; top1)",
        "refine none, published with crf (RN-50; mi_pca, mi_kmeans, auc_pca, auc_kmeans)",
    ]


def test_markdown(verification):
    lines = verification_markdown(verification).splitlines()
    assert lines[0] == "# mutual-knowledge-table3"
    assert "| ViT-B/16 | AUC PCA | 3.62 | 3.67 [3.61, 3.63] | +0.055 | mismatch |" in lines
    assert lines[lines.index("Not comparable:") + 2] == "- no top1 in the results (RN-50; top1)"
    assert lines[-1].startswith("Not run: ViT-B/32, ViT-B/32-dcp, ")


def test_csv_has_full_precision_and_empty_cells(verification):
    rows = list(csv.DictReader(io.StringIO(to_csv(verification_table(verification)))))
    assert len(rows) == 10
    assert float(rows[3]["difference"]) == pytest.approx(0.0549)
    assert (rows[3]["run"], rows[3]["column"], rows[3]["verdict"]) == ("runs/0", "auc_pca", "mismatch")
    assert float(rows[0]["low"]) == pytest.approx(66.7)
    assert rows[5]["measured"] == rows[5]["low"] == rows[5]["difference"] == ""
    assert rows[5]["reasons"] == "no top1 in the results"


def test_files_are_written_and_the_same_each_time(verification, tmp_path):
    for name in ("one", "two"):
        verification_files(verification, tmp_path / name, complete=True)
    names = ["verify.csv", "verify.json", "verify.md"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    content = json.loads((tmp_path / "one" / "verify.json").read_text())
    assert content["verified"] is False
    assert content["complete"] is True
    assert content["counts"] == {"match": 4, "mismatch": 1, "not comparable": 5, "not run": 11}
    assert content["cells"][5]["reasons"] == ["no top1 in the results"]
    assert len(content["not_run"]) == 11


def test_label_is_not_read_as_markup():
    run = Run(Path("x"), "[red]own", reproduction("RN-50", model__name="x", model__label="[red]own"), {})
    assert "[red]own" in _print(verify(load_published(TABLE), [run]), 100)
