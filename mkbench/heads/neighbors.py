"""Exact nearest-neighbor search among rows, in chunks, and its result."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from mkbench.concepts.linalg import require_finite, unit_rows

#: ``dot``: as published; ``cosine``: both of length 1; ``centred``: without the mean of what is searched in.
Similarity = Literal["dot", "cosine", "centred"]
_CHUNK = 8192


def check_similarity(similarity: Similarity) -> None:
    """Check the name of a similarity.

    Raises:
        ValueError: for another name.

    >>> check_similarity("dot")
    """
    if similarity not in get_args(Similarity):
        raise ValueError(f"Expected a similarity of {get_args(Similarity)}, got {similarity!r}.")


def nearest_rows(
    query: Tensor,
    rows: Tensor,
    *,
    top: int,
    similarity: Similarity = "dot",
    centre_query: bool = True,
    skip: int | None = None,
    chunk: int = _CHUNK,
) -> tuple[Tensor, Tensor]:
    """Find the rows that are most similar to each query, by comparing with all of them.

    Products are taken in float64 and rounded to float32, so that equal rows have equal scores; the lower index wins.

    Args:
        query: (Q, d) or (d,).
        rows: (n, d).
        top: how many to find; fewer are returned where there are fewer.
        similarity: ``dot``, ``cosine``, or ``centred``: the cosine after the mean of all rows is taken away.
        centre_query: whether ``centred`` takes the mean away from the query as well; not for a text, which the mean
            image is no part of.
        skip: a row that is left out.
        chunk: most rows in float64 at once.

    Returns:
        Indices int64 and scores float32, each (Q, top) or (top,), best first.

    Raises:
        ValueError: for another similarity, shapes that do not fit, values that are not finite, or a number below 1.

    >>> rows = torch.tensor([[1.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    >>> nearest_rows(torch.tensor([1.0, 0.0]), rows, top=2)
    (tensor([1, 0]), tensor([3., 1.]))
    >>> nearest_rows(torch.tensor([1.0, 0.0]), rows, top=2, similarity="cosine", skip=0)
    (tensor([2, 1]), tensor([1.0000, 0.6000]))
    """
    check_similarity(similarity)
    if query.ndim not in {1, 2} or rows.ndim != 2 or query.shape[-1] != rows.shape[1]:
        raise ValueError(f"Expected queries (Q, d) and rows (n, d), got {tuple(query.shape)} and {tuple(rows.shape)}.")
    if top < 1 or chunk < 1:
        raise ValueError(f"Expected at least 1 neighbor and 1 row a chunk, got {top} and {chunk}.")
    require_finite(query, name="the query")
    mean = rows.mean(dim=0, dtype=torch.float64) if similarity == "centred" and len(rows) else None
    asked = _prepare(query.reshape(-1, query.shape[-1]), mean if centre_query else None, similarity)  # (Q, d)
    scores = asked.new_empty(len(asked), 0, dtype=torch.float32)
    indices = torch.empty(len(asked), 0, dtype=torch.int64, device=asked.device)
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        require_finite(part, name="the rows")
        found = (asked @ _prepare(part, mean, similarity).T).float()  # (Q, chunk)
        places = torch.arange(start, start + len(part), device=rows.device).expand(len(asked), -1)
        if skip is not None:
            kept = places[0] != skip
            found, places = found[:, kept], places[:, kept]
        # What was found before has lower indices and stands first, so a stable sort breaks ties by index.
        joined, all_places = torch.cat([scores, found], dim=1), torch.cat([indices, places], dim=1)
        order = joined.argsort(dim=1, descending=True, stable=True)[:, :top]
        scores, indices = joined.gather(1, order), all_places.gather(1, order)
    return (indices, scores) if query.ndim == 2 else (indices[0], scores[0])


def _prepare(rows: Tensor, mean: Tensor | None, similarity: Similarity) -> Tensor:
    values = rows.double() if mean is None else rows.double() - mean
    return values if similarity == "dot" else unit_rows(values)


@dataclass(frozen=True)
class Neighbors:
    """Nearest images of a bank to a query, best first.

    Attributes:
        title: what was asked for.
        ids: names of the images.
        indices: (top,) int64, their places in the bank.
        scores: (top,) float32.
        similarity: what the scores are.
        query_id: name of the image that was asked with; None for a text or an image without a name.
    """

    title: str
    ids: tuple[str, ...]
    indices: Tensor
    scores: Tensor
    similarity: Similarity
    query_id: str | None = None
