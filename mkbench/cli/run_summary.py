"""Summary of a finished `mkbench predict`: its table, its folder and the next command."""

from pathlib import Path

from rich.console import Console

from mkbench.report.page import write_page
from mkbench.runs.finished_runs import read_runs
from mkbench.runs.run_folder import REPORT
from mkbench.studies.overview.study import data_sentences
from mkbench.studies.registry import write_report


def show_run(folder: Path, *, already_finished: bool) -> None:
    """Print the table of a run, write its page, and say where both lie and what to do next.

    Args:
        folder: of the run.
        already_finished: an earlier run had computed all of it.

    Raises:
        DataError: a damaged file.
    """
    runs, console = read_runs([folder]), Console()
    for table in write_report(runs, None, width=console.width):  # the files of a comparison are not those of a run
        console.print(table)
    for sentence in data_sentences(runs):
        print(sentence)
    write_page(runs, folder / REPORT)
    state = "already finished, nothing was computed again" if already_finished else "finished"
    print(f"{state}: {folder}")
    print(f"report: {folder / REPORT}")
    command = f"heads {folder}" if runs[0].system == "head_decomposition" else f"compare {folder} OTHER_RUN"
    print(f"next: mkbench {command}")
