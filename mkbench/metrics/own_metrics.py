"""A user's own metrics as entries beside those of the catalogue."""

import re
from collections.abc import Sequence

from mkbench.errors import UsageError
from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.entry import Display, MetricEntry
from mkbench.metrics.image_metric import ImageMetric


def own_entries(metrics: Sequence[ImageMetric]) -> tuple[MetricEntry, ...]:
    """Return entries for a user's metrics.

    Raises:
        UsageError: a name that is missing, misspelt or taken, or no columns.

    >>> class Darkness(ImageMetric):
    ...     name, columns, higher_is_better = "darkness", ("darkness",), False
    >>> entry, = own_entries([Darkness()])
    >>> entry.display
    Display(heading='darkness', unit='', decimals=3, higher_is_better=False, scale=1.0)
    """
    entries: dict[str, MetricEntry] = {}
    for metric in metrics:
        kind = type(metric)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_@+-]*", metric.name) or not metric.columns:
            raise UsageError(
                f"Expected the metric {kind.__name__} to have a `name` of letters, digits and _ @ + - and the "
                f"`columns` that it reads, found {metric.name!r} and {list(metric.columns)}; correct the class."
            )
        if metric.name in CATALOGUE or metric.name in entries:
            raise UsageError(
                f"Expected metrics of different names, found {metric.name!r} of {kind.__name__} twice; rename it."
            )
        entries[metric.name] = MetricEntry(
            name=metric.name,
            metric=kind,
            columns=metric.columns,
            display=Display(
                metric.heading or metric.name, metric.unit, metric.decimals, metric.higher_is_better, metric.scale
            ),
            meaning=(kind.__doc__ or metric.name).strip().splitlines()[0],
            source=kind.__module__,
            against_controls=True,
            of_model=metric.of_model,
            own=True,
        )
    return tuple(entries.values())
