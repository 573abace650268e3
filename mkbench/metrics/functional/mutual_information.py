"""Mutual information of the vision concepts of an image and the language concepts of a class."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.metrics.functional.estimators import Estimator, check_estimator, curves_from_matches


def sort_by_importance(vision_ids: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Sort padded vision ids by score, descending and stable, padding last.

    Args:
        vision_ids: (B, K) int64, padded with -1 anywhere.
        scores: (B, K) importance of each id.

    Returns:
        (B, K) int64 sorted ids with the padding at the end, and (B,) int64 number of ids per image.

    Raises:
        ValueError: if the shapes differ or are not two-dimensional.

    Example:
        >>> ids, counts = sort_by_importance(torch.tensor([[4, -1, 9]]), torch.tensor([[0.1, 0.9, 0.3]]))
        >>> ids.tolist(), counts.tolist()
        ([[9, 4, -1]], [2])
    """
    if vision_ids.ndim != 2 or vision_ids.shape != scores.shape:
        raise ValueError(
            "vision_ids and scores must both be (images, ids), "
            f"found {tuple(vision_ids.shape)} and {tuple(scores.shape)}"
        )
    ids = vision_ids.gather(1, scores.argsort(dim=1, descending=True, stable=True))
    # A second stable sort moves the padding: a score of -inf could not be told from a padded position.
    padding = ids < 0
    ids = ids.gather(1, padding.byte().argsort(dim=1, stable=True))
    return ids, (~padding).sum(1)


def _distinct_in_bank(ids: Tensor, bank_size: int) -> Tensor:
    """(B, u) -> (B,) number of distinct ids of a row that are bank entries."""
    ordered = ids.sort(dim=1).values
    repeated = F.pad(ordered[:, 1:] == ordered[:, :-1], (min(1, ids.shape[1]), 0))
    return (~repeated & (ordered >= 0) & (ordered < bank_size)).sum(1)


def _presence_matches(vision: Tensor, valid: Tensor, equal: Tensor, bank_size: int) -> tuple[Tensor, Tensor]:
    """What each id adds to the overlap and to the set: only its last copy counts, the entry stays until then."""
    in_bank = valid & (vision >= 0) & (vision < bank_size)
    later_copy = (vision[:, :, None] == vision[:, None, :]).triu(diagonal=1).any(-1)  # (images, ids)
    present = in_bank & ~later_copy
    return equal.any(-1) & present, present


def _ordered_curves(
    vision: Tensor, valid: Tensor, language: Tensor, sizes: Tensor, *, estimator: Estimator, bank_size: int | None
) -> Tensor:
    """Curves of id lists in order of importance; duplicates allowed, invalid positions at the end."""
    check_estimator(estimator, bank_size)
    equal = (vision[:, :, None] == language[:, None, :]) & valid[:, :, None]  # (images, ids, language concepts)
    matches, present = equal.sum(-1), valid
    if bank_size is not None and estimator == "shannon":
        matches, present = _presence_matches(vision, valid, equal, bank_size)
        sizes = _distinct_in_bank(language, bank_size)
    return curves_from_matches(matches, present, valid.sum(1), sizes, estimator=estimator, bank_size=bank_size)


def padded_mutual_information_curves(
    vision_ids: Tensor,
    scores: Tensor,
    language_ids: Tensor,
    *,
    estimator: Estimator = "paper",
    bank_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Mutual information curves of a batch of id lists.

    Args:
        vision_ids: (B, K) int64 vision concepts, padded with -1.
        scores: (B, K) their importance.
        language_ids: (B, u) int64 language concepts of each image's class, padded with -1.
        estimator: ``paper`` (overlap score) or ``shannon``, see :func:`mutual_information`.
        bank_size: descriptors in the bank, needed by ``shannon``.

    Returns:
        (B, K + 1) float64 curves in nats, 0 behind an image's own removals, and (B,) int64 ids per image.

    Raises:
        ValueError: if shapes do not fit or the estimator lacks its bank size.

    Example:
        >>> ids, scores = torch.tensor([[7, 3], [3, -1]]), torch.tensor([[0.2, 0.5], [0.1, 0.0]])
        >>> curves, counts = padded_mutual_information_curves(ids, scores, torch.tensor([[7, 1], [3, 1]]))
        >>> curves.exp().round(decimals=3).tolist(), counts.tolist()
        ([[4.0, 4.0, 1.0], [2.0, 1.0, 1.0]], [2, 1])
    """
    if language_ids.ndim != 2 or len(language_ids) != len(vision_ids):
        raise ValueError(
            f"language_ids must be (images, concepts) for {len(vision_ids)} images, found {tuple(language_ids.shape)}"
        )
    ids, counts = sort_by_importance(vision_ids, scores)
    sizes = (language_ids >= 0).sum(1)
    curves = _ordered_curves(ids, ids >= 0, language_ids, sizes, estimator=estimator, bank_size=bank_size)
    return curves, counts


def as_ids(ids: Tensor | Sequence[int] | Sequence[Sequence[int]], name: str) -> Tensor:
    """Concept ids as an int64 tensor.

    Args:
        ids: integers in a tensor or in lists; an empty list is fine.
        name: what the message calls them.

    Returns:
        int64 tensor of the same shape.

    Raises:
        ValueError: if the ids are not integers.

    Example:
        >>> as_ids([3, 5], "vision_ids")
        tensor([3, 5])
    """
    tensor = torch.as_tensor(ids)
    if tensor.is_floating_point() and tensor.numel():
        raise ValueError(f"{name} must be integers, found {tensor.dtype}")
    return tensor.long()


def _id_list(ids: Tensor | Sequence[int], name: str) -> Tensor:
    tensor = as_ids(ids, name)
    if tensor.ndim != 1:
        raise ValueError(f"{name} must be a flat list, found shape {tuple(tensor.shape)}")
    return tensor


def mutual_information_curve(
    vision_ids: Tensor | Sequence[int],
    scores: Tensor | Sequence[float],
    language_ids: Tensor | Sequence[int],
    *,
    estimator: Estimator = "paper",
    bank_size: int | None = None,
) -> Tensor:
    """Mutual information while the vision concepts of one image are removed, the most important first.

    A removed concept is replaced by one that matches nothing, so N of the list stays; for ``shannon`` it leaves the
    set D_v. The mean of the curve is the image's AUC: it is large when the important concepts are the ones not shared.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        vision_ids: (N,) concept ids of the image.
        scores: (N,) importance of each; equal scores keep the order of the list.
        language_ids: (M,) concept ids of the class.
        estimator: ``paper`` (overlap score) or ``shannon``, see :func:`mutual_information`.
        bank_size: descriptors in the bank, needed by ``shannon``.

    Returns:
        (N + 1,) float64 in nats: entry 0 is the full mutual information, the last entry 0. ``[0.0]`` without ids.

    Raises:
        ValueError: if the lists do not fit each other or the estimator lacks its bank size.

    Example:
        >>> mutual_information_curve([8, 5, 2], [0.1, 0.9, 0.4], [5, 8]).exp().round(decimals=3).tolist()
        [12.0, 6.0, 6.0, 1.0]
    """
    vision = _id_list(vision_ids, "vision_ids")
    language = _id_list(language_ids, "language_ids").to(vision.device)
    importance = torch.as_tensor(scores, device=vision.device)
    if importance.shape != vision.shape:
        raise ValueError(f"expected one score per vision id: {len(vision)} ids, scores {tuple(importance.shape)}")
    ordered = vision[importance.argsort(descending=True, stable=True)][None]  # (1, ids)
    valid = torch.ones_like(ordered, dtype=torch.bool)
    sizes = torch.tensor([len(language)], device=vision.device)
    return _ordered_curves(ordered, valid, language[None], sizes, estimator=estimator, bank_size=bank_size)[0]


def mutual_information(
    vision_ids: Tensor | Sequence[int],
    language_ids: Tensor | Sequence[int],
    *,
    estimator: Estimator = "paper",
    bank_size: int | None = None,
) -> float:
    """Mutual information of the vision concepts D_v of an image and the language concepts D_y of a class.

    With N = |D_v|, M = |D_y| and K = number of pairs (i, j) with equal id (repeated ids count every time):

    * ``paper`` (equation 9 of the appendix): ln N + ln M + ln K if K > 0, else 0. It *adds* the entropy of the
      contingency table, so it is an **overlap score**, not Shannon information: it has no upper bound of its own and
      grows with the length of both lists. All published numbers are on this scale.
    * ``shannon``: mutual information of the two presence variables x = "in D_v", y = "in D_y" over the bank,
      I = sum p(x, y) ln(p(x, y) / (p(x) p(y))), with 0 <= I <= min(H(x), H(y)). Repeats do not count, ids outside
      0..bank_size - 1 are no bank entries.

    Higher means more in common. Both reward overlap that comes for free; :func:`chance_curves` measures that part.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        vision_ids: (N,) concept ids of the image.
        language_ids: (M,) concept ids of the class.
        estimator: ``paper`` or ``shannon``.
        bank_size: descriptors in the bank, needed by ``shannon``.

    Returns:
        Mutual information in nats, 0 if nothing is shared (``paper``).

    Raises:
        ValueError: if an id list is not flat, the estimator is unknown or lacks its bank size.

    Example:
        >>> mutual_information([4, 7, 9], [7, 9, 11, 12])  # ln 3 + ln 4 + ln 2 = ln 24
        3.1780538303479458
        >>> round(mutual_information([0, 1], [0, 1], estimator="shannon", bank_size=4), 4)  # ln 2: x and y are equal
        0.6931
    """
    vision = _id_list(vision_ids, "vision_ids")
    scores = torch.zeros_like(vision)
    return float(mutual_information_curve(vision, scores, language_ids, estimator=estimator, bank_size=bank_size)[0])
