import pytest
from group_rows import row, write_rows
from result_documents import results

from mkbench.runs.finished_runs import Run


@pytest.fixture
def bench(tmp_path):
    """Three runs with curves over the images a and b; the last one has b and c, and no labels."""
    runs = []
    for index, (name, ids) in enumerate({"low": "ab", "high": "ab", "other": "bc"}.items()):
        values = {"auc": 3.0, "excess": 1.0 + index % 2}
        document = results(name, top1=None if name == "other" else 0.5, pca=values, kmeans=values)
        document["curves"] = {"mutual_information": {"pca": [2.0, 0.0], "kmeans": [2.0, 0.0]}}
        rows = [
            row(
                sample,
                [2.0 + index, 0.0],
                [1.0, 0.0],
                explainer=explainer,
                top1=None if name == "other" else index == 1,
            )
            for sample in ids
            for explainer in ("pca", "kmeans")
        ]
        runs.append(Run(write_rows(tmp_path / "runs" / name, rows), name, document, {}))
    return runs
