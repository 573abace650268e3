"""Several runs side by side: one table ordered by excess AUC, ranks for each metric, and the scatter over accuracy."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from mkbench.results.bundle import write_text_atomically
from mkbench.results.drawing import save_figure
from mkbench.results.reading import ABSENT, Document, Estimate, explainer_label, model_label, sort_explainers
from mkbench.results.scatter import accuracy_scatter
from mkbench.results.tables import (
    bench_rows,
    markdown_table,
    to_console,
    to_csv,
    to_latex,
    to_markdown,
)

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


def _differences(documents: Sequence[Document]) -> tuple[str, ...]:
    """A sentence for each entry of the data and of the settings in which runs differ."""
    notes = []
    for section in _SECTIONS:
        for key in sorted({key for document in documents for key in document.get(section, {})}):
            models: dict[str, list[str]] = {}
            for document in documents:
                value = json.dumps(document.get(section, {}).get(key), sort_keys=True, ensure_ascii=False)
                models.setdefault(value, []).append(model_label(document))
            if len(models) > 1:
                each = "; ".join(f"{value} ({', '.join(names)})" for value, names in models.items())
                notes.append(f"These runs differ in {section}.{key}: {each}.")
    return tuple(notes)


def compare(bundles: Sequence[tuple[Document, Document]]) -> Comparison:
    """Order and rank runs.

    Args:
        bundles: (``results.json``, ``environment.json``) of each run, parsed.

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
    if not bundles:
        raise ValueError("bundles must hold at least one run, found none")
    rows = bench_rows(bundles)
    explainers = sort_explainers({row["explainer"] for row in rows if row["explainer"] is not None})
    rows.sort(key=lambda row: _order(row, explainers))
    notes = _differences([results for results, _ in bundles])
    return Comparison(rows, [_ranks(row, rows) for row in rows], notes)


def _rank_cells(comparison: Comparison) -> list[list[str]]:
    return [
        [
            ranks["model"],
            ABSENT if ranks["explainer"] is None else explainer_label(ranks["explainer"]),
            *(ABSENT if ranks[key] is None else str(ranks[key]) for key in RANKED),
        ]
        for ranks in comparison.ranks
    ]


def _ranks_csv(comparison: Comparison) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["model", "explainer", *RANKED], lineterminator="\n")
    writer.writeheader()
    writer.writerows(comparison.ranks)
    return out.getvalue()


def comparison_markdown(comparison: Comparison) -> str:
    """Render a comparison as Markdown: the table, the ranks, and what the runs do not have in common.

    >>> print(comparison_markdown(Comparison([], [], ("These runs differ in data.name.",))).splitlines()[-1])
    - These runs differ in data.name.
    """
    headers = ["model", "parts", *RANKED.values()]
    ranks = markdown_table(headers, _rank_cells(comparison), left=("model", "parts"))
    notes = "".join(f"- {note}\n" for note in comparison.notes)
    text = f"{to_markdown(comparison.rows)}\nRanks among the runs of one explainer (1 is best):\n\n{ranks}"
    return text + (f"\n{notes}" if notes else "")


def write_comparison(bundles: Sequence[tuple[Document, Document]], folder: str | Path) -> Table:
    """Write the comparison of runs and return its table for the console.

    Writes ``table.csv``, ``table.md`` (with the ranks), ``table.tex``, ``ranks.csv``, and ``accuracy.png`` and
    ``accuracy.pdf`` where a run has both an accuracy and an AUC. The same runs give the same bytes.

    Args:
        bundles: (``results.json``, ``environment.json``) of each run, parsed.
        folder: where to write; made where it is missing.

    Returns:
        The table for the console, with the differences of the runs below it.

    Raises:
        ValueError: if there is no run.

    Example:
        >>> import tempfile
        >>> model = {"name": "a", "parameters": 1, "random_weights": False}
        >>> results = {"model": model, "settings": {"estimator": "paper"}, "metrics": []}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = write_comparison([(results, {})], folder)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['ranks.csv', 'table.csv', 'table.md', 'table.tex']
    """
    comparison = compare(bundles)
    target = Path(folder)
    write_text_atomically(target / "table.csv", to_csv(comparison.rows))
    write_text_atomically(target / "table.md", comparison_markdown(comparison))
    write_text_atomically(target / "table.tex", to_latex(comparison.rows))
    write_text_atomically(target / "ranks.csv", _ranks_csv(comparison))
    if any(row["top1"] and (row["auc"] or row["excess"]) for row in comparison.rows):
        save_figure(accuracy_scatter([results for results, _ in bundles]), target / "accuracy")
    return to_console(comparison.rows, block="parts", notes=comparison.notes)
