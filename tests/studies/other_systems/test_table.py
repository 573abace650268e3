from pathlib import Path

from result_documents import results

from mkbench.runs.finished_runs import Run
from mkbench.studies.other_systems.table import metric_rows
from mkbench.studies.other_systems.write import write_other_systems


def make_run(**more):
    document = results("ViT", random_weights=True, pca={"auc": 7.0}) | {"system": "mine"}
    document["metrics"].append({"name": "own", "explainer": None, "value": None, "higher_is_better": False} | more)
    return Run(Path("vit"), "ViT", document, {})


def test_rows_hold_every_metric_in_its_order():
    rows = metric_rows([make_run(value=0.25)])
    assert [(row["metric"], row["explainer"], row["n"]) for row in rows] == [
        ("mutual_information_auc", "pca", 40),
        ("own", None, None),
    ]
    assert [row["estimate"].value for row in rows] == [7.0, 0.25]


def test_files_and_absent_values(tmp_path):
    write_other_systems([make_run()], tmp_path)
    lines = (tmp_path / "metrics.md").read_text().splitlines()
    assert lines[2] == "| ViT (random weights) | mine | mutual_information_auc | PCA | 7.0000 [6.9500, 7.0500] | 40 |"
    assert lines[3] == "| ViT (random weights) | mine | own ↓ | – | – | – |"
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1:] == [
        "ViT,mine,mutual_information_auc,pca,7.0,6.95,7.05,40,",
        "ViT,mine,own,,,,,,false",
    ]
