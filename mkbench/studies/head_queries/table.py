"""Table of an answer of attention heads: neighbors with their scores, or where maps are highest."""

from operator import itemgetter

from torch import Tensor

from mkbench.heads.neighbors import Neighbors
from mkbench.studies.head_queries.answer import Answer
from mkbench.tables import Column, ResultTable

#: Patches that a table shows of each map.
NUM_PEAKS = 3


def answer_cells(answer: Answer) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headings of the table of an answer and its printed lines; the first column is text.

    >>> import torch
    >>> found = Neighbors("colour", ("owl/1.png",), torch.tensor([7]), torch.tensor([0.25]), "dot")
    >>> answer_cells(Answer("text-neighbors", {}, "", found))
    (('image', 'rank', 'dot'), [('owl/1.png', '1', '0.2500')])
    """
    found = answer.found
    if isinstance(found, Neighbors):
        pairs = zip(found.ids, found.scores.tolist(), strict=True)
        lines: list[tuple[str, ...]] = [
            (name, str(rank), f"{score:#.4g}") for rank, (name, score) in enumerate(pairs, 1)
        ]
        return ("image", "rank", found.similarity), lines
    if answer.query is None:
        raise ValueError("Expected the image of the maps, found none.")
    size = answer.query.shape[-1]
    headings = ("highest for", "row", "column", "x (pixels)", "y (pixels)", found.similarity)
    return headings, [line for title, values in found.maps.items() for line in _peaks(title, values, size)]


def _peaks(title: str, values: Tensor, size: int) -> list[tuple[str, ...]]:
    height, width = values.shape
    flat = values.flatten()
    best = flat.argsort(descending=True, stable=True)[:NUM_PEAKS].tolist()
    return [
        (
            "" if rank else title,
            str(row + 1),
            str(column + 1),
            _span(column, size / width),
            _span(row, size / height),
            f"{float(values[row, column]):#.4g}",
        )
        for rank, (row, column) in enumerate(divmod(place, width) for place in best)
    ]


def _span(place: int, side: float) -> str:
    return f"{round(place * side)}\u2013{round((place + 1) * side)}"


def answer_table(answer: Answer) -> ResultTable:
    """Declare the table of an answer."""
    headings, lines = answer_cells(answer)
    columns = [
        Column(heading, itemgetter(place), text=not place, csv=heading) for place, heading in enumerate(headings)
    ]
    return ResultTable(columns, lines, title=answer.title, look="airy")
