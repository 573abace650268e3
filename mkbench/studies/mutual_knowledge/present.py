"""Presentation of runs of mutual knowledge: tables and plots of the models, and of their classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from mkbench.concepts.controls import CONTROLS
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import estimator_name, sort_explainers
from mkbench.runs.schema import RunResults
from mkbench.studies.mutual_knowledge.class_intervals import class_intervals
from mkbench.studies.mutual_knowledge.class_tables import (
    extremes_table,
    intervals_table,
    model_differences_table,
    same_information_table,
)
from mkbench.studies.mutual_knowledge.class_values import ClassValue, read_class_values
from mkbench.studies.mutual_knowledge.figure.accuracy_scatter import accuracy_scatter
from mkbench.studies.mutual_knowledge.figure.curve import mi_curve_figure
from mkbench.studies.mutual_knowledge.figure.dynamics import dynamics_figure, has_curves
from mkbench.studies.mutual_knowledge.figure.families import family_scatter, has_family_line
from mkbench.studies.mutual_knowledge.pair_table import neighbors_table, pairs_table
from mkbench.studies.mutual_knowledge.study import Comparison, compare, pair_up, ranks_table
from mkbench.studies.mutual_knowledge.table import bench_table, nat_decimals
from mkbench.studies.presentation import Plot, Presentation
from mkbench.studies.reproduction.published import PublishedLine, published_line
from mkbench.tables import ResultTable

_ACCURACY = (
    "AUC, and AUC in excess of chance, over zero-shot top-1 accuracy; bars are 95 % intervals, hollow points have "
    "random weights."
)
_FAMILIES = "Zero-shot top-1 accuracy over AUC, with a line for each family of three or more trained models."
_DYNAMICS = (
    "Mutual information while vision concepts are removed, most important first, averaged over images; dashed lines or "
    "the grey band: at chance."
)


def comparison_plots(comparison: Comparison, documents: Sequence[RunResults]) -> dict[str, Plot]:
    """Return the plots of runs for which there is something to show.

    Args:
        comparison: of the runs.
        documents: their ``results.json``, parsed.

    Returns:
        Stem of a file -> its plot.
    """
    plots = {}
    if any(row["top1"] and (row["auc"] or row["excess"]) for row in comparison.rows):
        plots["accuracy"] = Plot(_ACCURACY, partial(accuracy_scatter, documents))
    if has_family_line(documents):
        published = _published_line(documents)
        plots["families"] = Plot(_FAMILIES, partial(family_scatter, documents, published=published))
    if len(documents) > 1 and has_curves(documents):
        plots["dynamics"] = Plot(_DYNAMICS, partial(dynamics_figure, documents))
    return plots


def _published_line(documents: Sequence[RunResults]) -> PublishedLine | None:
    """The published line of the runs' data set, if it is the same one and the published estimator in all of them."""
    kinds = {(str(document["data"]["name"]), estimator_name(document)) for document in documents}
    name, estimator = next(iter(kinds))
    return published_line(name) if len(kinds) == 1 and estimator == "paper" else None


def present_models(runs: Sequence[Run]) -> Presentation:
    """Return the table of the models and plots of them; no group file is read.

    Args:
        runs: at least one finished run.
    """
    documents = [run.labelled() for run in runs]
    comparison = _compare(runs)
    table = bench_table(comparison.rows, block="explainer", notes=comparison.notes)
    plots = list(comparison_plots(comparison, documents).values())
    if len(runs) == 1 and has_curves(documents):
        plots.append(Plot(_DYNAMICS, partial(mi_curve_figure, documents[0])))
    return Presentation(
        "Mutual knowledge", [replace(table, title="Mutual knowledge of each model, by explainer")], plots
    )


def _compare(runs: Sequence[Run]) -> Comparison:
    return compare([(run.labelled(), run.environment) for run in runs])


def present_pairs(runs: Sequence[Run]) -> Presentation | None:
    """Return the ranks of the models and their differences; None for one model.

    Args:
        runs: at least one finished run.

    Raises:
        DataError: a group file is damaged.
    """
    if len(runs) < 2:
        return None
    comparison = _compare(runs)
    pairs, notes = pair_up(comparison, runs)
    ranks = replace(
        ranks_table(comparison), title="Ranks among the models of one explainer (1 is best)", notes=[*notes]
    )
    if not pairs:
        return Presentation("Models compared", [ranks])
    decimals = nat_decimals(comparison.rows)
    every = replace(pairs_table(pairs, decimals=decimals), title="Differences of all pairs of models")
    return Presentation("Models compared", [ranks, neighbors_table(pairs, decimals=decimals)], details=[every])


def present_classes(runs: Sequence[Run]) -> Presentation | None:
    """Return the classes with the highest and the lowest AUC of each run, and those on which models differ most.

    Controls are left out, but for the intervals over classes. None where no run has classes.

    Args:
        runs: finished runs.

    Raises:
        DataError: a group file is damaged.
    """
    every = {run.label: read_class_values(run.folder) for run in runs}
    values = {label: _without_controls(own) for label, own in every.items()}
    explainers = sort_explainers({name for own in values.values() for name in own})
    differences = []
    for explainer in explainers:
        models = {label: own[explainer] for label, own in values.items() if explainer in own}
        if len(models) > 1:
            differences.append(model_differences_table(models, explainer))
    details = [table for label, own in values.items() for table in _of_run(label, own)]
    intervals = [row for run in runs for row in class_intervals(run, every[run.label])]
    if intervals:
        details.insert(0, replace(intervals_table(intervals), title="Intervals over images and over classes"))
    return Presentation("Classes", differences, details=details) if details else None


def _without_controls(values: Mapping[str, list[ClassValue]]) -> dict[str, list[ClassValue]]:
    return {explainer: classes for explainer, classes in values.items() if explainer not in CONTROLS}


def _of_run(label: str, values: Mapping[str, list[ClassValue]]) -> list[ResultTable]:
    tables = []
    for explainer in sort_explainers(set(values)):
        tables += [
            extremes_table(values[explainer], explainer, label),
            same_information_table(values[explainer], explainer, label),
        ]
    return tables
