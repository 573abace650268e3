import pytest
from result_documents import results

from mkbench.runs.results import Estimate, explainer_names, find_metric, model_label


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
