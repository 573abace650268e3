"""What heads say, in tables: the metrics of a run, its heads one by one, and several runs side by side."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mkbench.heads.labels import LabelledHead
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import ABSENT, RANDOM_WEIGHTS, Estimate, bound_cells, find_metric, model_label
from mkbench.runs.run_folder import write_text_atomically
from mkbench.runs.schema import RunResults
from mkbench.studies.head_labels.scores import NUM_TEXTS, SHUFFLED
from mkbench.studies.head_labels.study import HeadReport
from mkbench.studies.mutual_knowledge.table import markdown_table, show_estimate
from mkbench.tables.fitting import first_fitting

#: Metric -> heading in the table of runs.
COLUMNS = {
    "top1": "top-1",
    "top1_mean_ablated": "heads alone",
    "top1_reconstructed": "their texts alone",
    "entanglement": "entanglement ↓",
    "association": "association ↑",
    "concept_consistency": "CCS ↑",
}
HEADERS = ("model", "images", "heads", *COLUMNS.values())
_NOTE = (
    "heads alone: top-1 with everything but the heads of the last layers replaced by its mean; their texts alone: and "
    "the heads by what their texts keep of them; CCS: texts out of five that fit a head's label; brackets: 95 %."
)
_CHANCE = "by chance: the same labels dealt out anew; ✔ higher than that."


def metrics_table(results: RunResults) -> Table:
    """Render the metrics of a run, each with its interval, what it is by chance, and over how many images or heads.

    >>> metric = {"name": "top1", "explainer": None, "value": 0.5, "interval": [0.4, 0.6], "n": 9}
    >>> metrics_table({"metrics": [metric]}).row_count
    1
    """
    table = Table(box=box.SIMPLE_HEAD, caption=Text(f"{_NOTE} {_CHANCE}"), caption_justify="left", pad_edge=False)
    table.add_column("metric")
    for header in ("value", "by chance", "n"):
        table.add_column(header, justify="right")
    above = {control["metric"] for control in results.get("controls", []) if control["separates"]}
    for metric in results["metrics"]:
        name = metric["name"]
        if name.endswith(f"_{SHUFFLED}"):
            continue
        chance = find_metric(results, f"{name}_{SHUFFLED}")
        shown = "" if chance is None else show_estimate(chance, 3) + (" ✔" if name in above else "")
        table.add_row(Text(name), show_estimate(find_metric(results, name), 3), Text(shown), str(metric["n"]))
    return table


def _score(head: LabelledHead) -> str:
    fits = head.judgement.fits
    return ABSENT if fits is None else str(sum(fits[:NUM_TEXTS]))


def heads_table(report: HeadReport) -> Table:
    """Render the heads of a run, layer after layer: label, how many of five texts fit it, and these texts."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("layer", "head"):
        table.add_column(header, justify="right")
    table.add_column("label", overflow="fold")
    for header in ("CCS", "explained"):
        table.add_column(header, justify="right")
    table.add_column(f"first {NUM_TEXTS} texts")
    heads = report.document.heads
    for place, (head, share) in enumerate(zip(heads, report.explained, strict=True)):
        own = head.texts
        cells = (str(own.layer), str(own.head), head.label.label or ABSENT, _score(head), f"{share:.0%}")
        last = place + 1 == len(heads) or heads[place + 1].texts.layer != own.layer
        table.add_row(*map(Text, cells), Text("; ".join(own.texts)), end_section=last)
    return table


def show_report(report: HeadReport) -> Group:
    """Render what the heads of a run say, for the console."""
    title = Text(f"Heads of {_label(report.results)}", style="bold")
    return Group(title, heads_table(report), metrics_table(report.results))


def _label(results: RunResults) -> str:
    label = model_label(results)
    return f"{label} {RANDOM_WEIGHTS}" if results["model"]["random_weights"] else label


def _cells(run: Run, separator: str | None = " ") -> list[str]:
    """The printed line of a run; without a separator there are no intervals."""
    heads = find_metric(run.results, "entanglement")
    number = next((metric["n"] for metric in run.results["metrics"] if metric["name"] == "entanglement"), None)
    return [
        _label(run.labelled()),
        str(run.results["data"]["images"]),
        ABSENT if heads is None else str(number),
        *(_show(find_metric(run.results, name), separator) for name in COLUMNS),
    ]


def _show(estimate: Estimate | None, separator: str | None) -> str:
    if estimate is not None and separator is None:
        return show_estimate(Estimate(estimate.value), 3)
    return show_estimate(estimate, 3, separator or " ")


def runs_table(runs: Sequence[Run], *, width: int = 120) -> Table:
    """Render runs side by side for a terminal; in a narrow one, intervals stand below their values or are left out.

    >>> runs_table([]).row_count
    0
    """
    return first_fitting((_console_table(runs, separator) for separator in (" ", "\n", None)), width)


def _console_table(runs: Sequence[Run], separator: str | None) -> Table:
    about = Text("\n".join(_notes(runs)))
    table = Table(box=box.SIMPLE_HEAD, caption=about, caption_justify="left")
    table.collapse_padding, table.pad_edge = True, False
    for header in HEADERS:
        table.add_column(Text(header), justify="left" if header == "model" else "right", overflow="fold")
    for run in runs:
        table.add_row(*map(Text, _cells(run, separator)))
    return table


def _notes(runs: Sequence[Run]) -> list[str]:
    missing = ", ".join(run.label for run in runs if find_metric(run.results, "entanglement") is None)
    return [_NOTE, *([f"Not described yet: {missing}; `mkbench heads` does it."] if missing else [])]


def write_heads(runs: Sequence[Run], folder: Path, *, width: int = 120) -> Table:
    """Write ``heads.csv`` and ``heads.md`` of finished runs and return their table for the console.

    Metrics that only ``mkbench heads`` adds are absent before it.

    Args:
        runs: runs of ``HeadDecomposition``.
        folder: where to write; made where it is missing.
        width: columns of the terminal.
    """
    shown = markdown_table(HEADERS, [_cells(run) for run in runs], left=("model",))
    write_text_atomically(folder / "heads.csv", _to_csv(runs))
    write_text_atomically(folder / "heads.md", shown + "".join(f"\n{note}\n" for note in _notes(runs)))
    return runs_table(runs, width=width)


def _to_csv(runs: Sequence[Run]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["model", "images", *(f"{name}{bound}" for name in COLUMNS for bound in ("", "_low", "_high"))])
    for run in runs:
        line: list[Any] = [run.label, run.results["data"]["images"]]
        for name in COLUMNS:
            found = find_metric(run.results, name)
            line += bound_cells(found)
        writer.writerow(line)
    return out.getvalue()
