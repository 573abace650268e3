"""Table columns of metrics, headed as the catalogue says, or as a run says of a user's own metric."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from mkbench.metrics.catalogue import CATALOGUE, metric_entry
from mkbench.metrics.entry import Display
from mkbench.runs.results import Estimate, find_metric
from mkbench.runs.schema import RunResults
from mkbench.tables import Column, csv_bounds
from mkbench.tables.result_table import Getter

_UNITS = {"": "", "%": " %", "nats": ""}  # captions say which columns are in nats


class OwnMetric(NamedTuple):
    """A metric that is not in the catalogue.

    Attributes:
        shown: how the run says it is shown.
        estimate: its value.
    """

    shown: Display
    estimate: Estimate


def metric_column(name: str | Display, value: str | Getter, **options: Any) -> Column:
    """Return the column of a metric.

    Args:
        name: of the catalogue; or how a user's own metric is shown.
        value: key of the rows, or what gives the value of a row, in the metric's own unit.
        options: of ``Column``, in the place of what the catalogue says.

    >>> metric_column("corloc", "corloc").title
    'CorLoc % ↑'
    """
    shown = CATALOGUE[name].display if isinstance(name, str) else name
    heading = options.pop("heading", shown.heading + _UNITS.get(shown.unit, f" ({shown.unit})"))
    declared = {"decimals": shown.decimals, "scale": shown.scale, "higher_is_better": shown.higher_is_better}
    column = Column(heading, value, **(declared | options))
    if options.get("console_heading") is None:
        column = replace(column, console_heading=column.title.replace(" ", "\n", 1))
    return column


def own_metrics(results: RunResults, explainer: str | None = None) -> dict[str, OwnMetric]:
    """Return the metrics of a run that are not in the catalogue, those that say how they are shown.

    Args:
        results: a parsed ``results.json``.
        explainer: whose metrics, besides those of the model.

    >>> shown = {"heading": "dark", "unit": "", "decimals": 1, "higher_is_better": False, "scale": 1.0}
    >>> metric = {"name": "darkness", "explainer": None, "value": 0.5, "interval": None, **shown}
    >>> own_metrics({"metrics": [metric]})["darkness"].estimate.value
    0.5
    """
    found = {}
    for metric in results["metrics"]:
        name = metric["name"]
        estimate = find_metric(results, name, metric["explainer"])
        if name not in CATALOGUE and "heading" in metric and metric["explainer"] in (None, explainer) and estimate:
            found[name] = OwnMetric(metric_entry(results, name), estimate)
    return found


def own_columns(rows: Sequence[Any], own: Callable[[Any], Mapping[str, OwnMetric]]) -> list[Column]:
    """Return a column for each metric of a user's own that some row has.

    Args:
        rows: of the table.
        own: gives what a row has of them.

    >>> row = {"own": {"darkness": OwnMetric(Display("dark", "", 1, False), Estimate(0.5))}}
    >>> [column.title for column in own_columns([row], lambda row: row["own"])]
    ['dark ↓']
    """
    shown: dict[str, Display] = {}
    for row in rows:
        for name, metric in own(row).items():
            shown.setdefault(name, metric.shown)

    def column(name: str) -> Column:
        def value(row: Any) -> Estimate | None:
            metric = own(row).get(name)
            return None if metric is None else metric.estimate

        return metric_column(shown[name], value, csv=csv_bounds(name))

    return [column(name) for name in shown]
