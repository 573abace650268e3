"""Summary of a finished `mkbench predict`: its table, its folder and the next command."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mkbench.runs.finished_runs import Run, read_runs
from mkbench.studies.registry import write_report


def show_run(folder: Path, *, already_finished: bool) -> None:
    """Print the table of a run, where the run lies, and what to do with it next.

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
    state = "already finished, nothing was computed again" if already_finished else "finished"
    print(f"{state}: {folder}")
    command = f"heads {folder}" if runs[0].system == "head_decomposition" else f"compare {folder} OTHER_RUN"
    print(f"next: mkbench {command}")


def data_sentences(runs: Sequence[Run]) -> list[str]:
    """Say of each run over a part of its data that it is one, and how many files were left out."""
    found = []
    for run in runs:
        data = run.results["data"]
        if data["unreadable"]:
            found.append(
                f"{run.label}: {len(data['unreadable'])} of {data['images'] + len(data['unreadable'])} images could "
                f"not be read and are left out; the first: {data['unreadable'][0]}"
            )
        if data.get("not_images"):
            found.append(
                f"{run.label}: files left out beside the images, since they are no images by their suffixes: "
                f"{data['not_images']}; `mkbench doctor` names them."
            )
        partial = data.get("partial")
        if partial:
            found.append(
                f"{run.label}: a partial run, {partial['groups']} of {partial['of']} class groups; its numbers are not "
                "those of the data set. Run it without --trainer.limit_predict_batches to go on."
            )
    return found
