"""Summary of a finished `mkbench predict`: its table, its folder and the next command."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mkbench.report.page import write_page
from mkbench.runs.finished_runs import Run, read_runs
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
    runs = read_runs([folder])
    show_tables(runs, None)  # the files of a comparison are not those of a run
    write_page(runs, folder / REPORT)
    state = "already finished, nothing was computed again" if already_finished else "finished"
    print(f"{state}: {folder}")
    print(f"report: {folder / REPORT}")
    command = f"heads {folder}" if runs[0].system == "head_decomposition" else f"compare {folder} OTHER_RUN"
    print(f"next: mkbench {command}")


def show_bench(folders: Sequence[Path], out: Path) -> None:
    """Write tables, figures and the page of finished runs to a folder, and print the tables and where the page is.

    Raises:
        DataError: a damaged file.
    """
    runs = read_runs(folders)
    show_tables(runs, out)
    write_page(runs, out / REPORT)
    print(f"report: {out / REPORT}")


def show_tables(runs: Sequence[Run], out: Path | None) -> None:
    """Print the tables of runs and what is to be known of their data; write their files to a folder, if there is one.

    Raises:
        DataError: a damaged file.
    """
    console = Console()
    for table in write_report(runs, out, width=console.width):
        console.print(table)
    for sentence in data_sentences(runs):
        print(sentence)
