import pytest
from group_rows import row, write_rows
from result_documents import model_entry, results

import mkbench
from mkbench.errors import DataError, UsageError
from mkbench.runs.finished_runs import Run, find_runs, read_runs
from mkbench.runs.run_folder import write_json


def _run(folder, label="ViT", **explainers):
    write_json(folder / "results.json", results(label, **explainers))
    return folder


def test_bench_folder_stands_for_its_finished_runs(tmp_path):
    alone = _run(tmp_path / "alone")
    second, first = _run(tmp_path / "bench" / "b"), _run(tmp_path / "bench" / "a")
    (tmp_path / "bench" / "unfinished" / "groups").mkdir(parents=True)
    (tmp_path / "bench" / "table.csv").touch()
    assert find_runs([alone, tmp_path / "bench"]) == [alone, first, second]


def test_variants_of_a_bench_lie_one_folder_deeper(tmp_path):
    keys, plain = _run(tmp_path / "bench" / "keys" / "vit"), _run(tmp_path / "bench" / "plain" / "vit")
    (tmp_path / "bench" / "table.csv").touch()
    assert find_runs([tmp_path / "bench"]) == [keys, plain]
    assert [run.label for run in read_runs([keys, plain])] == ["ViT (keys)", "ViT (plain)"]


def test_run_that_is_named_twice_is_listed_once(tmp_path):
    run = _run(tmp_path / "bench" / "a")
    (tmp_path / "link").symlink_to(run)
    assert find_runs([run, tmp_path / "bench", tmp_path / "bench" / ".." / "bench" / "a", tmp_path / "link"]) == [run]


def test_folder_without_a_run(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(UsageError, match=rf"finished run with results.json, found none at .*{folder}; name a"):
            find_runs([tmp_path / folder])


def test_documents_are_read_in_order(tmp_path):
    folders = [_run(tmp_path / "b", "B"), _run(tmp_path / "a", "A")]
    (folders[1] / "environment.json").write_text('{"images_per_second": 3.0}')
    runs = read_runs(folders)
    assert [run.label for run in runs] == ["B", "A"]
    assert [run.environment for run in runs] == [{}, {"images_per_second": 3.0}]
    assert runs[0].results["model"]["name"] == "b"


def test_damaged_run_is_named(tmp_path):
    run = _run(tmp_path / "a")
    (run / "results.json").write_text("{")
    with pytest.raises(DataError, match=r"Expected JSON in .*results.json"):
        read_runs([run])


@pytest.mark.parametrize(
    ("folders", "labels"),
    [
        (["one/vit", "two/vit"], ["ViT (one)", "ViT (two)"]),
        (["bench/crf", "bench/none"], ["ViT (crf)", "ViT (none)"]),
        (["one/crf", "one/none", "two/crf"], ["ViT ({0}/one/crf)", "ViT ({0}/one/none)", "ViT ({0}/two/crf)"]),
    ],
)
def test_labels_tell_runs_of_one_model_apart(tmp_path, folders, labels):
    runs = read_runs([*(_run(tmp_path / folder) for folder in folders), _run(tmp_path / "rn", "RN")])
    assert [run.label for run in runs] == [*(label.format(tmp_path) for label in labels), "RN"]
    assert runs[0].labelled()["model"] == model_entry(labels[0].format(tmp_path), name="vit")
    assert runs[0].results["model"]["label"] == "ViT"  # as written


def test_runs_are_a_sequence_of_what_was_named(tmp_path):
    _run(tmp_path / "bench" / "b", "B")
    _run(tmp_path / "bench" / "a", "A")
    runs = mkbench.read_runs(str(tmp_path / "bench"))  # a string, and one folder
    assert (len(runs), [run.label for run in runs], runs[-1].label) == (2, ["A", "B"], "B")
    assert [run.label for run in runs[1:]] == ["B"]
    assert isinstance(runs[0], Run)
    assert repr(runs) == "Runs(['A', 'B'])"
    assert runs[0].system == "mutual_knowledge"


def test_metrics_of_several_runs_are_one_table(tmp_path):
    _run(tmp_path / "a", "A", top1=0.5, pca={"auc": 2.0})
    _run(tmp_path / "b", "B", pca={"auc": 1.0})
    runs = read_runs([tmp_path / "a", str(tmp_path / "b")])
    table = runs.metrics().to_arrow()
    assert table.column_names == [
        "run",
        "model",
        "explainer",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "higher_is_better",
    ]
    assert table.select(["model", "explainer", "metric", "value"]).to_pydict() == {
        "model": ["A", "A", "B"],
        "explainer": [None, "pca", "pca"],
        "metric": ["top1", "mutual_information_auc", "mutual_information_auc"],
        "value": [0.5, 2.0, 1.0],
    }
    assert set(table["run"].to_pylist()) == {(tmp_path / name).as_posix() for name in "ab"}
    assert runs[1].metrics().to_arrow()["low"].to_pylist() == [0.95]
    assert table["n"].to_pylist() == [40, 40, 40]


def test_samples_have_a_row_for_each_image_and_explainer(tmp_path):
    for name in ("A", "B"):
        _run(tmp_path / name, name)
        rows = [row("x", [float(ord(name))], explainer=explainer) for explainer in ("pca", "kmeans")]
        write_rows(tmp_path / name, rows)
    runs = read_runs(tmp_path / path for path in ("A", "B"))
    table = runs.samples().to_arrow()
    assert table["model"].to_pylist() == ["A", "A", "B", "B"]
    assert table["explainer"].to_pylist() == ["pca", "kmeans"] * 2
    assert table["curve"].to_pylist() == [[65.0], [65.0], [66.0], [66.0]]
    assert runs[1].samples().to_arrow().equals(table[2:])


def test_runs_become_frames_as_the_documentation_uses_them(tmp_path):
    pytest.importorskip("pandas")
    for name, auc in (("A", 2.0), ("B", 1.0)):
        _run(tmp_path / name, name, top1=0.5, pca={"auc": auc})
        write_rows(tmp_path / name, [row(image, [auc]) | {"concept_entropy": auc * i} for i, image in enumerate("xyz")])
    runs = read_runs([tmp_path / "A", tmp_path / "B"])
    metrics = runs.metrics().to_pandas()
    assert metrics[metrics.metric == "top1"][["model", "value"]].to_numpy().tolist() == [["A", 0.5], ["B", 0.5]]
    assert metrics["explainer"].isna().tolist() == [True, False] * 2  # that of the model is missing, not a text
    assert metrics["value"].dtype == float
    samples = runs.samples().to_pandas()
    assert samples.groupby("model")["concept_entropy"].mean().to_dict() == {"A": 2.0, "B": 1.0}
    assert [list(curve) for curve in samples["curve"]] == [[2.0]] * 3 + [[1.0]] * 3
