"""Models as points of a scatter plot: accuracy and a metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from mkbench.plotting.scatter import ScatterPoint
from mkbench.runs.results import Estimate, family_name, find_metric, model_label
from mkbench.runs.schema import RunResults


@dataclass(frozen=True)
class ModelPoint:
    """A model that has both an accuracy and a metric.

    Attributes:
        document: index of its results; two runs may carry the same label.
        model: its label.
        family: kind of its image tower, as ``family_name`` gives it.
        random_weights: whether it was never trained; then it shows nothing of a line through models.
        accuracy: top-1 in percent.
        metric: in its own unit.
    """

    document: int
    model: str
    family: str
    random_weights: bool
    accuracy: Estimate
    metric: Estimate


def model_points(results: Sequence[RunResults], metric: str, explainer: str) -> list[ModelPoint]:
    """Return the models that have both an accuracy and the metric.

    Args:
        results: parsed ``results.json`` of each model.
        metric: name of the metric.
        explainer: name of its explainer.

    Example:
        >>> metrics = [("top1", None, 0.5), ("mutual_information_auc", "pca", 2.0)]
        >>> metrics = [{"name": name, "explainer": explainer, "value": value} for name, explainer, value in metrics]
        >>> document = {"model": {"name": "a", "random_weights": False, "family": "ViT"}, "metrics": metrics}
        >>> point, = model_points([document], "mutual_information_auc", "pca")
        >>> point.accuracy.value, point.metric.value, point.family
        (50.0, 2.0, 'ViT')
        >>> model_points([document], "mutual_information_auc", "kmeans")
        []
    """
    points = []
    for index, document in enumerate(results):
        accuracy, value = find_metric(document, "top1"), find_metric(document, metric, explainer)
        if accuracy is not None and value is not None:
            model = document["model"]
            points.append(
                ModelPoint(
                    document=index,
                    model=model_label(document),
                    family=family_name(document),
                    random_weights=bool(model["random_weights"]),
                    accuracy=accuracy.scaled(100),
                    metric=value,
                )
            )
    return points


def scatter_point(x: Estimate, y: Estimate, *, random_weights: bool) -> ScatterPoint:
    """Return a model as a point of a figure; one that was never trained is hollow.

    >>> scatter_point(Estimate(1.0, (0.0, 3.0)), Estimate(2.0), random_weights=True)
    ScatterPoint(x=1.0, y=2.0, x_interval=(0.0, 3.0), y_interval=None, hollow=True)
    """
    return ScatterPoint(x.value, y.value, x.interval, y.interval, random_weights)
