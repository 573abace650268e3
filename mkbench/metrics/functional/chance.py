"""Chance level of mutual information: vision concepts against the language concepts of other classes."""

import torch
from torch import Tensor

from mkbench.metrics.functional.estimators import Estimator, mutual_information_curves

_VALUES_PER_CHUNK = 2**21  # 16 MB per float64 temporary


def membership(language_ids: Tensor, bank_size: int) -> Tensor:
    """Turn the language concepts of every class into a look-up table.

    Args:
        language_ids: (Y, u) int64 concept ids of each class; ids outside the bank (padding) belong to no class.
        bank_size: D, descriptors in the bank.

    Returns:
        (Y, D) bool: is the descriptor a language concept of the class?

    Raises:
        ValueError: if ``language_ids`` is not two-dimensional.

    Example:
        >>> membership(torch.tensor([[0, 2], [1, -1]]), 3).int().tolist()
        [[1, 0, 1], [0, 1, 0]]
    """
    if language_ids.ndim != 2:
        raise ValueError(f"language_ids must be (classes, concepts), found {tuple(language_ids.shape)}")
    inside = (language_ids >= 0) & (language_ids < bank_size)
    table = torch.zeros(len(language_ids), bank_size + 1, dtype=torch.bool, device=language_ids.device)
    # The extra last column takes the ids outside the bank and is cut off.
    table.scatter_(1, torch.where(inside, language_ids, bank_size), True)
    return table[:, :bank_size].contiguous()


class Membership:
    """Look-up table of the language concepts of every class, of which only the rows asked for are built.

    All of them, (classes, bank), are too many where there are ten thousand classes and a large bank.

    Args:
        language_ids: (Y, u) int64 distinct concept ids of each class, as :func:`membership` takes them.
        bank_size: D, descriptors in the bank.

    Example:
        >>> table = Membership(torch.tensor([[0, 2], [1, -1]]), 3)
        >>> table.shape, table[torch.tensor([1])].int().tolist()
        ((2, 3), [[0, 1, 0]])
        >>> table.shared(torch.tensor([[True, True, True], [False, True, True]])).tolist()
        [[2, 1], [1, 1]]
    """

    def __init__(self, language_ids: Tensor, bank_size: int) -> None:
        self.language_ids, self.bank_size = language_ids, bank_size

    @property
    def shape(self) -> tuple[int, int]:
        """Classes and descriptors."""
        return len(self.language_ids), self.bank_size

    def __len__(self) -> int:
        """Count the classes."""
        return len(self.language_ids)

    def __getitem__(self, classes: Tensor | slice) -> Tensor:
        """Return the rows of some classes, (n, D) bool."""
        return membership(self.language_ids[classes], self.bank_size)

    def shared(self, sets: Tensor) -> Tensor:
        """Count the language concepts of every class that are in each of n sets: (n, D) bool -> (Y, n) int64."""
        inside = (self.language_ids >= 0) & (self.language_ids < self.bank_size)
        ids = torch.where(inside, self.language_ids, 0)
        chunk = max(1, _VALUES_PER_CHUNK // max(1, ids.numel()))
        return torch.cat([(part[:, ids] & inside).sum(dim=2) for part in torch.split(sets, chunk)]).T


def shared_concepts(member: Tensor | Membership, sets: Tensor) -> Tensor:
    """Count the language concepts of every class that are in each of n sets.

    Args:
        member: (Y, D) bool from :func:`membership`, or a :class:`Membership`.
        sets: (n, D) bool.

    Returns:
        (Y, n) int64.

    Example:
        >>> shared_concepts(torch.tensor([[True, False, True]]), torch.tensor([[True, True, True]]))
        tensor([[2]])
    """
    if isinstance(member, Membership):
        return member.shared(sets)
    return (member.float() @ sets.float().T).long()  # sums of ones are exact


def _drawn_classes(num_classes: int, max_classes: int, seed: int) -> Tensor:
    """One class more than is averaged, in a drawn order: there are enough others even for the drawn classes' images."""
    if num_classes <= max_classes + 1:
        return torch.arange(num_classes)
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(num_classes, generator=generator)[: max_classes + 1]


def _other_classes(drawn: Tensor, conditioning: Tensor) -> Tensor:
    """(B, drawn) bool: the classes an image is compared with, never its own."""
    others = drawn[None] != conditioning[:, None]
    # Images whose class was not drawn leave out the last one, so that every image sees the same number.
    others[others.all(dim=1), -1] = False
    return others


def chance_curves(
    vision_ids: Tensor,
    counts: Tensor,
    member: Tensor | Membership,
    conditioning: Tensor,
    *,
    num_language: int,
    estimator: Estimator = "paper",
    bank_size: int | None = None,
    max_classes: int = 200,
    seed: int = 0,
) -> Tensor:
    """Mean mutual information curve of each image against the language concepts of *other* classes.

    Both estimators reward overlap that any class would give; this is that part, and curve - chance is the excess. With
    at most ``max_classes`` other classes all of them are averaged. With more, ``max_classes + 1`` classes are drawn
    by ``seed`` alone and each image uses the first ``max_classes`` of them that are not its own, so an image's value
    does not depend on the images around it. With one class there is no other class, and no chance level.

    Args:
        vision_ids: (B, K) int64 distinct vision concepts, most important first, padded with -1.
        counts: (B,) int64 ids per image.
        member: (Y, D) bool from :func:`membership`, or a :class:`Membership`.
        conditioning: (B,) int64 class each image is explained with; it is never compared with that one.
        num_language: u, language concepts per class.
        estimator: ``paper`` or ``shannon``, see :func:`mutual_information`.
        bank_size: descriptors in the bank, needed by ``shannon``.
        max_classes: most classes to average over.
        seed: which classes are drawn.

    Returns:
        (B, K + 1) float64 in nats; 0 from entry ``counts`` on. NaN with one class.

    Raises:
        ValueError: if shapes do not fit, or a conditioning class or vision id lies outside the table.

    Example:
        >>> member = membership(torch.tensor([[0, 1], [0, 2], [3, 4]]), 5)
        >>> ids, counts, own = torch.tensor([[0, 1]]), torch.tensor([2]), torch.tensor([0])
        >>> chance = chance_curves(ids, counts, member, own, num_language=2)
        >>> bool((chance[0, 0] * 2).exp().round(decimals=6) == 4)  # ln 4 with class 1, 0 with class 2
        True
    """
    _check_chance_input(vision_ids, counts, member, conditioning)
    if max_classes < 1:
        raise ValueError(f"max_classes must be at least 1, found {max_classes}")
    drawn = _drawn_classes(len(member), max_classes, seed).to(vision_ids.device)
    table = member[drawn]  # (drawn, bank)
    chunk = max(1, _VALUES_PER_CHUNK // (max(1, len(drawn)) * (vision_ids.shape[1] + 1)))
    means = []
    for start in range(0, max(1, len(vision_ids)), chunk):
        part = slice(start, start + chunk)
        hits = table[:, vision_ids[part].clamp(min=0)].transpose(0, 1)  # (images, drawn, ids)
        curves = mutual_information_curves(
            hits, counts[part, None], num_language, estimator=estimator, bank_size=bank_size
        )  # (images, drawn, ids + 1)
        others = _other_classes(drawn, conditioning[part])[..., None]
        means.append((curves * others).sum(1) / others.sum(1))  # 0 / 0 without another class
    return torch.cat(means)


def _check_chance_input(vision_ids: Tensor, counts: Tensor, member: Tensor | Membership, conditioning: Tensor) -> None:
    if vision_ids.ndim != 2 or counts.shape != conditioning.shape or counts.shape != vision_ids.shape[:1]:
        raise ValueError(
            "expected vision_ids (images, ids), counts (images,) and conditioning (images,), found "
            f"{tuple(vision_ids.shape)}, {tuple(counts.shape)} and {tuple(conditioning.shape)}"
        )
    classes, bank_size = member.shape
    if conditioning.numel() and not 0 <= int(conditioning.min()) <= int(conditioning.max()) < classes:
        raise ValueError(f"conditioning must hold classes of the membership table, 0..{classes - 1}")
    if vision_ids.numel() and int(vision_ids.max()) >= bank_size:
        raise ValueError(f"vision_ids must be entries of the membership table's bank, 0..{bank_size - 1}")
