"""Catalogue entry of a metric: the class that computes it, the columns it reads, and how it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mkbench.metrics.row_metric import RowMetric


class Display(NamedTuple):
    """Display of a metric: heading, unit, decimals and direction.

    Attributes:
        heading: of its column, without unit and direction.
        unit: of the printed value; empty for plain numbers.
        decimals: digits of the printed value after the point.
        higher_is_better: None where neither direction is.
        scale: factor of the printed value; 100 for percent.
    """

    heading: str
    unit: str
    decimals: int
    higher_is_better: bool | None
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class MetricEntry:
    """Catalogue entry of a metric of ``results.json``.

    Attributes:
        name: of the metric.
        metric: the class that computes it.
        columns: of the rows that it reads.
        options: arguments of the class.
        display: how it is shown.
        meaning: one line.
        source: the paper that defines it.
        beside: the metric that is its chance level, bound or control.
        against_controls: whether explainers are compared with the controls among them, such as random parts.
        of_model: it is the same for every explainer, and reported once, of the model.
        own: it is not in the catalogue: a user's metric, whose entry in the results says how it is shown.
    """

    name: str
    metric: type[RowMetric]
    columns: tuple[str, ...]
    display: Display
    meaning: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    beside: str | None = None
    against_controls: bool = False
    of_model: bool = False
    own: bool = False

    def build(self, **options: Any) -> RowMetric:
        """Return a fresh metric; options take the place of the entry's own."""
        return self.metric(columns=self.columns, **(dict(self.options) | options))
