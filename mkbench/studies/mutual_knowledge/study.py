"""Comparison of runs of mutual knowledge: a table by excess AUC, ranks, pairs of runs, and figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any, cast

from rich.console import Group

from mkbench.plotting.style import save_figure
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, explainer_label, model_label, sort_explainers
from mkbench.runs.run_folder import write_text_atomically
from mkbench.runs.schema import Environment, RunResults
from mkbench.studies.mutual_knowledge.figure.accuracy_scatter import accuracy_scatter
from mkbench.studies.mutual_knowledge.figure.dynamics import dynamics_figure, has_curves
from mkbench.studies.mutual_knowledge.figure.families import family_scatter, has_family_line
from mkbench.studies.mutual_knowledge.pair_table import neighbours_table, pairs_table
from mkbench.studies.mutual_knowledge.pairs import Pair, compare_pairs, read_image_values
from mkbench.studies.mutual_knowledge.seed_spread import seed_notes
from mkbench.studies.mutual_knowledge.table import CSV_EXPLAINER, PARTS, bench_rows, bench_table, nat_decimals
from mkbench.studies.reproduction.published import PublishedLine, published_line
from mkbench.tables import Column, ResultTable, to_console, to_markdown, write_table

#: Keys of the ranked columns with their headings; more is better in each of them.
RANKED = {
    "top1": "top-1",
    "mutual_information": "MI",
    "auc": "AUC",
    "excess": "excess AUC",
    "images_per_second": "images/s",
}
_SECTIONS = ("data", "settings")
#: Files that not every comparison has.
_OPTIONAL = (
    *("pairs.csv", "pairs.md"),
    *(f"{name}.{kind}" for name in ("accuracy", "families", "dynamics") for kind in ("png", "pdf")),
)


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

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
    notes = (*_differences(results), *seed_notes(results))
    return Comparison(rows, [_ranks(row, rows) for row in rows], notes)


def ranks_table(comparison: Comparison) -> ResultTable:
    """Declare the table of ranks.

    >>> [column.title for column in ranks_table(Comparison([], [], ())).shown]
    ['model', 'parts', 'top-1', 'MI', 'AUC', 'excess AUC', 'images/s']
    """
    of_metrics = [Column(heading, key, csv=key) for key, heading in RANKED.items()]
    columns = [Column("model", "model", text=True, csv="model"), CSV_EXPLAINER, PARTS, *of_metrics]
    return ResultTable(columns, comparison.ranks)


def comparison_markdown(comparison: Comparison) -> str:
    """Render a comparison as Markdown: the table, the ranks, and what the runs do not have in common.

    >>> print(comparison_markdown(Comparison([], [], ("These runs differ in data.name.",))).splitlines()[-1])
    - These runs differ in data.name.
    """
    table, ranks = to_markdown(bench_table(comparison.rows)), to_markdown(ranks_table(comparison))
    notes = "".join(f"- {note}\n" for note in comparison.notes)
    text = f"{table}\nRanks among the runs of one explainer (1 is best):\n\n{ranks}"
    return text + (f"\n{notes}" if notes else "")


def pair_up(comparison: Comparison, runs: Sequence[Run]) -> tuple[list[Pair], tuple[str, ...]]:
    """Compare every pair of runs, explainer by explainer, in the order of the comparison.

    Args:
        comparison: of these runs.
        runs: with their folders, whose group files are read.

    Returns:
        The pairs of runs that share images, and notes about runs and pairs that are left out.

    Raises:
        DataError: a group file is damaged.
    """
    if len(runs) < 2:
        return [], ()
    values = [read_image_values(run.folder, str(run.results["data"]["name"])) for run in runs]
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
    return pairs, tuple(notes)


def write_comparison(runs: Sequence[Run], folder: str | Path, *, width: int = 120) -> Group:
    """Write the comparison of runs and return it for the console.

    Writes ``table.csv``, ``table.md`` (with the ranks), ``table.tex`` and ``ranks.csv``; ``pairs.csv`` and ``pairs.md``
    where runs share images; and, each as PNG and PDF and where there is what they show, ``accuracy`` (AUC over
    accuracy), ``families`` (accuracy over AUC with a line for each family) and ``dynamics`` (curves of mutual
    information). The same runs give the same bytes.

    Args:
        runs: finished runs.
        folder: where to write; made where it is missing.
        width: columns of the terminal.

    Returns:
        The table with the differences of the runs below it, and each model beside the next in rank.

    Raises:
        ValueError: if there is no run.
        DataError: a group file is damaged.

    Example:
        >>> import tempfile
        >>> model = {"name": "a", "parameters": 1, "random_weights": False}
        >>> results = {"model": model, "settings": {"estimator": "paper"}, "metrics": [], "curves": {}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     group = write_comparison([Run(Path("a"), "a", results, {})], folder)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['ranks.csv', 'table.csv', 'table.md', 'table.tex']
    """
    documents = [run.labelled() for run in runs]
    comparison = compare([(document, run.environment) for document, run in zip(documents, runs, strict=True)])
    pairs, notes = pair_up(comparison, runs)
    target = Path(folder)
    for name in _OPTIONAL:  # one of an earlier comparison would be taken for this one's
        (target / name).unlink(missing_ok=True)
    write_table(bench_table(comparison.rows), target, "table", ("csv", "tex"))
    write_text_atomically(target / "table.md", comparison_markdown(comparison))
    write_table(ranks_table(comparison), target, "ranks", ("csv",))
    decimals = nat_decimals(comparison.rows)
    if pairs:
        write_table(pairs_table(pairs, decimals=decimals, notes=notes), target, "pairs")
    _write_figures(comparison, documents, target)
    tables = [bench_table(comparison.rows, block="explainer", notes=[*comparison.notes, *notes])]
    tables += [neighbours_table(pairs, decimals=decimals)] if pairs else []
    return Group(*(to_console(table, width=width) for table in tables))


def _write_figures(comparison: Comparison, documents: Sequence[RunResults], target: Path) -> None:
    """Write the figures for which there is something to show."""
    if any(row["top1"] and (row["auc"] or row["excess"]) for row in comparison.rows):
        save_figure(accuracy_scatter(documents), target / "accuracy")
    if has_family_line(documents):
        save_figure(family_scatter(documents, published=_published_line(documents)), target / "families")
    if len(documents) > 1 and has_curves(documents):
        save_figure(dynamics_figure(documents), target / "dynamics")


def _published_line(documents: Sequence[RunResults]) -> PublishedLine | None:
    """The published line of the runs' data set, if it is the same one and the published estimator in all of them."""
    kinds = {(str(document["data"]["name"]), document["settings"]["estimator"]) for document in documents}
    name, estimator = next(iter(kinds))
    return published_line(name) if len(kinds) == 1 and estimator == "paper" else None
