import json

import pytest

from mkbench.errors import DataError, UsageError
from mkbench.runs.finished_runs import find_runs, read_runs


def _run(folder, label="ViT", **more):
    folder.mkdir(parents=True)
    results = {"schema_version": 1, "model": {"name": label.lower(), "label": label}, **more}
    (folder / "results.json").write_text(json.dumps(results))
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
    assert runs[0].labelled()["model"] == {"name": "vit", "label": labels[0].format(tmp_path)}
    assert runs[0].results["model"]["label"] == "ViT"  # as written
