"""Comparison of runs of mutual knowledge: order by excess AUC, ranks, and pairs of runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, cast

from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, explainer_label, model_label, sort_explainers
from mkbench.runs.schema import Environment, RunResults
from mkbench.studies.mutual_knowledge.agreement import (
    Agreement,
    agreement_sentences,
    grouping_agreements,
    rank_agreements,
)
from mkbench.studies.mutual_knowledge.image_values import ImageValues, read_image_values
from mkbench.studies.mutual_knowledge.pairs import Pair, compare_pairs
from mkbench.studies.mutual_knowledge.seed_spread import seed_notes
from mkbench.studies.mutual_knowledge.table import CSV_EXPLAINER, PARTS, bench_rows
from mkbench.tables import Column, ResultTable

#: Keys of the ranked columns with their headings; more is better in each of them.
RANKED = {
    "top1": "top-1",
    "mutual_information": "MI",
    "auc": "AUC",
    "excess": "excess AUC",
    "images_per_second": "images/s",
}
_SECTIONS = ("data", "settings")


@dataclass(frozen=True)
class Comparison:
    """Comparison of runs: ordered rows, ranks and differences in settings.

    Attributes:
        rows: as ``bench_rows`` gives them; a block for each explainer, in it the largest excess AUC first.
        ranks: for each row, ``model``, ``explainer`` and the rank in each column of ``RANKED`` among the rows of that
            explainer; 1 is best, equal values share the better rank, None where the run has no value.
        notes: what the runs do not have in common, so that their numbers may not compare.
    """

    rows: list[dict[str, Any]]
    ranks: list[dict[str, Any]]
    notes: tuple[str, ...]


def _number(value: Estimate | float | None) -> float | None:
    return value.value if isinstance(value, Estimate) else value


def _order(row: Mapping[str, Any], explainers: Sequence[str]) -> tuple[int, bool, float]:
    """Explainers in their order, rows without one last; in a block the largest excess first, absent ones last."""
    excess = _number(row["excess"])
    block = len(explainers) if row["explainer"] is None else explainers.index(row["explainer"])
    return block, excess is None, -(excess or 0.0)


def _ranks(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ranks: dict[str, Any] = {"model": row["model"], "explainer": row["explainer"]}
    for key in RANKED:
        own = _number(row[key])
        others = [_number(other[key]) for other in rows if other["explainer"] == row["explainer"]]
        ranks[key] = None if own is None else 1 + sum(other is not None and other > own for other in others)
    return ranks


def _differences(documents: Sequence[RunResults]) -> tuple[str, ...]:
    """A sentence for each entry of the data and of the settings in which runs differ."""
    notes = []
    for section in _SECTIONS:
        entries: list[Mapping[str, Any]] = [
            cast(Mapping[str, Any], document).get(section, {}) for document in documents
        ]
        for key in sorted({key for own in entries for key in own}):
            models: dict[str, list[str]] = {}
            for document, own in zip(documents, entries, strict=True):
                value = json.dumps(own.get(key), sort_keys=True, ensure_ascii=False)
                models.setdefault(value, []).append(model_label(document))
            if len(models) > 1:
                each = "; ".join(f"{value} ({', '.join(names)})" for value, names in models.items())
                notes.append(f"These runs differ in {section}.{key}: {each}.")
    return tuple(notes)


def _unreadable(documents: Sequence[RunResults]) -> tuple[str, ...]:
    """A sentence for each run that left images out."""
    counts = [(model_label(document), len(document.get("data", {}).get("unreadable", ()))) for document in documents]
    return tuple(
        f"{model}: {count} unreadable {'image' if count == 1 else 'images'} left out; results.json names them."
        for model, count in counts
        if count
    )


def compare(documents: Sequence[tuple[RunResults, Environment]]) -> Comparison:
    """Order and rank runs.

    Args:
        documents: (``results.json``, ``environment.json``) of each run, parsed.

    Returns:
        The comparison; the same runs in the same order give the same comparison, equal runs keep their order.

    Raises:
        ValueError: if there is no run.

    Example:
        >>> def results(name, excess):
        ...     metric = {"name": "mutual_information_auc_excess", "explainer": "pca", "value": excess}
        ...     model = {"name": name, "parameters": 1, "random_weights": False}
        ...     return {"model": model, "settings": {"estimator": "paper"}, "metrics": [metric]}
        >>> comparison = compare([(results("a", 0.5), {}), (results("b", 0.7), {})])
        >>> [(rank["model"], rank["excess"], rank["top1"]) for rank in comparison.ranks]
        [('b', 1, None), ('a', 2, None)]
    """
    if not documents:
        raise ValueError("documents must hold at least one run, found none")
    rows = bench_rows(documents)
    explainers = sort_explainers({row["explainer"] for row in rows if row["explainer"] is not None})
    rows.sort(key=lambda row: _order(row, explainers))
    results = [each for each, _ in documents]
    notes = (*_differences(results), *_unreadable(results), *seed_notes(results))
    return Comparison(rows, [_ranks(row, rows) for row in rows], notes)


def ranks_table(comparison: Comparison) -> ResultTable:
    """Declare the table of ranks.

    >>> [column.title for column in ranks_table(Comparison([], [], ())).shown]
    ['model', 'parts', 'top-1', 'MI', 'AUC', 'excess AUC', 'images/s']
    """
    of_metrics = [Column(heading, key, csv=key) for key, heading in RANKED.items()]
    columns = [Column("model", "model", text=True, csv="model"), CSV_EXPLAINER, PARTS, *of_metrics]
    return ResultTable(columns, comparison.ranks)


def pair_up(comparison: Comparison, runs: Sequence[Run]) -> tuple[list[Pair], tuple[str, ...]]:
    """Compare every pair of runs, explainer by explainer, in the order of the comparison, and their ranks.

    Args:
        comparison: of these runs.
        runs: with their folders, whose group files are read.

    Returns:
        The pairs of runs that share images; and notes about runs and pairs that are left out, and about how well
        scores agree on the ranks.

    Raises:
        DataError: a group file is damaged.
    """
    if len(runs) < 2:
        return [], ()
    values = [read_image_values(run) for run in runs]
    notes = [
        f"No pairs with {run.label}: {run.folder} has no group files."
        for run, own in zip(runs, values, strict=True)
        if not own
    ]
    pairs: list[Pair] = []
    for explainer in dict.fromkeys(row["explainer"] for row in comparison.rows):
        ranked = [row["run"] for row in comparison.rows if row["explainer"] == explainer]
        models = [(runs[index].label, values[index][explainer]) for index in ranked if explainer in values[index]]
        found = compare_pairs(explainer, models)
        missing = comb(len(models), 2) - len(found)
        if missing:
            label = explainer_label(explainer)
            notes.append(
                f"{label}: {missing} of {missing + len(found)} pairs of runs share no image; they are left out."
            )
        pairs += found
        measured = [(run, own[explainer]) for run, own in zip(runs, values, strict=True) if explainer in own]
        notes += agreement_sentences(_agreements(explainer, measured))
    return pairs, tuple(notes)


def _agreements(explainer: str, measured: Sequence[tuple[Run, ImageValues]]) -> list[Agreement]:
    """Rank agreements between scores, of the first run of each model, and between groupings of descriptors."""
    first: dict[str, ImageValues] = {}
    groupings: dict[str, dict[str, ImageValues]] = {}
    for run, own in measured:
        model = f"{run.results['model']['name']} {run.results['model']['fingerprint']}"
        first.setdefault(model, own)
        groupings.setdefault(_grouping(run.results), {}).setdefault(model, own)
    return [*rank_agreements(explainer, list(first.values())), *grouping_agreements(explainer, groupings)]


def _grouping(results: RunResults) -> str:
    """How a run groups descriptors, as it is printed."""
    choice = results["settings"].get("concept_groups")
    if isinstance(choice, int | float):
        return f"cosine {choice:g}"
    return {"auto": "of the data", "none": "none", None: "none"}.get(choice, f"of the file {choice}")
