"""Answers of attention heads as data, with the files that they are written to."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mkbench.heads.head_values import Head
from mkbench.heads.neighbors import Neighbors
from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap
from mkbench.runs.run_folder import ANALYSES, write_json

SCHEMA_VERSION = 1
_NAME_LENGTH, _HASH_LENGTH = 60, 12  # characters
_SUFFIXES = frozenset({".png", ".pdf", ".json"})


@dataclass(frozen=True)
class Answer:
    """Answer of the heads to a query.

    Attributes:
        analysis: which question, such as ``image-neighbors``.
        question: all that was asked, as JSON.
        title: of the table.
        found: the neighbors or the maps.
        heads: whose neighbors they are; empty for maps.
        images: (top, 3, S, S) uint8, of the neighbors; None for maps.
        query: (3, S, S) uint8, the image that was asked with; None for a text.
        patch_size: side of a patch of the maps, in pixels of the query; None: the largest that fits.
    """

    analysis: str
    question: Mapping[str, Any]
    title: str
    found: Neighbors | TopicMap | ContrastiveMaps
    heads: Sequence[Head] = ()
    images: Tensor | None = None
    query: Tensor | None = None
    patch_size: int | None = None

    @property
    def name(self) -> str:
        """File name that no other question has: legible, and sorted by analysis and what was asked about.

        >>> import torch
        >>> question = {"text": "An owl?", "head": [3, 2]}
        >>> Answer("topic-segmentation", question, "", TopicMap(torch.eye(2), "An owl?", "layer 3 head 2", "dot")).name
        'topic-segmentation_an-owl_3-2_95068c815db2'
        """
        asked = [str(value) for name, value in self.question.items() if value is not None and name != "image_sha256"]
        words = [re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in asked]
        legible = "_".join(word for word in words if word)[:_NAME_LENGTH].rstrip("-_")
        digest = hashlib.sha256(json.dumps(self.question, sort_keys=True).encode()).hexdigest()[:_HASH_LENGTH]
        return "_".join(part for part in (self.analysis, legible, digest) if part)

    @property
    def result(self) -> dict[str, Any]:
        """Result as JSON."""
        if not isinstance(self.found, Neighbors):
            return {"maps": [{"title": title, "values": values.tolist()} for title, values in self.found.maps.items()]}
        triples = zip(self.found.ids, self.found.indices.tolist(), self.found.scores.tolist(), strict=True)
        return {
            "heads": [{"layer": layer, "head": head} for layer, head in self.heads],
            "neighbors": [{"id": name, "index": index, "score": score} for name, index, score in triples],
        }


def answer_path(answer: Answer, run: Path, out: Path | None = None) -> Path:
    """Return where the files of an answer lie, without their suffixes.

    Args:
        answer: what is to be written.
        run: folder of the run; without ``out`` everything goes to its ``analyses/``.
        out: one of the files, whatever its suffix.
    """
    if out is None:
        return run / ANALYSES / answer.name
    return out.with_suffix("") if out.suffix.lower() in _SUFFIXES else out


def write_answer(answer: Answer, base: Path) -> Path:
    """Write an answer as JSON.

    Args:
        answer: what to write.
        base: the file without its suffix.

    Returns:
        The file.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    path = base.with_name(f"{base.name}.json")
    write_json(path, answer_document(answer))
    return path


def answer_document(answer: Answer) -> dict[str, Any]:
    """Return an answer as the JSON that is written: the analysis, the question and the result.

    >>> import torch
    >>> found = Neighbors("colour", ("owl/1.png",), torch.tensor([7]), torch.tensor([0.25]), "dot")
    >>> answer_document(Answer("text-neighbors", {"text": "an owl"}, "", found))["result"]["neighbors"]
    [{'id': 'owl/1.png', 'index': 7, 'score': 0.25}]
    """
    content = {"analysis": answer.analysis, "question": answer.question, "result": answer.result}
    return {"schema_version": SCHEMA_VERSION, **content}
