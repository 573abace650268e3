"""Reading of ``results.json``: metrics with their intervals, the explainers of a run, names for print."""

import math
from pathlib import Path
from typing import NamedTuple, TypeGuard, cast

from mkbench.errors import DataError, UsageError
from mkbench.runs.run_folder import ENVIRONMENT, RESULTS, read_object
from mkbench.runs.schema import SCHEMA_VERSION, Environment, RunResults, find_fault

EXPLAINER_LABELS = {
    "pca": "PCA",
    "kmeans": "K-means",
    "mm-cbm": "MM-CBM",
    "mm-protosim": "MM-ProtoSim",
    "feature-maps": "Feature Maps",
    "lf-cbm": "LF-CBM",
    "linear-probe": "linear probe",
    "gradcam": "Grad-CAM",
    "rollout": "attention rollout",
    "grad-eclip": "Grad-ECLIP",
    "legrad": "LeGrad",
    "clip-surgery": "CLIP Surgery",
    "attn-lrp": "AttnLRP",
    "occlusion": "occlusion",
    "cci": "CCI",
    "splice": "SpLiCE",
}
#: The controls among explainers and what is true of the images, the last ones of a run.
_CONTROL_LABELS = {"random": "random", "whole-image": "whole image", "planted": "planted truth"}
_FAMILIES, _OTHER_FAMILY = ("ViT", "ResNet", "ConvNeXt"), "other"
ABSENT = "\u2013"  # an en dash, never a zero
RANDOM_WEIGHTS = "(random weights)"
#: Entries that a system always adds to its results, and its tables and figures read.
_ADDED = {
    "baseline_accuracy": ("differences",),
    "descriptor_zero_shot": ("differences",),
    "head_decomposition": ("class_names",),
    "head_segmentation": ("controls",),
    "mutual_knowledge": ("curves",),
}


class Estimate(NamedTuple):
    """A metric with its 95 % interval.

    Attributes:
        value: the metric, in its own unit.
        interval: (low, high) in the same unit, None where the run computed none.
    """

    value: float
    interval: tuple[float, float] | None = None

    def scaled(self, factor: float) -> "Estimate":
        """Return the estimate in another unit.

        >>> Estimate(0.5, (0.25, 0.75)).scaled(100)
        Estimate(value=50.0, interval=(25.0, 75.0))
        """
        interval = None if self.interval is None else (self.interval[0] * factor, self.interval[1] * factor)
        return Estimate(self.value * factor, interval)


def _is_number(value: float | None) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def find_metric(results: RunResults, name: str, explainer: str | None = None) -> Estimate | None:
    """Look a metric up; None where the run has no finite value of it.

    Args:
        results: a parsed ``results.json``.
        name: the metric's name, such as ``mutual_information_auc``.
        explainer: the explainer's name, None for metrics of the model alone.

    Returns:
        The estimate, or None.

    Example:
        >>> results = {"metrics": [{"name": "top1", "explainer": None, "value": 0.5, "interval": [0.4, 0.6]}]}
        >>> find_metric(results, "top1")
        Estimate(value=0.5, interval=(0.4, 0.6))
        >>> find_metric(results, "top1", "pca") is None
        True
    """
    for metric in results["metrics"]:
        value = metric["value"]
        if metric["name"] == name and metric["explainer"] == explainer and _is_number(value):
            low, high = metric.get("interval") or (math.nan, math.nan)
            bounded = _is_number(low) and _is_number(high)
            return Estimate(float(value), (float(low), float(high)) if bounded else None)
    return None


def find_shared_metric(results: RunResults, name: str, explainer: str | None) -> Estimate | None:
    """Look a metric of an explainer up, or that of the model where it is the same for every explainer.

    >>> results = {"metrics": [{"name": "top1", "explainer": None, "value": 0.5, "interval": [0.4, 0.6]}]}
    >>> find_shared_metric(results, "top1", "pca")
    Estimate(value=0.5, interval=(0.4, 0.6))
    """
    return find_metric(results, name, explainer) or find_metric(results, name)


def explainer_names(results: RunResults) -> list[str]:
    """List the explainers of a run: PCA, K-means, then others in alphabetical order.

    >>> explainer_names({"metrics": [{"explainer": "other"}, {"explainer": "kmeans"}, {"explainer": None}]})
    ['kmeans', 'other']
    """
    return sort_explainers({metric["explainer"] for metric in results["metrics"] if metric["explainer"] is not None})


def sort_explainers(names: set[str]) -> list[str]:
    """Put the published explainers first, then others in alphabetical order, then the controls.

    >>> sort_explainers({"random", "whole", "kmeans", "pca"})
    ['pca', 'kmeans', 'whole', 'random']
    """
    known, controls = ([name for name in labels if name in names] for labels in (EXPLAINER_LABELS, _CONTROL_LABELS))
    return known + sorted(names - {*known, *controls}) + controls


def explainer_label(name: str) -> str:
    """Return an explainer's name as it is printed.

    >>> explainer_label("kmeans"), explainer_label("mine")
    ('K-means', 'mine')
    """
    return (EXPLAINER_LABELS | _CONTROL_LABELS).get(name, name)


def family_name(results: RunResults) -> str:
    """Return the family of the model's image tower, ``other`` where it is unknown.

    >>> family_name({"model": {"family": "ViT"}}), family_name({"model": {"family": None}})
    ('ViT', 'other')
    """
    return str(results["model"].get("family") or _OTHER_FAMILY)


def sort_families(names: set[str]) -> list[str]:
    """Put the published families first, others in alphabetical order, and unknown ones last.

    >>> sort_families({"other", "Mixer", "ResNet", "ViT"})
    ['ViT', 'ResNet', 'Mixer', 'other']
    """
    known = [name for name in _FAMILIES if name in names]
    return known + sorted(names - {*known, _OTHER_FAMILY}) + sorted(names & {_OTHER_FAMILY})


def estimator_name(results: RunResults) -> str | None:
    """Return the estimator of mutual information that the settings of a run name; None where they name none.

    >>> estimator_name({"settings": {"estimator": "paper"}}), estimator_name({"settings": {"estimator": []}})
    ('paper', None)
    """
    name = results["settings"].get("estimator")
    return name if isinstance(name, str) else None


def model_label(results: RunResults) -> str:
    """Return the model's name as it is printed.

    >>> model_label({"model": {"name": "vit-b-16", "label": "ViT-B/16"}})
    'ViT-B/16'
    """
    model = results["model"]
    return str(model.get("label") or model["name"])


def read_results(run: Path) -> RunResults:
    """Read the results of a finished run.

    Args:
        run: folder of the run.

    Raises:
        UsageError: no finished run in this folder.
        DataError: ``results.json`` is damaged, or of another schema version.
    """
    path = run / RESULTS
    content = read_object(path)
    if content is None:
        raise UsageError(
            f"Expected the folder of a finished run with {RESULTS}, found none at {run}; name a model's folder."
        )
    if content.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"Expected {path} of schema version {SCHEMA_VERSION}, found {content.get('schema_version')}; "
            "run the benchmark again with this version."
        )
    _require_schema(path, content, RunResults)
    lacking = next((name for name in _ADDED.get(content["system"], ()) if name not in content), None)
    if lacking is not None:
        raise DataError(f"Expected in {path} {lacking}, found none; run the benchmark again with this version.")
    return cast(RunResults, content)


def read_environment(run: Path) -> Environment:
    """Read how fast and where a run was computed; empty where it does not say.

    Args:
        run: folder of the run.

    Raises:
        DataError: ``environment.json`` is damaged.
    """
    content = read_object(run / ENVIRONMENT) or {}
    _require_schema(run / ENVIRONMENT, content, Environment)
    return cast(Environment, content)


def _require_schema(path: Path, content: object, schema: type) -> None:
    fault = find_fault(content, schema)
    if fault is not None:
        raise DataError(f"Expected in {path} {fault}; run the benchmark again with this version.")
