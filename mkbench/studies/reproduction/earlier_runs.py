"""Earlier runs as a table that later ones are compared with."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mkbench.errors import UsageError
from mkbench.metrics.catalogue import metric_entry
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import explainer_label, find_metric
from mkbench.studies.reproduction.published import Column, PublishedTable
from mkbench.studies.reproduction.reasons import MISSING, look_up
from mkbench.studies.reproduction.study import row_label

_OF_DATA = ("resize", "templates", "class_names_sha256", "samples_sha256", "group_size", "bank.sha256")


def table_of_runs(runs: Sequence[Run], folder: Path) -> PublishedTable:
    """Make a table of the metrics of earlier runs, a row for each model.

    A later run compares if it has the same data and every setting that the earlier runs agree in. A number is a match
    if it differs by no more than half a unit of its last printed decimal.

    Args:
        runs: earlier runs over the same data, each of another model.
        folder: what the user named, for messages.

    Raises:
        UsageError: runs over different data, or several of one model.
    """
    labels = [row_label(run.results) for run in runs]
    (label, count) = Counter(labels).most_common(1)[0]
    data = [run.results["data"] for run in runs]
    sizes = {(entry["name"], entry["classes"], entry["images"]) for entry in data}
    if count > 1 or len(sizes) > 1:
        found = f"{count} of {label}" if count > 1 else f"{len(sizes)} data sets"
        raise UsageError(
            f"Expected earlier runs of different models over the same images in {folder}, found {found}; name the "
            "folder of one of them."
        )
    columns: dict[str, Column] = {}
    rows: dict[str, dict[str, float]] = {}
    for model, run in zip(labels, runs, strict=True):
        own = _columns(run)
        columns |= own
        rows[model] = {key: _value(run, column) for key, column in own.items()}
    ((name, classes, images),) = sizes
    return PublishedTable(
        name=folder.name,
        title=name,
        source=f"earlier runs in {folder}",
        note="",
        data_names=(name,),
        classes=classes,
        images=images,
        requires=_shared_settings(runs),
        requires_of_explainers={},
        columns=columns,
        rows=rows,
        line=None,
    )


def _columns(run: Run) -> dict[str, Column]:
    """A column for each metric of a run that has a value."""
    columns = {}
    for metric in run.results["metrics"]:
        name, explainer = metric["name"], metric["explainer"]
        if find_metric(run.results, name, explainer) is None:
            continue
        shown = metric_entry(run.results, name)
        path = f"settings.explainers.{explainer}"
        found = look_up(run.results, path)
        columns[name if explainer is None else f"{name}_{explainer}"] = Column(
            label=" ".join(filter(None, (shown.heading, shown.unit, explainer and explainer_label(explainer)))),
            quantity=name,
            metric=name,
            explainer=explainer,
            scale=shown.scale,
            tolerance=0.5 * 10**-shown.decimals,
            decimals=shown.decimals,
            requires={} if explainer is None or found is MISSING else {path: found},
        )
    return columns


def _value(run: Run, column: Column) -> float:
    found = find_metric(run.results, column.metric, column.explainer)
    if found is None:
        raise ValueError(f"expected a value of {column.metric}, found none")
    return found.scaled(column.scale).value


def _shared_settings(runs: Sequence[Run]) -> dict[str, Any]:
    """What all runs agree in: dotted path into ``results.json`` -> value."""
    names = [name for name in runs[0].results["settings"] if name != "explainers"]
    paths = [*(f"data.{name}" for name in _OF_DATA), "model.precision", *(f"settings.{name}" for name in names)]
    values = {path: [look_up(run.results, path) for run in runs] for path in paths}
    return {
        path: found[0]
        for path, found in values.items()
        if found[0] is not MISSING and found.count(found[0]) == len(found)
    }
