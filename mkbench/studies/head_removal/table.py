"""Tables of head removal: accuracy of each group of a run without chosen heads."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from mkbench.runs.results import Estimate
from mkbench.studies.head_removal.scores import ALL, RANDOM, WITHOUT
from mkbench.tables import BELOW, BESIDE, Cell, Column, ResultTable, fixed, to_console

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
    declared = (removal_table(classifier, document) for classifier in document["classifiers"])
    tables = (to_console(table, width=width) for table in declared)
    return Group(title, *tables, Text("\n".join(_notes(document))))


def removal_table(classifier: Mapping[str, Any], document: Mapping[str, Any]) -> ResultTable:
    """Declare the scores of one classifier, in percent: with all heads, without some, and without random ones.

    In a narrow terminal, intervals stand below their values.

    Args:
        classifier: one of the document's.
        document: what ``remove_from_run`` returned.

    >>> score = {"value": 0.5, "interval": [0.25, 0.75], "range": [0.5, 0.5]}
    >>> scores = {"accuracy": score, "balanced": score, "worst_group": score, "groups": {"land on water": score}}
    >>> sets = [{"name": name, "heads": [[]], "scores": scores, "change": scores} for name in (ALL, WITHOUT, RANDOM)]
    >>> document = {"groups": [{"name": "land on water", "images": 4}]}
    >>> len(removal_table({"name": "zero-shot", "sets": sets, "scan": []}, document).rows)
    4
    """
    sets = {entry["name"]: entry for entry in classifier["sets"]}
    columns = [
        Column("", lambda line: line[1], text=True),
        _score_column("all heads", sets[ALL]["scores"]),
        _score_column("without", sets[WITHOUT]["scores"]),
        _score_column("change", sets[WITHOUT]["change"]),
        _range_column(f"{len(sets[RANDOM]['heads'])} x random", sets[RANDOM]["scores"]),
    ]
    return ResultTable(
        columns,
        list(_lines(document, sets[ALL]["scores"]).items()),
        title=f"{classifier['name']}, % of images",
        layouts=(BESIDE, BELOW),
    )


def _score_column(heading: str, scores: Mapping[str, Any]) -> Column:
    return Column(heading, lambda line: score_estimate(_find(scores, line[0])), decimals=1, scale=100)


def _range_column(heading: str, scores: Mapping[str, Any]) -> Column:
    return Column(heading, lambda line: range_cell(_find(scores, line[0])), decimals=1, scale=100)


def _lines(document: Mapping[str, Any], scores: Mapping[str, Any]) -> dict[str, str]:
    summaries = {name: line for name, line in _LINES.items() if name in scores}
    return summaries | {group["name"]: f"{group['name']} ({group['images']})" for group in document["groups"]}


def _find(scores: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = scores[name] if name in _LINES else scores["groups"][name]
    return found


def score_estimate(score: Mapping[str, Any]) -> Estimate:
    """Return a score with its interval.

    >>> score_estimate({"value": 0.5, "interval": [0.25, 0.75]})
    Estimate(value=0.5, interval=(0.25, 0.75))
    """
    low, high = score["interval"]
    return Estimate(score["value"], (low, high))


def range_cell(score: Mapping[str, Any]) -> Cell:
    """Return a mean over sets with their range in percent; only the value of a single set.

    >>> range_cell({"value": 0.5, "range": [0.25, 0.75]}).remark, range_cell({"value": 0.5}).remark
    ('(25.0 to 75.0)', '')
    """
    bounds = " to ".join(fixed(100 * bound, 1) for bound in score.get("range", ()))
    return Cell(score["value"], remark=f"({bounds})" if bounds else "")


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
