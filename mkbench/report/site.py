"""Table of many runs as a static page that anyone can host."""

from collections.abc import Sequence
from pathlib import Path

from mkbench.report.rendering import render, show_sections
from mkbench.runs.finished_runs import Run
from mkbench.runs.run_folder import write_text_atomically
from mkbench.studies.overview.integrity import require_untampered
from mkbench.studies.overview.table import present_overview
from mkbench.studies.registry import present

INDEX = "index.html"


def write_site(runs: Sequence[Run], folder: Path) -> Path:
    """Write the table of runs to ``index.html``, after checking that each run is as it was written.

    Args:
        runs: at least one finished run.
        folder: of the site; made where it is missing.

    Returns:
        The page.

    Raises:
        DataError: a run is damaged, lacks class groups, or was changed after it was written; nothing is written.
        OSError: the page cannot be written.
    """
    for run in runs:
        require_untampered(run)
    sections = list(show_sections([*present(runs, brief=True), present_overview(runs)]))
    path = folder / INDEX
    write_text_atomically(path, render("site.html", title="mkbench: runs", sections=sections, runs=len(runs)))
    return path
