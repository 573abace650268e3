"""Tables of the concept heads of each class: all of them as CSV, the first for the console."""

from collections.abc import Callable, Sequence
from typing import Any

from mkbench.runs.results import explainer_label
from mkbench.studies.concept_heads.study import ClassConceptHeads
from mkbench.tables import Column, ResultTable

_SHOWN_CLASSES = 10
_SCORE_NOTE = (
    "Score of a head: what it adds to the images of the class, less the mean over classes, along the class's mutual "
    "concepts, less the mean of the bank. Percent: share of the positive scores. Below: the concept it carries most."
)
_CSV_NAMES = ("model", "explainer", "class", "layer", "head", "label", "score", "share", "rank", "descriptor")


def class_table(found: Sequence[ClassConceptHeads]) -> ResultTable:
    """Declare the table of all heads, for a CSV: class after class, best head first.

    >>> len(class_table([]).columns)
    10
    """
    rows = [
        dict(zip(_CSV_NAMES, (one.model, one.explainer, name, *line), strict=True))
        for one in found
        for name, lines in ranked_heads(one)
        for line in lines
    ]
    return ResultTable([Column(None, name, csv=name) for name in _CSV_NAMES], rows)


def ranked_heads(found: ClassConceptHeads) -> list[tuple[str, list[list[Any]]]]:
    """List the heads of every class that has mutual concepts, in the order of the classes.

    Args:
        found: the concept heads of a model's classes.

    Returns:
        Name of the class, and its heads, best first: layer, head, label or None, score, share, rank, descriptor.
    """
    concept_heads = found.concept_heads
    tables = [
        table.flatten(1).tolist() for table in (concept_heads.scores, concept_heads.shares(), concept_heads.ranks())
    ]
    strongest = concept_heads.strongest.flatten(1).tolist()
    heads = [(layer, head) for layer in found.layers for head in range(concept_heads.scores.shape[2])]
    ranked = []
    for place in found.known():
        columns = zip(heads, *(table[place] for table in tables), strongest[place], strict=True)
        lines = [
            [*head, found.labels.get(head), *values, found.descriptors[concept]] for head, *values, concept in columns
        ]
        ranked.append((found.classes[place], sorted(lines, key=lambda line: line[5])))
    return ranked


def first_heads_table(found: ClassConceptHeads) -> ResultTable:
    """Declare the three heads that carry most of the mutual concepts of each of the first ten classes that have any."""
    ranked = ranked_heads(found)
    about = [_SCORE_NOTE]
    if len(ranked) > _SHOWN_CLASSES:
        about.append(f"The first {_SHOWN_CLASSES} of {len(ranked)} classes; all are in concept_heads_by_class.csv.")
    places = enumerate(("first head", "second", "third"))
    return ResultTable(
        [
            Column("class", lambda row: row[0], text=True),
            *(Column(heading, _head_at(place), text=True) for place, heading in places),
        ],
        ranked[:_SHOWN_CLASSES],
        title=f"Heads that carry the mutual concepts: {found.model}, {explainer_label(found.explainer)}",
        notes=about,
        notes_width="terminal",
    )


def _head_at(place: int) -> Callable[[tuple[str, list[list[Any]]]], str]:
    """Writes the head of a rank, counted from 0; nothing where there are fewer heads."""
    return lambda row: _head_cell(row[1][place]) if place < len(row[1]) else ""


def _head_cell(line: Sequence[Any]) -> str:
    layer, head, label, score, share, _, descriptor = line
    name = f"layer {layer} head {head}" + (f" ({label})" if label else "")
    return f"{name}\n{score:.3f}, {share:.0%}\n{descriptor}"
