"""Table of what classes lose without their concept heads."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Group

from mkbench.runs.results import Estimate, explainer_label
from mkbench.studies.head_removal.table import score_estimate
from mkbench.studies.head_truth.table import gain_cell
from mkbench.tables import BELOW, BESIDE, NO_INTERVALS, Cell, Column, ResultTable, fixed, to_console

_MEASURES = {"margin": "margin x 100", "top1": "top-1 %"}


def show_ablation(document: Mapping[str, Any], *, width: int = 120) -> Group:
    """Render what ``ablate_concept_heads`` found.

    Args:
        document: what it returned.
        width: columns of the terminal.
    """
    return to_console(ablation_table(document), width=width)


def ablation_table(document: Mapping[str, Any]) -> ResultTable:
    """Declare the losses without concept heads: a row for each explainer, effect and measure.

    Args:
        document: what ``ablate_concept_heads`` returned.

    >>> document = {"images": 4, "held_out": True, "full": {"margin": 0.1, "top1": 0.5}, "effects": [], "notes": []}
    >>> ablation_table(document).title
    'Loss of a class without its concept head, over 4 images; with all heads margin x 100 10.0, top-1 50.0 %'
    """
    columns = [
        Column("parts", lambda row: explainer_label(row["explainer"]), text=True, once=True),
        Column("effect", lambda row: row["effect"], text=True),
        Column("loss of", lambda row: _MEASURES[row["measure"]], text=True),
        Column("its head", _loss("own"), decimals=2, scale=100, signed=True),
        Column("more than other classes", _more("more_than_others"), decimals=2, scale=100, signed=True),
        Column("than without other heads", _more("more_than_random"), decimals=2, scale=100, signed=True),
        Column("interaction", _more("interaction"), decimals=2, scale=100, signed=True),
    ]
    full = document["full"]
    return ResultTable(
        columns,
        document["effects"],
        title=f"Loss of a class without its concept head, over {document['images']} images; with all heads margin "
        f"x 100 {fixed(100 * full['margin'], 1)}, top-1 {fixed(100 * full['top1'], 1)} %",
        notes=[*_notes(document), *document["notes"]],
        notes_width="terminal",
        section=lambda row: row["explainer"],
        layouts=(BESIDE, BELOW, NO_INTERVALS),
    )


def _loss(name: str) -> Callable[[Mapping[str, Any]], Estimate]:
    return lambda row: score_estimate(row["scores"][name])


def _more(name: str) -> Callable[[Mapping[str, Any]], Cell]:
    return lambda row: gain_cell(row["scores"][name])


def _notes(document: Mapping[str, Any]) -> list[str]:
    heads = {
        explainer_label(effect["explainer"]): Counter(f"{one['layer']}.{one['head']}" for one in effect["heads"])
        for effect in document["effects"]
    }
    listed = [f"{name}: {', '.join(f'{head} ({own[head]})' for head in sorted(own))}" for name, own in heads.items()]
    images = (
        "images that the concept heads were not found on"
        if document["held_out"]
        else "all images of the run of heads, those among them that the concept heads were found on"
    )
    return [
        f"Over {images}. Margin: cosine of image and its class less that of the nearest other class. Total: ablated in "
        "the running model; direct: taken out of the embedding.",
        "more than other classes: without the same head; than without other heads: of the same layer, on average; "
        "interaction: more than other classes, less the same for the other heads of the layer; [ ]: 95 % over classes, "
        "of differences paired. ✔ the class suffers more: the interval lies above 0.",
        f"Concept heads, and of how many classes: {'; '.join(listed)}.",
    ]
