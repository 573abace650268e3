"""What stands beside compared numbers: controls, rules for special cases, and the scale of subsets."""

from collections.abc import Mapping, Sequence

from mkbench.concepts.controls import CONTROLS
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, explainer_label, find_metric
from mkbench.runs.schema import RunResults
from mkbench.studies.reproduction.published import Column, PublishedTable

#: Rules for special cases that are counted in images.
RULES: Mapping[str, str] = {
    "single_part": "one part alone, whose descriptors are a plain top k: the published code picks among ties there",
    "no_foreground": "no foreground, hence no parts",
    "empty_candidates": "no descriptor in the pool of every part",
    "few_candidates": "fewer descriptors than parts ask for",
}
_AUC = "mutual_information_auc"
_PADDING = (
    "The AUC of a set pads all curves to its longest: a subset without an image of the most vision concepts is on "
    "another scale than the whole set."
)


def control_estimates(results: RunResults, column: Column) -> dict[str, Estimate]:
    """Return the metric of a column for the controls of its explainer: control -> number in the table's unit.

    Args:
        results: of the run.
        column: a column of a published table; one without an explainer has no controls.

    Example:
        >>> column = Column("AUC", "auc", "mutual_information_auc", "pca", 1, 0.05, 2)
        >>> metric = {"name": "mutual_information_auc", "explainer": "whole-image", "value": 2.5}
        >>> control_estimates({"metrics": [metric]}, column)
        {'whole-image': Estimate(value=2.5, interval=None)}
    """
    if column.explainer is None or column.explainer in CONTROLS:
        return {}
    found = {control: find_metric(results, column.metric, control) for control in CONTROLS}
    return {control: estimate.scaled(column.scale) for control, estimate in found.items() if estimate is not None}


def control_lines(table: PublishedTable, runs: Sequence[Run]) -> list[str]:
    """Name the runs whose AUC is compared without the controls that say what parts are worth.

    Args:
        table: the published table.
        runs: the compared runs.

    Returns:
        A line for each control that runs lack; nothing for tables without an AUC.
    """
    aucs = [column for column in table.columns.values() if column.metric == _AUC and column.explainer]
    lacking = {
        control: [run.label for run in runs if find_metric(run.results, _AUC, control) is None] for control in CONTROLS
    }
    return [
        f"No control {control} beside the AUC of {', '.join(labels)}; the configuration of the protocol has it."
        for control, labels in lacking.items()
        if aucs and labels
    ]


def fallback_lines(table: PublishedTable, runs: Sequence[Run]) -> list[str]:
    """Say in which shares of images the rules for special cases applied, for the explainers of a table.

    Args:
        table: the published table.
        runs: the compared runs; those without its explainers are left out.

    Returns:
        A line for each run, then one that says what the rules are; nothing if no run has such an explainer.
    """
    explainers = dict.fromkeys(column.explainer for column in table.columns.values() if column.explainer)
    shares = {run.label: _shares(run.results, list(explainers)) for run in runs}
    used = [rule for rule in RULES if any(rule in of_run for of_run in shares.values())]
    lines = [
        f"Shares of images, {label}: " + "; ".join(f"{rule} {of_run[rule]}" for rule in used if rule in of_run) + "."
        for label, of_run in shares.items()
        if of_run
    ]
    return [*lines, *([f"{'; '.join(f'{rule}: {RULES[rule]}' for rule in used)}."] if used else [])]


def _shares(results: RunResults, explainers: Sequence[str]) -> dict[str, str]:
    """Rule -> the share of images of each explainer; rules that never applied are left out, but for ``single_part``."""
    images, fallbacks = results["data"]["images"], results.get("fallbacks", {})
    counted = {name: fallbacks[name] for name in explainers if "single_part" in fallbacks.get(name, {})}
    return {
        rule: ", ".join(
            f"{count[rule] / images:.1%} ({explainer_label(name)})" for name, count in counted.items() if rule in count
        )
        for rule in RULES
        if images and counted and (rule == "single_part" or any(count.get(rule) for count in counted.values()))
    }


def padding_lines(table: PublishedTable, runs: Sequence[Run]) -> list[str]:
    """Say that the AUC of a subset is on a scale of its own, if a run over a part of the images has one."""
    compares = any(column.metric == _AUC for column in table.columns.values())
    subset = any(
        run.results["data"]["images"] < table.images and find_metric(run.results, _AUC, column.explainer)
        for run in runs
        for column in table.columns.values()
    )
    return [_PADDING] if compares and subset else []
