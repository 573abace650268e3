"""Standard deviation over runs that differ in their seed alone."""

import copy
import statistics

import pytest
from published_runs import reproduction, shift

from mkbench.studies.mutual_knowledge.seed_spread import seed_notes

CHANGES = (0.0, 0.03, -0.06, 0.11)


def runs():
    return [
        shift(reproduction("ViT-B/16", settings__seed=seed), "mutual_information_auc", "kmeans", by)
        for seed, by in enumerate(CHANGES)
    ]


def test_spread_is_the_standard_deviation():
    pca, kmeans = seed_notes(runs())
    assert pca == "ViT-B/16, PCA: standard deviation over 4 seeds MI 0.000, AUC 0.000 nats."
    assert kmeans == (
        f"ViT-B/16, K-means: standard deviation over 4 seeds MI 0.000, AUC {statistics.stdev(CHANGES):.3f} nats."
    )
    assert seed_notes(runs()[::-1])[1] == kmeans


@pytest.mark.parametrize(
    "path", [("settings", "refine"), ("model", "fingerprint"), ("data", "images")], ids=lambda path: path[1]
)
def test_runs_that_differ_otherwise_have_none(path):
    first, second = runs()[:2]
    second = copy.deepcopy(second)
    second[path[0]][path[1]] = "other"
    assert seed_notes([first, second]) == []


def test_one_run_of_a_seed_has_no_spread():
    assert seed_notes(runs()[:1]) == []
    assert seed_notes([runs()[0], runs()[0]]) == []
