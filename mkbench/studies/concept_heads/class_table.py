"""Which heads carry the mutual concepts of each class, as tables: all of them as CSV, the first for the console."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mkbench.runs.results import explainer_label
from mkbench.studies.concept_heads.study import ClassConceptHeads

_SHOWN_CLASSES, _SHOWN_HEADS = 10, 3
_SCORE_NOTE = (
    "Score of a head: what it adds to the images of the class, less the mean over classes, along the class's mutual "
    "concepts, less the mean of the bank. Percent: share of the positive scores. Below: the concept it carries most."
)


def class_csv(found: Sequence[ClassConceptHeads]) -> str:
    """Render the scores of all heads for programs: class after class, best head first, full precision.

    >>> print(class_csv([]), end="")
    model,explainer,class,layer,head,label,score,share,rank,descriptor
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["model", "explainer", "class", "layer", "head", "label", "score", "share", "rank", "descriptor"])
    for one in found:
        for name, lines in ranked_heads(one):
            writer.writerows([one.model, one.explainer, name, *line] for line in lines)
    return out.getvalue()


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


def class_console(found: ClassConceptHeads) -> Group:
    """Render the three heads that carry most of the mutual concepts of each of the first ten classes that have any."""
    ranked = ranked_heads(found)
    about = [_SCORE_NOTE]
    if len(ranked) > _SHOWN_CLASSES:
        about.append(f"The first {_SHOWN_CLASSES} of {len(ranked)} classes; all are in concept_heads_by_class.csv.")
    title = Text(f"Heads that carry the mutual concepts: {found.model}, {explainer_label(found.explainer)}")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.collapse_padding, table.pad_edge = True, False
    for heading in ("class", "first head", "second", "third"):
        table.add_column(Text(heading), overflow="fold")
    for name, lines in ranked[:_SHOWN_CLASSES]:
        cells = [_head_cell(line) for line in lines[:_SHOWN_HEADS]]
        cells += [""] * (_SHOWN_HEADS - len(cells))
        table.add_row(*map(Text, [name, *cells]))
    return Group(table, Text("\n".join(about)))


def _head_cell(line: Sequence[Any]) -> str:
    layer, head, label, score, share, _, descriptor = line
    name = f"layer {layer} head {head}" + (f" ({label})" if label else "")
    return f"{name}\n{score:.3f}, {share:.0%}\n{descriptor}"
