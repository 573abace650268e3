import pytest
from result_documents import results

from mkbench.errors import DataError, UsageError
from mkbench.runs.results import (
    Estimate,
    explainer_names,
    find_metric,
    model_label,
    read_environment,
    read_results,
)
from mkbench.runs.run_folder import write_json


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_value_that_is_no_number_is_absent(value):
    assert find_metric({"metrics": [{"name": "top1", "explainer": None, "value": value}]}, "top1") is None


def test_zero_is_present():
    assert find_metric({"metrics": [{"name": "top1", "explainer": None, "value": 0.0}]}, "top1") == Estimate(0.0)


@pytest.mark.parametrize("interval", [None, [None, None], [0.1, float("nan")]])
def test_interval_may_be_missing(interval):
    metric = {"name": "top1", "explainer": None, "value": 0.2, "interval": interval}
    assert find_metric({"metrics": [metric]}, "top1") == Estimate(0.2, None)


def test_names():
    document = results("A", top1=0.1, other={"auc": 1}, kmeans={"auc": 1}, pca={"auc": 1})
    assert explainer_names(document) == ["pca", "kmeans", "other"]
    assert model_label({"model": {"name": "a", "label": None}}) == "a"


def test_results_and_environment_of_a_run(tmp_path):
    write_json(tmp_path / "results.json", results(top1=0.5))
    assert read_results(tmp_path) == results(top1=0.5) | {
        "metrics": [metric | {"interval": [0.45, 0.55]} for metric in results(top1=0.5)["metrics"]]
    }
    assert read_environment(tmp_path) == {}
    write_json(tmp_path / "environment.json", {"seconds": 2.5})
    assert read_environment(tmp_path) == {"seconds": 2.5}


def test_unfinished_run_has_no_results(tmp_path):
    with pytest.raises(UsageError, match=r"a finished run with results.json, found none at .*; name a model's folder"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expected JSON in"),
        ('{"schema_version": 0}', "schema version 1, found 0; run the benchmark again"),
        ("{}", "schema version 1, found None"),
        ('{"schema_version": 1}', r"Expected in .*results.json data, found none; run the benchmark again"),
    ],
)
def test_damaged_results_are_named(tmp_path, text, message):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_results(tmp_path)


def test_damaged_entry_is_named_with_its_place(tmp_path):
    write_json(tmp_path / "results.json", results() | {"metrics": [{"name": "top1", "explainer": None, "value": "1"}]})
    with pytest.raises(DataError, match=r"results.json metrics\[0\].value to be a number, found a string; run"):
        read_results(tmp_path)
    whole = results()
    write_json(tmp_path / "results.json", {name: whole[name] for name in whole if name != "curves"})
    with pytest.raises(DataError, match=r"Expected in .*results.json curves, found none; run the benchmark again"):
        read_results(tmp_path)
    write_json(tmp_path / "environment.json", {"seconds": "long"})
    with pytest.raises(DataError, match=r"environment.json seconds to be a number, found a string"):
        read_environment(tmp_path)
