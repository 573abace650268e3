import numpy as np
import pytest
from scipy.stats import kendalltau

from mkbench.studies.mutual_knowledge.agreement import rank_agreements
from mkbench.studies.mutual_knowledge.pairs import ImageValues

IDS = np.array([f"toy/{index:02d}" for index in range(30)])


def _models(count, seed=0, ids=None, grouped=True):
    rng = np.random.default_rng(seed)
    return [
        ImageValues(
            IDS if ids is None else ids[index],
            rng.normal(size=(30 if ids is None else len(ids[index]), 3)),
            grouped=rng.normal(size=30 if ids is None else len(ids[index])) if grouped else None,
        )
        for index in range(count)
    ]


def test_tau_is_that_of_scipy_over_means_of_images():
    models = _models(6)
    excess, grouped = rank_agreements("pca", models)
    auc = [model.values[:, 0].mean() for model in models]
    assert excess.tau.value == pytest.approx(kendalltau(auc, [model.values[:, 1].mean() for model in models]).statistic)
    assert grouped.tau.value == pytest.approx(kendalltau(auc, [model.grouped.mean() for model in models]).statistic)
    assert (grouped.score, grouped.models, grouped.images) == ("AUC over concepts", 6, 30)
    low, high = excess.tau.interval
    assert -1 <= low <= excess.tau.value <= high <= 1


def test_only_images_that_all_models_have_count():
    (excess, _) = rank_agreements("pca", _models(3, ids=[IDS, IDS[:20], IDS[5:]]))
    assert excess.images == 15


def test_few_models_runs_without_groups_and_no_common_image():
    assert rank_agreements("pca", _models(2)) == rank_agreements("pca", []) == []
    assert [found.score for found in rank_agreements("pca", _models(3, grouped=False))] == ["excess AUC"]
    assert rank_agreements("pca", _models(3, ids=[IDS[:5], IDS[5:10], IDS[10:]])) == []


def test_sentence():
    excess, _ = rank_agreements("pca", _models(4))
    assert excess.sentence().startswith("PCA: AUC and excess AUC rank 4 models with Kendall's tau ")
