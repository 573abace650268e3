"""Shares: their intervals are Wilson's, whatever class counts them."""

from typing import Any

import pytest
from scipy.stats import binomtest

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.metric_results import metric_result

#: Every metric that is a share of rows of which something holds -> rows with 19 of 20 and with all of 20.
HOLDS: dict[str, Any] = {
    **{
        name: {name: True}
        for name in CATALOGUE
        if name.startswith(("top1", "top5")) and CATALOGUE[name].columns == (name,)
    },
    "corloc": {"localised": True},
    "corloc_whole_image": {"localised_by_whole": True},
    "kept_region_top1": {"kept_region_correct": True},
    "noise_auc_flips": {"curve": [1.0, 0.0], "noise_auc": 0.0},
    "reseed_auc_flips": {"curve": [1.0, 0.0], "reseed_auc": 0.0},
    "association": {"fits": [True] * 5},
    "ccs@5": {"fits": [True] * 5},
}
HOLDS_NOT = {"curve": [0.0], "fits": [False] * 5}


def test_every_accuracy_is_among_them() -> None:
    assert {"top1", "top5", "top1_descriptors", "top1_shuffled", "top1_reconstructed"} <= HOLDS.keys()


@pytest.mark.parametrize("successes", [19, 20])
@pytest.mark.parametrize("name", HOLDS)
def test_interval_is_wilsons(name: str, successes: int) -> None:
    right = HOLDS[name]
    wrong = {column: HOLDS_NOT.get(column, 0.0 if column.endswith("auc") else False) for column in right}
    rows = {column: [right[column]] * successes + [wrong[column]] * (20 - successes) for column in right}
    result = metric_result(CATALOGUE[name], rows)
    assert result is not None
    expected = binomtest(successes, 20).proportion_ci(method="wilson")
    assert result["value"] == successes / 20
    assert result["interval"] == pytest.approx([expected.low, expected.high], abs=1e-12)


def test_means_of_shares_keep_the_bootstrap() -> None:
    # Of three heads over two shuffles of their labels: 1, 1/2 and 0 of them fit.
    fits = [[[True] * 5, [True] * 5], [[True] * 5, [False] * 5], [[False] * 5, [False] * 5]]
    result = metric_result(CATALOGUE["association_shuffled"], {"shuffled_fits": fits})
    assert result is not None
    assert (result["value"], result["interval"]) == (0.5, [0.0, 1.0])
