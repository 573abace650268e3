"""Files of the comparison of mutual knowledge runs: tables, ranks, pairs of runs, and figures."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.plotting.style import save_figure
from mkbench.runs.finished_runs import Run
from mkbench.runs.run_folder import write_text_atomically
from mkbench.studies.mutual_knowledge.class_intervals import read_class_intervals
from mkbench.studies.mutual_knowledge.class_tables import intervals_table
from mkbench.studies.mutual_knowledge.pair_table import neighbors_table, pairs_table
from mkbench.studies.mutual_knowledge.present import comparison_plots
from mkbench.studies.mutual_knowledge.study import Comparison, compare, pair_up, ranks_table
from mkbench.studies.mutual_knowledge.table import bench_table, nat_decimals
from mkbench.tables import to_console, to_markdown, write_table

#: Files that not every comparison has.
_OPTIONAL = (
    *("pairs.csv", "pairs.md", "intervals.csv", "intervals.md"),
    *(f"{name}.{kind}" for name in ("accuracy", "families", "dynamics") for kind in ("png", "pdf")),
)


def write_comparison(runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> Group:
    """Write the comparison of runs and return it for the console.

    Writes ``table.csv``, ``table.md`` (with the ranks), ``table.tex`` and ``ranks.csv``; ``intervals.csv`` and ``.md``
    with intervals over classes beside those over images, where images have classes; ``pairs.csv`` and ``pairs.md``
    where runs share images; and, each as PNG and PDF and where there is what they show, ``accuracy`` (AUC over
    accuracy), ``families`` (accuracy over AUC with a line for each family) and ``dynamics`` (curves of mutual
    information). The same runs give the same bytes.

    Args:
        runs: finished runs.
        folder: where to write; made where it is missing; None writes nothing.
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
        ...     group = write_comparison([Run(Path("a"), "a", results, {})], Path(folder))
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['ranks.csv', 'table.csv', 'table.md', 'table.tex']
    """
    documents = [run.labelled() for run in runs]
    comparison = compare([(document, run.environment) for document, run in zip(documents, runs, strict=True)])
    pairs, notes = pair_up(comparison, runs)
    decimals = nat_decimals(comparison.rows)
    if folder is not None:
        _write_tables(comparison, folder)
        if intervals := read_class_intervals(runs):
            write_table(intervals_table(intervals), folder, "intervals")
        if pairs:
            write_table(pairs_table(pairs, decimals=decimals, notes=notes), folder, "pairs")
        for stem, plot in comparison_plots(comparison, documents).items():
            save_figure(plot.draw(), folder / stem)
    tables = [bench_table(comparison.rows, block="explainer", notes=[*comparison.notes, *notes])]
    tables += [neighbors_table(pairs, decimals=decimals)] if pairs else []
    return Group(*(to_console(table, width=width) for table in tables))


def _write_tables(comparison: Comparison, folder: Path) -> None:
    """Write the tables that every comparison has, and delete what of an earlier one would be taken for this one's."""
    for name in _OPTIONAL:
        (folder / name).unlink(missing_ok=True)
    write_table(bench_table(comparison.rows), folder, "table", ("csv", "tex"))
    write_text_atomically(folder / "table.md", comparison_markdown(comparison))
    write_table(ranks_table(comparison), folder, "ranks", ("csv",))


def comparison_markdown(comparison: Comparison) -> str:
    """Render a comparison as Markdown: the table, the ranks, and what the runs do not have in common.

    >>> print(comparison_markdown(Comparison([], [], ("These runs differ in data.name.",))).splitlines()[-1])
    - These runs differ in data.name.
    """
    table, ranks = to_markdown(bench_table(comparison.rows)), to_markdown(ranks_table(comparison))
    notes = "".join(f"- {note}\n" for note in comparison.notes)
    text = f"{table}\nRanks among the runs of one explainer (1 is best):\n\n{ranks}"
    return text + (f"\n{notes}" if notes else "")
