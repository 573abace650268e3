"""Planted explanation, the ceiling of a table: the true parts of an image, and all descriptors that are true of it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.concepts.controls import PLANTED
from mkbench.concepts.descriptors import LOGIT_SCALE, VisionConcepts
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.region_encoders import RegionPrompts, embed_parts
from mkbench.concepts.upscale import clear_uncovered, covered_pixels, has_pixels
from mkbench.errors import UsageError


class PlantedParts:
    """What is true of an image, said as an explainer would say it: the best that criteria of truth can give.

    The parts are those of the object of which a descriptor is true and that can be seen, each with its true
    descriptors; the vision concepts are all descriptors that the image shows, those of no part too. Descriptors are in
    the order of the model's relevance, and parts are embedded as those of :class:`PartsExplainer`, so that removal
    curves and importance are the model's own. It names more than other explainers: mutual information, which grows with
    the number of concepts, is not to be compared with theirs.

    Args:
        chunk: parts rendered and encoded at once; bounds the memory and changes no result.

    Raises:
        ValueError: ``chunk`` is below 1.

    Example:
        >>> PlantedParts().name
        'planted'
    """

    name = PLANTED
    needs_ground_truth = True
    #: Most vision concepts of its own; how many it names is the data's choice.
    max_concepts = 0

    def __init__(self, *, chunk: int = 96) -> None:
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, found {chunk}")
        self.chunk = chunk

    def settings(self) -> dict[str, object]:
        """It has no choices; the chunk changes no number."""
        return {}

    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group.

        Args:
            context: the group, with what is known of its images.

        Returns:
            `GroupExplanation`; the parts are those of the data, in its order.

        Raises:
            UsageError: the parts and descriptors of the images are not known.
        """
        if context.truth is None:
            raise UsageError(
                f"Expected images whose parts and visible descriptors are known, for the explainer {self.name!r}, "
                "found others; use Critters, or leave it out of --model.explainers."
            )
        shown, descriptor_parts = context.truth.descriptors, context.truth.descriptor_parts
        grid = context.foreground_patches.shape[1], context.foreground_patches.shape[2]
        with context.stage("partition"):
            masks = clear_uncovered(context.truth.part_masks, grid, context.patch_size)  # (images, parts, S, S)
            numbers = torch.arange(masks.shape[1], device=masks.device)
            true = shown[:, None] & (descriptor_parts == numbers[:, None])  # (images, parts, bank)
            present = has_pixels(masks) & true.any(dim=2)
            pixels = masks & present[..., None, None]
            labels = largest_part(pixels, grid, context.patch_size)
        embeddings, boxes = embed_parts(labels, pixels, context, RegionPrompts(), chunk=self.chunk)
        with context.stage("assign"):
            relevance = context.relevance()  # (images, bank)
            vision = rank_true(relevance, shown)
            of_parts = rank_true(relevance[:, None].expand_as(true), true & present[..., None])
        return GroupExplanation(
            explainer=self.name,
            part_labels=labels,
            part_pixels=pixels,
            present=present,
            part_embeddings=embeddings,
            descriptor_ids=of_parts.ids,
            vision=vision,
            fallbacks={"no_foreground": int((~present.any(dim=1)).sum()), "contour_box": boxes},
        )


def rank_true(relevance: Tensor, true: Tensor) -> VisionConcepts:
    """List the true descriptors, the most relevant first, ties by lowest id.

    Args:
        relevance: (..., D) cosines.
        true: (..., D) bool.

    Returns:
        `VisionConcepts` (..., Q), Q as many as any row has, but at least 1.

    >>> rank_true(torch.tensor([[0.1, 0.3, 0.2]]), torch.tensor([[True, False, True]])).ids.tolist()
    [[2, 0]]
    """
    counts = true.sum(dim=-1)
    width = max(1, int(counts.max())) if counts.numel() else 1
    ranked, ids = relevance.masked_fill(~true, -torch.inf).sort(dim=-1, descending=True, stable=True)
    listed = torch.arange(width, device=ids.device) < counts[..., None]
    return VisionConcepts(
        torch.where(listed, ids[..., :width], -1), torch.where(listed, LOGIT_SCALE * ranked[..., :width], 0.0), counts
    )


def largest_part(pixels: Tensor, grid: tuple[int, int], patch_size: int | None) -> Tensor:
    """Return the part with most pixels in each patch, the first among equals, -1 where none has any.

    Args:
        pixels: (B, P, S, S) bool.
        grid: patches (h, w).
        patch_size: side of a patch; see `covered_pixels`.

    Returns:
        (B, h, w) int64.

    >>> largest_part(torch.tensor([[[[True, True], [False, False]]]]), (2, 1), 1).tolist()
    [[[0], [-1]]]
    """
    if pixels.shape[1] == 0:
        return torch.full((len(pixels), *grid), -1, dtype=torch.int64, device=pixels.device)
    size = pixels.shape[-1]
    sides = [patch_size or size // patches for patches in grid]
    height, width = (covered_pixels(size, patches, patch_size) for patches in grid)
    # The edge of the image may cut off the last patches.
    lacking = [grid[1] * sides[1] - width, grid[0] * sides[0] - height]
    whole = F.pad(pixels[..., :height, :width].float(), (0, lacking[0], 0, lacking[1]))
    most, part = F.avg_pool2d(whole, sides).max(dim=1)  # (images, h, w)
    return torch.where(most > 0, part, -1)
