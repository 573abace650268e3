"""TEXTSPAN: texts that span what an attention head adds to image embeddings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.concepts.linalg import leading_directions, require_finite, unit_rows

#: Texts with a squared length below this, inside the span that is left, are not picked.
SHORTEST = 1e-12
#: Variances this close to the largest, relative to it and to the largest of the first pick, are ties.
TIE, ROUNDING = 1e-9, 1e-13
#: Most bytes of float64 working memory; heads are taken in chunks that fit.
CHUNK_BYTES = 2**28


@dataclass(frozen=True)
class TextSpan:
    """The texts picked for one head, or for G heads; the leading G is absent for one.

    Attributes:
        indices: (G, num_texts) int64, most telling first; -1 where no text is left.
        explained_variance: (G, num_texts), what share of a head's variance over images each pick takes away, 0 to 1.
        directions: (G, num_texts, d) orthonormal rows: of each text what the texts before it leave; zeros for -1.
        mean: (G, d), the mean contribution.
        contributions: (G, K, d), those that were given.
    """

    indices: Tensor
    explained_variance: Tensor
    directions: Tensor
    mean: Tensor
    contributions: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """Reconstruction of the contributions by their texts, (G, K, d), mean included; computed when asked for."""
        return self.reconstruct(self.contributions)

    def reconstruct(self, contributions: Tensor) -> Tensor:
        """Keep of contributions, also of other images, what lies along the texts.

        Args:
            contributions: (G, K', d), or (K', d) for one head.

        Returns:
            The mean of the fit, and the part of the deviation from it that the texts span; same shape.
        """
        directions, mean = self.directions.to(contributions), self.mean.to(contributions)[..., None, :]
        return mean + (contributions - mean) @ directions.mT @ directions


class _Picks(NamedTuple):
    indices: Tensor  # (g, m)
    removed: Tensor  # (g, m), sum of squares
    directions: Tensor  # (g, m, r)


@torch.no_grad()
def textspan(
    contributions: Tensor,
    text_embeddings: Tensor,
    *,
    num_texts: int,
    basis: Tensor | None = None,
    rank: int | None = None,
) -> TextSpan:
    """Pick texts one after another, each along which a head's contributions vary most, and project them out.

    Texts R are first projected on the span of the head, contributions C are centred. Then, num_texts times:
    j = argmax_j std_i <C_i, R_j>, t = R_j, C -= (C t / |t|^2) t', R -= (R t / |t|^2) t'. Ties go to the lowest index;
    whether the deviation is divided by K or by K - 1 changes no pick. All heads are handled at once, in float64.

    Neither C nor R is rewritten: with S the covariance of C inside the span, u = t / |t| and a = <R_j, u>, a pick
    changes the variance along R_j by -2 a R_j' S u + a^2 u' S u.

    Args:
        contributions: (K, d) of one head for K images, or (G, K, d) of G heads (``HeadContributions.per_head``).
        text_embeddings: (T, d) unit rows in the joint space; taken as they are.
        num_texts: how many texts to pick, at least 1.
        basis: (G, r, d), rows that span what each head can add, whatever the images (``Decomposer.basis``), or (r, d)
            for one head or one span of all. Without it the span is that of the data, as in the published code.
        rank: of the span of the data, how many right singular vectors of the uncentred contributions to keep (80 in
            the published code); by default all.

    Returns:
        ``TextSpan``, in the precision of the contributions.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, or a rank beside a basis.

    Source: Gandelsman, Efros & Steinhardt, ICLR 2024 (arXiv 2310.05916), algorithm 1.

    >>> head = torch.tensor([[2.0, 0.0, 1.0], [-2.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, -1.0, 1.0]])
    >>> span = textspan(head, torch.eye(3), num_texts=2, basis=torch.eye(3)[:2])
    >>> span.indices, span.explained_variance
    (tensor([0, 1]), tensor([0.8000, 0.2000]))
    >>> torch.equal(span.reconstruction, head)
    True
    """
    if contributions.ndim not in {2, 3} or 0 in contributions.shape:
        raise ValueError(
            f"Expected contributions (K, d) or (G, K, d), none of them 0, got {tuple(contributions.shape)}."
        )
    heads = contributions if contributions.ndim == 3 else contributions[None]  # (G, K, d)
    bases = basis.expand(len(heads), *basis.shape) if basis is not None and basis.ndim == 2 else basis
    _check(heads, text_embeddings, bases, num_texts, rank)
    parts = [
        _span_chunk(heads[chunk], text_embeddings.double(), num_texts, None if bases is None else bases[chunk], rank)
        for chunk in _chunks(heads, text_embeddings, bases, rank)
    ]
    indices, explained, directions, mean = (torch.cat(values) for values in zip(*parts, strict=True))
    if contributions.ndim == 2:
        indices, explained, directions, mean = indices[0], explained[0], directions[0], mean[0]
    explained, directions, mean = (values.to(contributions) for values in (explained, directions, mean))
    return TextSpan(indices, explained, directions, mean, contributions)


def _check(heads: Tensor, texts: Tensor, bases: Tensor | None, num_texts: int, rank: int | None) -> None:
    groups, _, width = heads.shape
    if texts.ndim != 2 or not len(texts) or texts.shape[1] != width:
        raise ValueError(f"Expected text embeddings (T, {width}) of at least one text, got {tuple(texts.shape)}.")
    if bases is not None and (bases.ndim != 3 or (bases.shape[0], bases.shape[2]) != (groups, width)):
        raise ValueError(f"Expected a basis (r, {width}) or ({groups}, r, {width}), got {tuple(bases.shape)}.")
    if num_texts < 1:
        raise ValueError(f"Expected at least one text to pick, got num_texts={num_texts}.")
    if rank is not None and (bases is not None or rank < 1):
        raise ValueError(f"Expected a rank of at least 1, and none beside a basis, got {rank}.")
    for name, values in (("contributions", heads), ("text embeddings", texts), ("basis", bases)):
        if values is not None:
            require_finite(values, name=name)


def _chunks(heads: Tensor, texts: Tensor, bases: Tensor | None, rank: int | None) -> Iterator[slice]:
    groups, images, width = heads.shape
    span = min(images, width, rank or width) if bases is None else bases.shape[1]
    needed = 8 * (images * (2 * width + span) + 2 * len(texts) * span + 3 * width * width)
    step = max(1, CHUNK_BYTES // needed)
    return (slice(start, start + step) for start in range(0, groups, step))


def _span_chunk(
    heads: Tensor, texts: Tensor, num_texts: int, bases: Tensor | None, rank: int | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return indices, explained shares, directions and means of some heads (g, K, d)."""
    rows = heads.double()
    span = _data_span(rows, rank) if bases is None else _row_space(bases)  # (g, r, d)
    mean = rows.mean(dim=1)  # (g, d)
    centred = rows - mean[:, None]
    total = _energy(centred)  # (g,)
    # Of a head that adds the same to all images, centring leaves rounding errors.
    total = torch.where(total > _energy(rows) * (max(rows.shape[1:]) * torch.finfo(rows.dtype).eps) ** 2, total, 0)
    scores = centred @ span.mT * (total > 0)[:, None, None]  # (g, K, r)
    coordinates = (span.flatten(0, 1) @ texts.T).view(*span.shape[:2], len(texts))  # (g, r, T)
    picks = _pick(coordinates, scores.mT @ scores, num_texts)
    explained = picks.removed / torch.where(total > 0, total, 1)[:, None]
    return picks.indices, explained, picks.directions @ span, mean


def _energy(rows: Tensor) -> Tensor:
    """Sum the squares of (g, K, d) for each head, (g,); faster than squares that are written down."""
    energy: Tensor = torch.linalg.vector_norm(rows, dim=(1, 2)).square()
    return energy


def _row_space(rows: Tensor) -> Tensor:
    """Orthonormal float64 rows that span rows (g, r, d); zeros where rows depend on others up to their precision."""
    _, strengths, right = torch.linalg.svd(rows.double(), full_matrices=False)
    bound = strengths[:, :1] * max(rows.shape[-2:]) * torch.finfo(rows.dtype).eps
    spanning: Tensor = right * (strengths > bound)[..., None]
    return spanning


def _data_span(rows: Tensor, rank: int | None) -> Tensor:
    return leading_directions(rows, min(rows.shape[-2:]) if rank is None else rank).mT


def _pick(texts: Tensor, scatter: Tensor, num_texts: int) -> _Picks:
    """Pick texts (g, r, T), in coordinates of the span, given the scatter matrix (g, r, r) of the contributions."""
    heads = torch.arange(len(texts), device=texts.device)
    lengths = texts.square().sum(dim=1)  # (g, T), of what is left of the texts
    spread = (scatter @ texts).mul_(texts).sum(dim=1)  # (g, T), squared deviations along what is left of them
    found = texts.new_zeros(len(texts), num_texts, texts.shape[1])  # (g, m, r)
    shadows = texts.new_zeros(len(texts), num_texts, texts.shape[2])  # (g, m, T), of the texts on what was found
    floor = spread.amax(dim=-1, keepdim=True) * ROUNDING
    indices, removed = [], []
    for number in range(num_texts):
        chosen, left = _first_largest(spread.clamp(min=0).masked_fill(lengths < SHORTEST, -1), floor)
        direction = _left_over(texts[heads, :, chosen], found) * left[:, None]  # (g, r)
        towards = (scatter @ direction[..., None]).squeeze(-1)  # (g, r)
        along, cross = (torch.stack([direction, towards], dim=1) @ texts).unbind(dim=1)  # (g, T) each
        cross = cross - ((found @ towards[..., None]).mT @ shadows).squeeze(1)  # of what is left of the texts
        variance = (direction * towards).sum(dim=-1).clamp(min=0)  # (g,)
        spread = spread - 2 * along * cross + along.square() * variance[:, None]
        lengths = lengths - along.square()
        found[:, number], shadows[:, number] = direction, along
        indices.append(torch.where(left, chosen, -1))
        removed.append(variance)
    return _Picks(torch.stack(indices, dim=1), torch.stack(removed, dim=1), found)


def _first_largest(spread: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Find the first index (g,) of the largest entries of (g, T) up to rounding, and whether any entry is left."""
    top = spread.amax(dim=-1, keepdim=True)
    ties = spread >= top - top.abs() * TIE - floor
    return ties.int().argmax(dim=-1), (top >= 0).squeeze(-1)


def _left_over(rows: Tensor, found: Tensor) -> Tensor:
    """Unit rows (g, r) along what orthonormal directions (g, m, r) leave of some rows."""
    for _ in range(2):  # once more, for the rounding errors of nearly dependent texts
        rows = unit_rows(rows - ((found @ rows[..., None]) * found).sum(dim=1))
    return rows
