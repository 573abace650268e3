from copy import deepcopy

import pytest
from result_documents import results

from mkbench.runs.schema import Environment, RunResults, find_fault

DOCUMENT = results(top1=0.5, pca={"auc": 2.0})


def _changed(path, value):
    document = deepcopy(DOCUMENT)
    *parents, last = path
    inside = document
    for name in parents:
        inside = inside[name]
    if value is KeyError:
        del inside[last]
    else:
        inside[last] = value
    return document


def test_sound_document_has_no_fault():
    assert find_fault(DOCUMENT, RunResults) is None
    own = DOCUMENT | {"curves": {"mutual_information": {"pca": [1, 0.5]}}, "mine": {"of a": "user's system"}}
    assert find_fault(own, RunResults) is None


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (["system"], KeyError, "system, found none"),
        (["system"], None, "system to be a string, found null"),
        (["model", "fingerprint"], KeyError, "model.fingerprint, found none"),
        (["model", "parameters"], 1.5, "model.parameters to be an integer, found a number"),
        (["model", "parameters"], True, "model.parameters to be an integer, found true or false"),
        (["model", "random_weights"], 0, "model.random_weights to be true or false, found an integer"),
        (["model", "family"], 3, "model.family to be a string, found an integer"),
        (["model", "grid"], [2, "2"], "model.grid[1] to be an integer, found a string"),
        (["model"], [], "model to be an object, found a list"),
        (["metrics"], {}, "metrics to be a list, found an object"),
        (["metrics", 1, "value"], "2.0", "metrics[1].value to be a number, found a string"),
        (["metrics", 1, "name"], KeyError, "metrics[1].name, found none"),
        (["metrics", 0, "interval"], [0.5], "metrics[0].interval to hold 2 entries, found 1"),
        (["metrics", 0, "interval"], [0.5, None], "metrics[0].interval[1] to be a number, found null"),
        (["curves"], {"mi": {"pca": [1.0, None]}}, "curves.mi.pca[1] to be a number, found null"),
        (["fallbacks"], {"pca": {"rule": 0.5}}, "fallbacks.pca.rule to be an integer, found a number"),
    ],
)
def test_fault_is_named_with_its_place(path, value, fault):
    assert find_fault(_changed(path, value), RunResults) == fault


@pytest.mark.parametrize(
    ("path", "place"), [(["metrics", 0, "value"], "metrics[0].value"), (["data", "images"], "data.images")]
)
def test_integers_that_a_table_cannot_hold_are_named(path, place):
    fault = f"{place} to be at most 9007199254740992, found 9007199254740993"
    assert find_fault(_changed(path, 2**53 + 1), RunResults) == fault


def test_nullable_entries_and_whole_numbers():
    assert find_fault(_changed(["model", "family"], None), RunResults) is None
    assert find_fault(_changed(["metrics", 0, "interval"], None), RunResults) is None
    assert find_fault(_changed(["metrics", 0, "value"], 1), RunResults) is None
    assert find_fault({"seconds": 3, "versions": {"torch": "2"}}, Environment) is None


def test_annotation_that_is_no_json_is_refused():
    with pytest.raises(TypeError, match="Expected an annotation of JSON, got <class 'bytes'>"):
        find_fault(b"", bytes)
