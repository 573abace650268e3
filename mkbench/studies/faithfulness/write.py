"""Files of the faithfulness tables and figure."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group

from mkbench.plotting.style import save_figure
from mkbench.runs.finished_runs import Run
from mkbench.studies.faithfulness.figure import compares_families, faithfulness_figure
from mkbench.studies.faithfulness.removal_agreement import removal_agreements
from mkbench.studies.faithfulness.removal_agreement_table import removal_agreement_table
from mkbench.studies.faithfulness.study import faithfulness_rows
from mkbench.studies.faithfulness.table import faithfulness_table
from mkbench.tables import publish_table

_STEM, _AGREEMENT, _KINDS = "faithfulness", "removal_agreement", ("csv", "md", "tex")  # of the files


def write_faithfulness(runs: Sequence[Run], folder: Path | None, *, width: int = 120) -> Group | None:
    """Write the table of faithfulness, and return it for the console; nothing if no run measured any.

    Writes ``faithfulness.csv``, ``faithfulness.md`` and ``faithfulness.tex``; where explainers of other families are
    compared also the figure of explainers by criteria, as PNG and PDF; where a run has blurred and exact removal also
    ``removal_agreement``, in the formats of the table. Those of an earlier table are removed.

    Args:
        runs: finished runs.
        folder: where to write; made where it is missing; None writes nothing.
        width: columns of the terminal.

    Raises:
        DataError: a group file is damaged.

    Example:
        >>> results = {"model": {"name": "a", "random_weights": False}, "metrics": []}
        >>> write_faithfulness([Run(Path("a"), "a", results, {})], None) is None
        True
    """
    rows = faithfulness_rows([run.labelled() for run in runs])
    agreements = removal_agreements(runs)
    if folder is not None:
        for kind in (*_KINDS, "png", "pdf"):
            for stem in (_STEM, _AGREEMENT):
                (folder / f"{stem}.{kind}").unlink(missing_ok=True)
        if compares_families(rows):
            folder.mkdir(parents=True, exist_ok=True)
            save_figure(faithfulness_figure(rows), folder / _STEM)
    tables = {_STEM: faithfulness_table(rows)} if rows else {}
    if agreements:
        tables[_AGREEMENT] = removal_agreement_table(agreements)
    printed = [publish_table(table, folder, stem, _KINDS, width=width) for stem, table in tables.items()]
    return Group(*printed) if printed else None
