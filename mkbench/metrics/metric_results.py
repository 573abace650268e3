"""Entries of ``results.json`` from the rows of a run: values, intervals, and differences from controls."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from mkbench.concepts.controls import CONTROLS
from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.row_metric import MeanMetric, Rows, has_value

#: Ends of names of metrics that are controls of others.
_ENDS = ("reversed", "shuffled", "permuted", "mispaired")
Result = dict[str, Any]


def metric_result(entry: MetricEntry, rows: Rows, explainer: str | None = None, **options: Any) -> Result | None:
    """Compute a metric from rows in canonical order.

    Args:
        entry: the metric.
        rows: its columns, one value for each image.
        explainer: whose rows they are; None: the model's.
        options: of the class, in the place of those of the catalogue.

    Returns:
        Its entry of ``results.json``; a user's metric says how it is shown. None if no image has a value.

    >>> from mkbench.metrics.catalogue import CATALOGUE
    >>> metric_result(CATALOGUE["top1"], {"top1": [True, True, None]})["value"]
    1.0
    """
    metric = entry.build(**options)
    metric.keep_alone()
    values = metric.update_rows(rows)
    values = values[has_value(values)]
    if not len(values):
        return None
    value = float(metric.compute())
    if isnan(value):  # such as the correlation of values that are all the same
        return None
    interval = metric.interval(values, rows)
    shown = {key: value for key, value in entry.display._asdict().items() if key != "higher_is_better"}
    return {
        "name": entry.name,
        "explainer": explainer,
        "value": value,
        "higher_is_better": entry.display.higher_is_better,
        "n": len(values),
        "interval": None if interval is None else list(interval),
        **(shown if entry.own else {}),
    }


def metric_results(entries: Sequence[MetricEntry], rows: Rows, explainer: str | None = None) -> list[Result]:
    """Compute several metrics, those that have a value."""
    results = (metric_result(entry, rows, explainer) for entry in entries)
    return [result for result in results if result is not None]


def control_results(entries: Sequence[MetricEntry], rows: Mapping[str, Rows]) -> list[Result]:
    """Compare every metric that has a direction with its controls, over the same images.

    Args:
        entries: the metrics of the explainers, controls included.
        rows: explainer -> its columns; all of them of the same images in the same order.

    Returns:
        As ``control_result``, of the controls ``reversed`` (the same parts in the opposite order), ``permuted`` (the
        language concepts of other classes), ``mispaired`` (the truth of another change of the same image), and the
        explainers ``random`` (parts that lie anywhere) and ``whole-image`` (no parts): there the difference is what an
        explainer gains by its parts.
    """
    known = {entry.name: entry for entry in entries}
    found: list[Result | None] = []
    for entry in entries:
        if entry.display.higher_is_better is None:
            continue
        for explainer, own in rows.items():
            found.append(control_result(entry, known.get(entry.beside or ""), own, own, explainer=explainer))
            if entry.against_controls and explainer not in CONTROLS:
                found += [
                    control_result(entry, entry, own, rows[name], explainer=explainer, name=name)
                    for name in CONTROLS
                    if name in rows
                ]
    return [result for result in found if result is not None]


def control_result(
    entry: MetricEntry,
    control: MetricEntry | None,
    rows: Rows,
    control_rows: Rows,
    *,
    explainer: str | None = None,
    name: str | None = None,
    **options: Any,
) -> Result | None:
    """Compare a metric with a control, over the images that have both values.

    Args:
        entry: the metric.
        control: the metric that is its control.
        rows: columns of the metric.
        control_rows: columns of the control, of the same images in the same order.
        explainer: whose rows they are; None: the model's.
        name: of the control; None: the end of the name of the control's metric.
        options: of both classes, in the place of those of the catalogue.

    Returns:
        ``metric``, ``explainer``, ``control``, ``difference`` (metric minus control), its 95 % ``interval``, ``n`` and
        ``separates``: whether the whole interval lies on the better side of 0. None without a control of the same
        kind, or without such images.
    """
    if control is None:
        return None
    name = name or next((end for end in _ENDS if control.name == f"{entry.name}_{end}"), None)
    metric = entry.build(**options)
    if name is None or not isinstance(metric, MeanMetric):
        return None
    own, other = metric.paired_values(rows, control.build(**options), control_rows)
    both = has_value(own) & has_value(other)
    own, other = own[both], other[both]
    if not len(own):
        return None
    difference = metric.difference(own, other)
    low, high = metric.paired_interval(own, other)
    if isnan(difference) or isnan(low):
        return None
    return {
        "metric": entry.name,
        "explainer": explainer,
        "control": name,
        "difference": difference,
        "interval": [low, high],
        "n": len(own),
        "separates": bool(low > 0 if entry.display.higher_is_better else high < 0),
    }


def difference_result(entry: MetricEntry, minus: MetricEntry, rows: Rows, minus_rows: Rows) -> Result:
    """Return how much higher a metric is than another of the same images: ``value``, ``n``, ``interval``.

    Args:
        entry: the metric.
        minus: the other.
        rows: columns of the metric.
        minus_rows: columns of the other.

    Raises:
        TypeError: a metric that has no values of single images.
    """
    metric = entry.build()
    if not isinstance(metric, MeanMetric):
        raise TypeError(f"expected a metric with values of single images, found {entry.name}")
    own, other = metric.paired_values(rows, minus.build(), minus_rows)
    return {
        "value": metric.difference(own, other),
        "n": len(own),
        "interval": list(metric.paired_interval(own, other)),
    }
