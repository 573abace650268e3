"""What removing heads does to the groups of a run, as tables for the console."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mkbench.runs.results import Estimate
from mkbench.studies.head_removal.scores import ALL, RANDOM, WITHOUT
from mkbench.studies.mutual_knowledge.table import fixed, show_estimate
from mkbench.tables.fitting import first_fitting

#: Score -> name of its line; the groups follow.
_LINES = {"accuracy": "accuracy", "balanced": "mean of groups", "worst_group": "worst group", "gap": "gap"}

#: Where random heads come from: there may be too few others.
DRAWN = {"others": "other heads", "any": "heads (these among them)"}


def show_removal(document: Mapping[str, Any], *, width: int = 120) -> Group:
    """Render what ``remove_from_run`` found: which heads, then a table for each classifier.

    Args:
        document: what it returned.
        width: columns of the terminal.
    """
    settings = document["settings"]
    named = "" if settings["label"] is None else f" of {settings['label']}"
    heads = ", ".join(f"{layer}.{head}" for layer, head in settings["heads"])
    title = Text(f"Without the heads{named}: {heads} ({settings['ablation']}-ablation)", style="bold")
    tables = (removal_table(classifier, document, width=width) for classifier in document["classifiers"])
    return Group(title, *tables, Text("\n".join(_notes(document))))


def removal_table(classifier: Mapping[str, Any], document: Mapping[str, Any], *, width: int = 120) -> Table:
    """Render the scores of one classifier, in percent: with all heads, without some, and without random ones.

    In a narrow terminal, intervals stand below their values.

    Args:
        classifier: one of the document's.
        document: what ``remove_from_run`` returned.
        width: columns of the terminal.

    >>> score = {"value": 0.5, "interval": [0.25, 0.75], "range": [0.5, 0.5]}
    >>> scores = {"accuracy": score, "balanced": score, "worst_group": score, "groups": {"land on water": score}}
    >>> sets = [{"name": name, "heads": [[]], "scores": scores, "change": scores} for name in (ALL, WITHOUT, RANDOM)]
    >>> document = {"groups": [{"name": "land on water", "images": 4}]}
    >>> removal_table({"name": "zero-shot", "sets": sets, "scan": []}, document).row_count
    4
    """
    return first_fitting((_console_table(classifier, document, separator) for separator in (" ", "\n")), width)


def _console_table(classifier: Mapping[str, Any], document: Mapping[str, Any], separator: str) -> Table:
    sets = {entry["name"]: entry for entry in classifier["sets"]}
    table = Table(title=Text(f"{classifier['name']}, % of images"), title_justify="left", box=box.SIMPLE_HEAD)
    table.collapse_padding, table.pad_edge = True, False
    table.add_column("")
    for header in ("all heads", "without", "change", f"{len(sets[RANDOM]['heads'])} x random"):
        table.add_column(header, justify="right")
    for name, line in _lines(document, sets[ALL]["scores"]).items():
        columns = (sets[ALL]["scores"], sets[WITHOUT]["scores"], sets[WITHOUT]["change"])
        shown = [show_score(_find(scores, name), separator) for scores in columns]
        table.add_row(*map(Text, (line, *shown, show_range(_find(sets[RANDOM]["scores"], name), separator))))
    return table


def _lines(document: Mapping[str, Any], scores: Mapping[str, Any]) -> dict[str, str]:
    summaries = {name: line for name, line in _LINES.items() if name in scores}
    return summaries | {group["name"]: f"{group['name']} ({group['images']})" for group in document["groups"]}


def _find(scores: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = scores[name] if name in _LINES else scores["groups"][name]
    return found


def show_score(score: Mapping[str, Any], separator: str) -> str:
    """Write a score in percent with its interval.

    >>> show_score({"value": 0.5, "interval": [0.25, 0.75]}, " ")
    '50.0 [25.0, 75.0]'
    """
    low, high = score["interval"]
    return show_estimate(Estimate(score["value"], (low, high)).scaled(100), 1, separator)


def show_range(score: Mapping[str, Any], separator: str) -> str:
    """Write a mean over sets in percent with their range; only the value of a single set.

    >>> show_range({"value": 0.5, "range": [0.25, 0.75]}, " "), show_range({"value": 0.5}, " ")
    ('50.0 (25.0 to 75.0)', '50.0')
    """
    value = fixed(100 * score["value"], 1)
    if "range" not in score:
        return value
    return f"{value}{separator}({' to '.join(fixed(100 * bound, 1) for bound in score['range'])})"


def _notes(document: Mapping[str, Any]) -> list[str]:
    scanned = [classifier for classifier in document["classifiers"] if classifier["scan"]]
    return [
        "a on b: classes tied to a, images with background b, and how many; gap: groups on the background of their "
        "classes less the others, what a shortcut gains; [ ]: 95 %, of changes paired; random: as "
        f"many {DRAWN[document['settings']['random_heads']]} of the same layers, mean and range.",
        *map(_name_best, scanned),
    ]


def _name_best(classifier: Mapping[str, Any]) -> str:
    """Say which single head costs the worst group most; it was found on these very images, so it is no test."""
    best = max(classifier["scan"], key=lambda head: head["worst_group"])
    return (
        f"{classifier['name']}: of all heads taken one by one, the worst group fares best without {best['layer']}."
        f"{best['head']} ({fixed(100 * best['worst_group'], 1)}; found on these images, so no test)."
    )
