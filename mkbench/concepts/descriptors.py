"""Assignment of descriptors: vision concepts of parts and language concepts of classes (steps 8 and 10)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mkbench.concepts.linalg import bank_cosines, bank_pieces, require_finite, unit_rows
from mkbench.concepts.transport import sinkhorn

# Cosines held at once, 256 MB of float64: more than a group of images has with a bank of the usual size.
_COSINES_AT_ONCE = 2**25
LOGIT_SCALE = 2.5  # the paper's factor on every cosine that becomes a score


class Assignment(NamedTuple):
    """Assignment of descriptors to every part, and which rules for special cases applied.

    Attributes:
        ids: (B, L, k) int64 descriptor ids in rank order, -1 where there is none.
        empty_candidates: (B,) bool, no descriptor passed: the union of each part's top k stood in.
        few_candidates: (B,) bool, fewer candidates than k: the parts have fewer descriptors.
        single_part: (B,) bool, transport was asked for but only one part is present: plain top k.
    """

    ids: Tensor
    empty_candidates: Tensor
    few_candidates: Tensor
    single_part: Tensor


class VisionConcepts(NamedTuple):
    """Descriptors of an image, merged over its parts.

    Attributes:
        ids: (B, L * k) int64 without repeats, most important first, padded with -1.
        importance: (B, L * k) float64, 2.5 times the cosine of image and descriptor, padded with 0.
        counts: (B,) int64, how many ids are no padding.
    """

    ids: Tensor
    importance: Tensor
    counts: Tensor


def _top_members(scores: Tensor, count: int) -> Tensor:
    """(..., D) -> (..., D) bool: the `count` highest entries, ties at the border to the lowest ids."""
    count = min(count, scores.shape[-1])
    border = scores.topk(count, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
    above, level = scores > border, scores == border
    missing = count - above.sum(dim=-1, keepdim=True)
    return above | (level & (level.cumsum(dim=-1, dtype=torch.int32) <= missing))


def _candidates(
    logits: Tensor, relevance: Tensor, present: Tensor, *, topk: int, pool: int, margin: float
) -> tuple[Tensor, Tensor]:
    """(B, D) bool candidates, and (B,) bool: the union of the parts' top k had to stand in."""
    absent = ~present[..., None]
    members = (_top_members(logits, pool) | absent).all(dim=1) & present.any(dim=1, keepdim=True)  # (images, bank)
    mean = (relevance * members).sum(dim=1, keepdim=True) / members.sum(dim=1, keepdim=True).clamp(min=1)
    members = members & (relevance > mean - margin)
    empty = present.any(dim=1) & ~members.any(dim=1)
    if bool(empty.any()):
        union = (_top_members(logits[empty], topk) & ~absent[empty]).any(dim=1)
        members[empty] = union
    return members, empty


def _own_top(logits: Tensor, present: Tensor, topk: int) -> Assignment:
    """The best descriptors of every part in the whole bank, whatever the other parts have."""
    parts, bank = logits.shape[1:]
    ids = torch.full((len(logits), parts, topk), -1, dtype=torch.int64, device=logits.device)
    ranked = logits.sort(dim=2, descending=True, stable=True).indices[..., :topk]
    ids[..., : ranked.shape[2]] = torch.where(present[..., None], ranked, -1)
    never = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    return Assignment(ids, never, present.any(dim=1) & (bank < topk), never)


def _compact(members: Tensor) -> tuple[Tensor, Tensor]:
    """(B, D) bool -> ids of the members, ascending, (B, Mmax) int64, and (B, Mmax) bool: which are no padding."""
    counts = members.sum(dim=1)
    slots = torch.arange(int(counts.max()), device=members.device)
    valid = slots < counts[:, None]
    ids = torch.zeros_like(valid, dtype=torch.int64)
    ids[valid] = members.nonzero()[:, 1]
    return ids, valid


def _check_logits(part_logits: Tensor, image_logits: Tensor, present: Tensor, topk: int, pool: int) -> None:
    if part_logits.ndim != 3 or not part_logits.shape[2]:
        raise ValueError(f"part_logits must be (images, parts, bank), found {tuple(part_logits.shape)}")
    images, parts, bank = part_logits.shape
    if image_logits.shape != (images, bank):
        raise ValueError(f"image_logits must be {(images, bank)}, found {tuple(image_logits.shape)}")
    if present.shape != (images, parts) or present.dtype != torch.bool:
        raise ValueError(f"present must be bool {(images, parts)}, found {tuple(present.shape)} {present.dtype}")
    if topk < 1 or pool < 1:
        raise ValueError(f"topk and pool must be at least 1, found {topk} and {pool}")
    require_finite(part_logits, name="part_logits")
    require_finite(image_logits, name="image_logits")


def assign_descriptors_batch(
    part_logits: Tensor,
    image_logits: Tensor,
    present: Tensor,
    *,
    topk: int = 3,
    pool: int = 500,
    margin: float = 0.02,
    transport: bool = True,
    temperature: float = 1.0,
    iterations: int = 1000,
) -> Assignment:
    """Give every part of every image its descriptors.

    Candidates of an image are the descriptors in the top `pool` of every one of its parts, and of these the ones whose
    relevance exceeds the mean relevance of the candidates minus `margin`. If none is left, the union of each part's
    top k stands in, without the relevance rule. With more than one part, the candidates are ranked by the `sinkhorn`
    plan of 2.5 times the logits; otherwise by the logits. Without transport (ablation) the descriptors of a part are
    the top k of its logits in the whole bank: neither pool nor relevance counts. Ties go to the lowest id everywhere.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 3.

    Args:
        part_logits: (B, L, D) cosines of the parts' embeddings and the prompted descriptors; any finite value where a
            part is absent.
        image_logits: (B, D) cosines of the plain images and the bare descriptors, the relevance.
        present: (B, L) bool, which parts exist.
        topk: descriptors k of a part.
        pool: how many of its best descriptors each part proposes; a pool larger than the bank is the bank.
        margin: how far below the mean relevance a candidate may lie.
        transport: share out the candidates by the transport plan, or (ablation) give each part its own top k.
        temperature: temperature of the plan.
        iterations: most rounds of the plan.

    Returns:
        `Assignment`.

    Raises:
        ValueError: if shapes do not fit, a value is not finite, or topk or pool is below 1.

    Example:
        >>> logits = torch.tensor([[[0.9, 0.8, 0.1], [0.8, 0.1, 0.1]]])
        >>> present = torch.ones(1, 2, dtype=torch.bool)
        >>> assign_descriptors_batch(logits, torch.zeros(1, 3), present, topk=1).ids.tolist()
        [[[1], [2]]]
    """
    _check_logits(part_logits, image_logits, present, topk, pool)
    images, parts, _ = part_logits.shape
    ids = torch.full((images, parts, topk), -1, dtype=torch.int64, device=part_logits.device)
    if not images or not parts:
        flags = torch.zeros(images, dtype=torch.bool, device=part_logits.device)
        return Assignment(ids, flags, flags, flags)
    logits, relevance = part_logits.double(), image_logits.double()
    if not transport:
        return _own_top(logits, present, topk)
    members, empty = _candidates(logits, relevance, present, topk=topk, pool=pool, margin=margin)
    chosen, valid = _compact(members)  # (images, candidates)
    scores = logits.gather(2, chosen[:, None].expand(-1, parts, -1))  # (images, parts, candidates)
    single = present.sum(dim=1) == 1
    entries = present[..., None] & valid[:, None]
    plan = sinkhorn(LOGIT_SCALE * scores, temperature=temperature, max_iters=iterations, mask=entries)
    scores = torch.where(single[:, None, None], scores, plan)
    order = scores.masked_fill(~entries, -torch.inf).sort(dim=-1, descending=True, stable=True).indices[..., :topk]
    ranked = chosen[:, None].expand(-1, parts, -1).gather(2, order)
    width = ranked.shape[2]
    ids[..., :width] = torch.where(entries.gather(2, order), ranked, -1)
    few = present.any(dim=1) & (members.sum(dim=1) < topk)
    return Assignment(ids, empty, few, single)


def _rows_at_once(cosines_of_a_row: int) -> int:
    """How many rows (images with their parts, or classes) may have all their cosines in memory."""
    return max(1, _COSINES_AT_ONCE // max(1, cosines_of_a_row))


def assign_to_embeddings(
    part_embeddings: Tensor,
    bank: Tensor,
    image_logits: Tensor,
    present: Tensor,
    *,
    assign: Callable[[Tensor, Tensor, Tensor], Assignment] = assign_descriptors_batch,
) -> Assignment:
    """Give every part its descriptors by its embedding; with a large bank, by a few images at a time.

    Args:
        part_embeddings: (B, L, d) of the parts; any finite value where a part is absent.
        bank: (D, d) unit rows of the prompted descriptors.
        image_logits: (B, D) cosines of the plain images and the bare descriptors, the relevance.
        present: (B, L) bool, which parts exist.
        assign: `assign_descriptors_batch`, maybe with options.

    Returns:
        `Assignment`.

    Raises:
        ValueError: as `assign_descriptors_batch`.

    Example:
        >>> bank, present = torch.eye(2), torch.ones(1, 2, dtype=torch.bool)
        >>> assign_to_embeddings(torch.eye(2)[None], bank, torch.zeros(1, 2), present).ids[..., 0].tolist()
        [[0, 1]]
    """
    images = _rows_at_once(part_embeddings.shape[1] * len(bank))
    rows = zip(*(torch.split(tensor, images) for tensor in (part_embeddings, image_logits, present)), strict=True)
    found = [assign(bank_cosines(embeddings, bank), relevance, there) for embeddings, relevance, there in rows]
    return Assignment(*(torch.cat(some) for some in zip(*found, strict=True)))


def assign_descriptors(
    part_logits: Tensor,
    image_logits: Tensor,
    *,
    topk: int = 3,
    pool: int = 500,
    margin: float = 0.02,
    transport: bool = True,
) -> list[Tensor]:
    """Assign descriptors to the parts of one image; `assign_descriptors_batch` with a single image.

    Args:
        part_logits: (L, D) raw cosines of the parts' embeddings and the prompted descriptors.
        image_logits: (D,) raw cosines of the plain image and the bare descriptors.
        topk: descriptors of a part.
        pool: how many of its best descriptors each part proposes.
        margin: how far below the mean relevance a candidate may lie.
        transport: share out candidates by the transport plan, or give each part its own top k of the bank.

    Returns:
        L tensors of at most topk int64 descriptor ids, in rank order.

    Raises:
        ValueError: as `assign_descriptors_batch`.

    Example:
        >>> logits = torch.tensor([[0.9, 0.8, 0.1], [0.8, 0.1, 0.1]])
        >>> [ids.tolist() for ids in assign_descriptors(logits, torch.zeros(3), topk=2)]
        [[1, 0], [2, 0]]
    """
    if part_logits.ndim != 2 or image_logits.ndim != 1:
        raise ValueError(
            f"part_logits must be (parts, bank) and image_logits (bank,), "
            f"found {tuple(part_logits.shape)} and {tuple(image_logits.shape)}"
        )
    present = torch.ones(1, part_logits.shape[0], dtype=torch.bool, device=part_logits.device)
    assignment = assign_descriptors_batch(
        part_logits[None],
        image_logits[None],
        present,
        topk=topk,
        pool=pool,
        margin=margin,
        transport=transport,
    )
    return [ids[ids >= 0] for ids in assignment.ids[0]]


def merge_descriptors(ids: Tensor, image_logits: Tensor) -> VisionConcepts:
    """Merge the descriptors of an image's parts into its vision concepts.

    Repeats are dropped and the rest sorted by importance = 2.5 * relevance, descending; equals keep the order of their
    first appearance, part by part and rank by rank.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 3.

    Args:
        ids: (B, L, k) int64 descriptor ids, -1 where there is none.
        image_logits: (B, D) relevance: cosines of the plain images and the bare descriptors.

    Returns:
        `VisionConcepts`.

    Raises:
        ValueError: if shapes do not fit or an id lies outside the bank.

    Example:
        >>> merge_descriptors(torch.tensor([[[1, 0], [1, -1]]]), torch.tensor([[0.4, 0.2]])).ids.tolist()
        [[0, 1, -1, -1]]
    """
    if ids.ndim != 3 or image_logits.ndim != 2 or len(ids) != len(image_logits):
        raise ValueError(
            f"ids must be (images, parts, k) and image_logits (images, bank), "
            f"found {tuple(ids.shape)} and {tuple(image_logits.shape)}"
        )
    if ids.numel() and not -1 <= int(ids.min()) <= int(ids.max()) < image_logits.shape[1]:
        raise ValueError(f"ids must lie in -1..{image_logits.shape[1] - 1}, found {int(ids.min())}..{int(ids.max())}")
    flat = ids.flatten(1)  # (images, parts * k)
    repeated = (flat[:, :, None] == flat[:, None, :]).tril(diagonal=-1).any(dim=2)
    kept = (flat >= 0) & ~repeated
    importance = LOGIT_SCALE * image_logits.double().gather(1, flat.clamp(min=0))
    ranked, order = importance.masked_fill(~kept, -torch.inf).sort(dim=1, descending=True, stable=True)
    real = kept.gather(1, order)
    return VisionConcepts(torch.where(real, flat.gather(1, order), -1), torch.where(real, ranked, 0), kept.sum(dim=1))


def language_concepts(class_embeddings: Tensor, bank_embeddings: Tensor, num_concepts: int) -> Tensor:
    """Language concepts: the descriptors whose text embeddings are closest to the embedding of each class.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, section 3.

    Args:
        class_embeddings: (Y, d) embeddings of the classes, normalised inside.
        bank_embeddings: (D, d) embeddings of the descriptors, normalised inside.
        num_concepts: how many descriptors u a class gets; more than the bank holds means all of it.

    Returns:
        (Y, min(u, D)) int64 descriptor ids, by cosine descending, ties by lowest id.

    Raises:
        ValueError: if the embeddings do not fit each other, are not finite, or num_concepts is below 1.

    Example:
        >>> bank = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> language_concepts(torch.tensor([[2.0, 1.0]]), bank, 2).tolist()
        [[2, 0]]
    """
    if class_embeddings.ndim != 2 or class_embeddings.shape[1:] != bank_embeddings.shape[1:]:
        raise ValueError(
            f"embeddings must be (classes, dim) and (bank, dim), "
            f"found {tuple(class_embeddings.shape)} and {tuple(bank_embeddings.shape)}"
        )
    if num_concepts < 1:
        raise ValueError(f"num_concepts must be at least 1, found {num_concepts}")
    require_finite(class_embeddings, name="class_embeddings")
    require_finite(bank_embeddings, name="bank_embeddings")
    wide, first = unit_rows(class_embeddings.double()), 0
    scores, ids = wide.new_empty(len(wide), 0), torch.empty(len(wide), 0, dtype=torch.int64, device=wide.device)
    for some in bank_pieces(bank_embeddings):
        scores, ids = _nearest(wide, unit_rows(some.double()).T, scores, ids, first=first, count=num_concepts)
        first += len(some)
    return ids


def _nearest(
    classes: Tensor, descriptors: Tensor, scores: Tensor, ids: Tensor, *, first: int, count: int
) -> tuple[Tensor, Tensor]:
    """Return scores and ids (Y, u) of the nearest of the earlier ones and of descriptors (d, n), first..first + n."""
    new = torch.arange(first, first + descriptors.shape[1], device=ids.device)
    found = []
    for some, earlier, known in zip(
        *(torch.split(rows, _rows_at_once(len(new))) for rows in (classes, scores, ids)), strict=True
    ):
        values = torch.cat([earlier, some @ descriptors], dim=1)  # (classes, earlier ones and bank)
        # Stable: of equals the earlier one, which has the lower id.
        order = values.sort(dim=1, descending=True, stable=True).indices[:, :count]
        names = torch.cat([known, new.expand(len(some), -1)], dim=1)
        found.append((values.gather(1, order), names.gather(1, order)))
    nearest, owners = zip(*found, strict=True)
    return torch.cat(nearest), torch.cat(owners)
