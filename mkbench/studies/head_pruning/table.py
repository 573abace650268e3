"""Table of the accuracy of a run without pruned heads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group

from mkbench.runs.results import Estimate
from mkbench.studies.head_removal.table import DRAWN, range_cell, score_estimate
from mkbench.tables import BELOW, BESIDE, Column, ResultTable, show_estimate, to_console


def show_pruning(document: Mapping[str, Any], *, width: int = 120) -> Group:
    """Render what ``prune_run`` found: a row for each set of heads, which heads they are, and what the columns hold.

    Args:
        document: what it returned.
        width: columns of the terminal.
    """
    return to_console(pruning_table(document), width=width)


def pruning_table(document: Mapping[str, Any]) -> ResultTable:
    """Declare the table of top-1 in percent, a row for each set; in a narrow terminal, intervals stand below values.

    Args:
        document: what ``prune_run`` returned.

    >>> score = {"value": 0.5, "interval": [0.25, 0.75], "range": [0.5, 0.5]}
    >>> scores = dict.fromkeys(["without", "change", "random", "change_from_random"], score)
    >>> one = {"description": "a CCS of 5", "heads": [[3, 0]], "random_sets": [[[3, 1]]], "scores": scores}
    >>> one["random_heads"] = "others"
    >>> pruning_table({"images": 4, "all_heads": score, "sets": [one], "notes": []}).title
    'zero-shot top-1, % of 4 images; with all heads ↑ 50.0 [25.0, 75.0]'
    """
    seeds = len(document["sets"][0]["random_sets"])
    columns = [
        Column("", "description", text=True),
        Column("heads", lambda one: len(one["heads"]), whole=True),
        Column("without", _score("without"), decimals=1, scale=100, whole=True, higher_is_better=True),
        Column("change", _score("change"), decimals=1, scale=100, whole=True),
        Column(
            f"{seeds} x random",
            lambda one: range_cell(one["scores"]["random"]),
            decimals=1,
            scale=100,
            whole=True,
            higher_is_better=True,
            console_heading=f"{seeds} x\nrandom ↑",
        ),
        Column(
            "against random",
            _score("change_from_random"),
            decimals=1,
            scale=100,
            whole=True,
            console_heading="against\nrandom",
        ),
    ]
    full = show_estimate(score_estimate(document["all_heads"]).scaled(100), 1)
    listed = [f"{one['description']}: {_list(one['heads'])}" for one in document["sets"]]
    return ResultTable(
        columns,
        document["sets"],
        title=f"zero-shot top-1, % of {document['images']} images; with all heads ↑ {full}",
        notes=[*listed, *document["notes"], *_notes(document)],
        notes_width="terminal",
        layouts=(BESIDE, BELOW),
    )


def _score(name: str) -> Callable[[Mapping[str, Any]], Estimate]:
    return lambda one: score_estimate(one["scores"][name])


def _list(heads: Sequence[Sequence[int]]) -> str:
    return ", ".join(f"{layer}.{head}" for layer, head in heads)


def _notes(document: Mapping[str, Any]) -> list[str]:
    drawn = {DRAWN[one["random_heads"]] for one in document["sets"]}
    return [
        "Ablated in the running model, so that later layers see it: the total effect; `mkbench heads remove` has the "
        "direct one.",
        "CCS: texts out of five that fit a head's label; change: below 0, accuracy is lost without these heads; "
        f"random: as many {' or '.join(sorted(drawn))} of the same layers, mean and range; against random: below 0, "
        "more is lost than without those; [ ]: 95 % over images, of changes paired.",
    ]
