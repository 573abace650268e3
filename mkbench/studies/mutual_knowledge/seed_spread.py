"""Spread of mutual knowledge over seeds: runs that differ in nothing but their seed."""

import json
from collections import defaultdict
from collections.abc import Sequence
from statistics import stdev

from mkbench.runs.results import explainer_label, explainer_names, find_metric, model_label
from mkbench.runs.schema import RunResults

#: Metric -> its name in a sentence.
_METRICS = {
    "mutual_information": "MI",
    "mutual_information_auc": "AUC",
    "mutual_information_auc_excess": "excess AUC",
}


def seed_notes(documents: Sequence[RunResults]) -> list[str]:
    """Say how far numbers spread over seeds, in nats.

    The spread is the standard deviation of a metric over the runs (divisor: runs less one). It is of K-means, of parts
    at random places and of what else draws; numbers without a draw have none. The paper reports about 0.03 for K-means.

    Args:
        documents: parsed ``results.json``; runs of one model, on the same data, with the same settings but the seed
            belong together.

    Returns:
        A sentence for each explainer of each such group of runs; none for runs that differ otherwise.

    Example:
        >>> def results(seed, auc):
        ...     metric = {"name": "mutual_information_auc", "explainer": "kmeans", "value": auc}
        ...     model = {"name": "vit", "fingerprint": "f", "random_weights": False}
        ...     return {"model": model, "data": {}, "settings": {"seed": seed}, "metrics": [metric]}
        >>> seed_notes([results(0, 2.0), results(1, 2.1), results(2, 2.2)])
        ['vit, K-means: standard deviation over 3 seeds AUC 0.100 nats.']
    """
    groups: defaultdict[str, dict[int, RunResults]] = defaultdict(dict)
    for results in documents:
        settings = {key: value for key, value in results["settings"].items() if key != "seed"}
        same = [results["model"]["name"], results["model"].get("fingerprint"), results.get("data"), settings]
        groups[json.dumps(same, sort_keys=True)][results["settings"].get("seed", 0)] = results
    return [
        f"{model_label(next(iter(of_seed.values())))}, {explainer_label(name)}: standard deviation over {len(of_seed)} "
        f"seeds {spread} nats."
        for of_seed in groups.values()
        if len(of_seed) > 1
        for name in explainer_names(next(iter(of_seed.values())))
        if (spread := _spread(list(of_seed.values()), name))
    ]


def _spread(runs: Sequence[RunResults], explainer: str) -> str:
    """The standard deviation of each metric that all runs have."""
    found = {label: [find_metric(run, metric, explainer) for run in runs] for metric, label in _METRICS.items()}
    values = {label: [one.value for one in estimates if one is not None] for label, estimates in found.items()}
    return ", ".join(f"{label} {stdev(own):.3f}" for label, own in values.items() if len(own) == len(runs))
