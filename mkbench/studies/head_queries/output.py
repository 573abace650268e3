"""Answers of attention heads as a table, a figure and data."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from mkbench.heads.head_values import Head
from mkbench.heads.neighbors import Neighbors
from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap
from mkbench.plotting.style import save_figure
from mkbench.runs.run_folder import ANALYSES, write_json
from mkbench.tables import Column, ResultTable

SCHEMA_VERSION = 1
#: Patches that a table shows of each map.
NUM_PEAKS = 3
_NAME_LENGTH, _HASH_LENGTH = 60, 12  # characters
_SUFFIXES = frozenset({".png", ".pdf", ".json"})


@dataclass(frozen=True)
class Answer:
    """What the heads answered.

    Attributes:
        analysis: which question, such as ``image-neighbors``.
        question: all that was asked, as JSON.
        result: the answer, as JSON.
        title: of the table.
        headers: of its columns; the first is text, the others are numbers.
        rows: of the table.
        figure: the answer, drawn.
    """

    analysis: str
    question: Mapping[str, Any]
    result: Mapping[str, Any]
    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figure: Figure

    @property
    def name(self) -> str:
        """A file name that no other question has: legible, and sorted by analysis and what was asked about.

        >>> question = {"text": "An owl?", "head": [3, 2]}
        >>> Answer("text-neighbors", question, {}, "", (), (), Figure()).name
        'text-neighbors_an-owl_3-2_95068c815db2'
        """
        asked = [str(value) for name, value in self.question.items() if value is not None and name != "image_sha256"]
        words = [re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in asked]
        legible = "_".join(word for word in words if word)[:_NAME_LENGTH].rstrip("-_")
        digest = hashlib.sha256(json.dumps(self.question, sort_keys=True).encode()).hexdigest()[:_HASH_LENGTH]
        return "_".join(part for part in (self.analysis, legible, digest) if part)


def neighbor_answer(
    analysis: str,
    question: Mapping[str, Any],
    found: Neighbors,
    *,
    heads: Sequence[Head],
    images: Tensor,
    query: Tensor | None,
) -> Answer:
    """Show neighbours.

    Args:
        analysis: which question.
        question: all that was asked, as JSON.
        found: the neighbours.
        heads: whose neighbours they are.
        images: (top, 3, S, S) uint8, of the neighbours.
        query: (3, S, S) uint8, the image that was asked with; None for a text.

    >>> import torch
    >>> found = Neighbors("colour", ("owl/1.png",), torch.tensor([7]), torch.tensor([0.25]), "dot")
    >>> black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    >>> neighbor_answer("text-neighbors", {}, found, heads=[(3, 2)], images=black, query=None).rows
    (('owl/1.png', '1', '0.2500'),)
    """
    triples = list(zip(found.ids, found.indices.tolist(), found.scores.tolist(), strict=True))
    return Answer(
        analysis,
        question,
        {
            "heads": [{"layer": layer, "head": head} for layer, head in heads],
            "neighbors": [{"id": name, "index": index, "score": score} for name, index, score in triples],
        },
        f"Nearest images: {found.title}",
        ("image", "rank", found.similarity),
        tuple((name, str(rank), f"{score:#.4g}") for rank, (name, _, score) in enumerate(triples, 1)),
        found.plot(images, query=query),
    )


def map_answer(
    analysis: str,
    question: Mapping[str, Any],
    found: TopicMap | ContrastiveMaps,
    maps: Mapping[str, Tensor],
    *,
    title: str,
    query: Tensor,
) -> Answer:
    """Show maps of the patches of an image, and where they are highest.

    Args:
        analysis: which question.
        question: all that was asked, as JSON.
        found: the maps.
        maps: (h, w) each, by title.
        title: of the table.
        query: (3, S, S) uint8, the image that was asked with.

    >>> import torch
    >>> found, black = TopicMap(torch.tensor([[0.0, 0.5]]), "an owl", "all heads", "dot"), torch.zeros(3, 8, 8)
    >>> map_answer("topic-segmentation", {}, found, {"an owl": found.values}, title="", query=black.byte()).rows[0]
    ('an owl', '1', '2', '4–8', '0–8', '0.5000')
    """
    size = query.shape[-1]
    return Answer(
        analysis,
        question,
        {"maps": [{"title": name, "values": values.tolist()} for name, values in maps.items()]},
        title,
        ("highest for", "row", "column", "x (pixels)", "y (pixels)", found.similarity),
        tuple(row for name, values in maps.items() for row in _peaks(name, values, size)),
        found.plot(query),
    )


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
    """Declare the table of an answer.

    >>> answer = Answer("text-neighbors", {}, {}, "Nearest", ("image", "rank"), (("a", "1"),), Figure())
    >>> [column.text for column in answer_table(answer).columns]
    [True, False]
    """
    columns = [Column(heading, itemgetter(place), text=not place) for place, heading in enumerate(answer.headers)]
    return ResultTable(columns, answer.rows, title=answer.title, look="airy")


def write_answer(answer: Answer, run: Path, out: Path | None = None) -> tuple[Path, ...]:
    """Write the figure of an answer as PNG and PDF, and its data as JSON.

    Args:
        answer: what to write.
        run: folder of the run; without ``out`` everything goes to its ``analyses/``.
        out: figure, whatever its suffix of the three.

    Returns:
        The three files.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    base = run / ANALYSES / answer.name
    if out is not None:
        base = out.with_suffix("") if out.suffix.lower() in _SUFFIXES else out
    data = base.with_name(f"{base.name}.json")
    content = {"analysis": answer.analysis, "question": answer.question, "result": answer.result}
    write_json(data, {"schema_version": SCHEMA_VERSION, **content})
    return (*save_figure(answer.figure, base), data)
