from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from mkbench.studies.mutual_knowledge.agreement import agreement_sentences, grouping_agreements, rank_agreements
from mkbench.studies.mutual_knowledge.image_values import ImageValues

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
    assert (grouped.other, grouped.models, grouped.images) == ("AUC over concepts", 6, 30)
    low, high = excess.tau.interval
    assert -1 <= low <= excess.tau.value <= high <= 1


def test_only_images_that_all_models_have_count():
    (excess, _) = rank_agreements("pca", _models(3, ids=[IDS, IDS[:20], IDS[5:]]))
    assert excess.images == 15


def test_few_models_runs_without_groups_and_no_common_image():
    assert rank_agreements("pca", _models(2)) == rank_agreements("pca", []) == []
    assert [found.other for found in rank_agreements("pca", _models(3, grouped=False))] == ["excess AUC"]
    assert rank_agreements("pca", _models(3, ids=[IDS[:5], IDS[5:10], IDS[10:]])) == []


def test_nine_images_say_nothing_and_ten_do():
    assert rank_agreements("pca", _models(3, ids=[IDS[:9]] * 3)) == []
    assert {found.images for found in rank_agreements("pca", _models(3, ids=[IDS[:10]] * 3))} == {10}


def test_one_sentence_says_all_that_one_score_is_compared_with():
    found = rank_agreements("pca", _models(4))
    over = replace(found[0], score="AUC over concepts (0.9)", other="AUC over concepts (0.95)")
    first, second = agreement_sentences([*found, over])
    assert first.startswith("PCA, ranks of 4 models by AUC beside other scores, Kendall's tau: excess AUC ")
    assert "; AUC over concepts " in first
    assert first.endswith(" (95 % intervals over 30 images; 1: the same order).")
    assert "by AUC over concepts (0.9) beside other scores, Kendall's tau: AUC over concepts (0.95) " in second


def _estimated(count, seed):
    rng = np.random.default_rng(seed)
    return [
        ImageValues(model.sample_ids, model.values, estimated={"shannon": rng.normal(size=30)})
        for model in _models(count, grouped=False)
    ]


def test_estimators_are_compared_where_every_model_has_both():
    models = _estimated(5, seed=1)
    _, shannon = rank_agreements("pca", models)
    auc = [model.values[:, 0].mean() for model in models]
    expected = kendalltau(auc, [model.estimated["shannon"].mean() for model in models]).statistic
    assert shannon.other == "AUC by the estimator shannon"
    assert shannon.tau.value == pytest.approx(expected)
    assert [found.other for found in rank_agreements("pca", [*models, *_models(1)])] == ["excess AUC"]


def test_groupings_are_compared_over_the_models_that_both_have():
    runs = [dict(zip("abcdef", _models(6, seed=seed), strict=True)) for seed in range(3)]
    del runs[1]["f"], runs[2]["a"]
    found = grouping_agreements("pca", {"cosine 0.9": runs[0], "cosine 0.95": runs[1], "of the data": runs[2]})
    assert [(one.score, one.other, one.models) for one in found] == [
        ("AUC over concepts (cosine 0.9)", "AUC over concepts (cosine 0.95)", 5),
        ("AUC over concepts (cosine 0.9)", "AUC over concepts (of the data)", 5),
        ("AUC over concepts (cosine 0.95)", "AUC over concepts (of the data)", 4),
    ]
    means = [[model.grouped.mean() for model in (run[name] for name in "bcde")] for run in runs[1:]]
    assert found[2].tau.value == pytest.approx(kendalltau(*means).statistic)
    assert found[2].tau.interval[0] <= found[2].tau.value <= found[2].tau.interval[1]


def test_groupings_without_enough_in_common_say_nothing():
    models, none = (dict(zip("abc", _models(3, grouped=grouped), strict=True)) for grouped in (True, False))
    assert grouping_agreements("pca", {"cosine 0.9": models}) == []
    assert grouping_agreements("pca", {"cosine 0.9": models, "none": none}) == []
    assert grouping_agreements("pca", {"cosine 0.9": models, "cosine 0.95": {"d": models["a"]}}) == []
