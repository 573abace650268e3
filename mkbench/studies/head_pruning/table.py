"""What silencing heads does to the accuracy of a run, as a table for the console."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mkbench.studies.head_removal.table import DRAWN, show_range, show_score
from mkbench.tables.fitting import first_fitting


def show_pruning(document: Mapping[str, Any], *, width: int = 120) -> Group:
    """Render what ``prune_run`` found: a row for each set of heads, which heads they are, and what the columns hold.

    Args:
        document: what it returned.
        width: columns of the terminal.
    """
    listed = [f"{one['description']}: {_list(one['heads'])}" for one in document["sets"]]
    lines = [*listed, *document["notes"], *_notes(document)]
    return Group(pruning_table(document, width=width), Text("\n".join(lines)))


def pruning_table(document: Mapping[str, Any], *, width: int = 120) -> Table:
    """Render top-1 in percent, a row for each set; in a narrow terminal, intervals stand below their values.

    Args:
        document: what ``prune_run`` returned.
        width: columns of the terminal.

    >>> score = {"value": 0.5, "interval": [0.25, 0.75], "range": [0.5, 0.5]}
    >>> scores = dict.fromkeys(["without", "change", "random", "change_from_random"], score)
    >>> one = {"description": "a CCS of 5", "heads": [[3, 0]], "random_sets": [[[3, 1]]], "scores": scores}
    >>> pruning_table({"images": 4, "all_heads": score, "sets": [one]}).row_count
    1
    """
    return first_fitting((_console_table(document, separator) for separator in (" ", "\n")), width)


def _console_table(document: Mapping[str, Any], separator: str) -> Table:
    seeds = len(document["sets"][0]["random_sets"])
    headers = ("heads", "without ↑", "change", f"{seeds} x\nrandom ↑", "against\nrandom")
    full = show_score(document["all_heads"], " ")
    title = Text(f"zero-shot top-1, % of {document['images']} images; with all heads ↑ {full}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = True, False
    table.add_column("")
    for header in headers:
        table.add_column(Text(header), justify="right", no_wrap=True)
    for one in document["sets"]:
        table.add_row(*map(Text, _cells(one, separator)))
    return table


def _cells(one: Mapping[str, Any], separator: str) -> list[str]:
    scores = one["scores"]
    shown = [show_score(scores[name], separator) for name in ("without", "change")]
    against = show_score(scores["change_from_random"], separator)
    return [one["description"], str(len(one["heads"])), *shown, show_range(scores["random"], separator), against]


def _list(heads: Sequence[Sequence[int]]) -> str:
    return ", ".join(f"{layer}.{head}" for layer, head in heads)


def _notes(document: Mapping[str, Any]) -> list[str]:
    drawn = {DRAWN[one["random_heads"]] for one in document["sets"]}
    return [
        "Silenced in the running model, so that later layers see it: the total effect; `mkbench heads remove` has the "
        "direct one.",
        "CCS: texts out of five that fit a head's label; change: below 0, accuracy is lost without these heads; "
        f"random: as many {' or '.join(sorted(drawn))} of the same layers, mean and range; against random: below 0, "
        "more is lost than without those; [ ]: 95 % over images, of changes paired.",
    ]
