"""Metric collection of a run, updated while it goes on and reduced over all devices."""

import math
import warnings

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from mkbench.metrics.row_metric import RowMetric
from mkbench.systems.records.metric_rows import Layout, OwnedRows


class LiveMetrics(torch.nn.Module):
    """Collections of metrics that are updated with the rows of groups and reduced over devices by torchmetrics.

    They are those that ``results.json`` is built with; every device has the same ones, whatever it met.

    Args:
        layout: which metrics are computed of the model (None) and of each explainer.

    >>> from mkbench.metrics.catalogue import metrics_of
    >>> metrics = LiveMetrics({None: metrics_of({"top1"})})
    >>> metrics.update({None: {"top1": [True, False]}})
    >>> metrics.compute()
    {'top1': 0.5}
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.owners = tuple(layout)
        self.collections = torch.nn.ModuleList(
            MetricCollection({entry.name: entry.build() for entry in entries}, compute_groups=False)
            for entries in layout.values()
        )

    def update(self, rows: OwnedRows) -> None:
        """Add images.

        Args:
            rows: owner -> its columns; owners may be missing.
        """
        for owner, collection in zip(self.owners, self.collections, strict=True):
            if owner in rows:
                for metric in collection.values():  # type: ignore[operator]
                    _as_row_metric(metric).update_rows(rows[owner])

    def compute(self) -> dict[str, float]:
        """Return each metric that has a value, over all devices; one of an explainer as ``metric/explainer``."""
        values: dict[str, float] = {}
        with warnings.catch_warnings():
            # A device that met unreadable images alone takes part all the same.
            warnings.filterwarnings("ignore", message=".*was called before the ``update`` method")
            for owner, collection in zip(self.owners, self.collections, strict=True):
                computed: dict[str, Tensor] = collection.compute()  # type: ignore[operator]
                suffix = "" if owner is None else f"/{owner}"
                values |= {f"{name}{suffix}": float(value) for name, value in computed.items()}
        return {name: value for name, value in values.items() if not math.isnan(value)}


def _as_row_metric(metric: object) -> RowMetric:
    if not isinstance(metric, RowMetric):
        raise TypeError(f"expected a metric of rows, found {type(metric).__name__}")
    return metric
