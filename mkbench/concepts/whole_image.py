"""A control without parts: the descriptors nearest to the whole image."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mkbench.concepts.controls import WHOLE_IMAGE
from mkbench.concepts.descriptors import LOGIT_SCALE, VisionConcepts
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.group_context import GroupContext
from mkbench.errors import UsageError


class WholeImage:
    """The descriptors nearest to the whole image, as many as another explainer found in it.

    The image embedding is there before any explainer, so this control needs no forward pass, no foreground and no
    transport. What an explainer gains over it is what its parts are worth: a metric that is as high without parts does
    not speak for them. Importance is 2.5 times the cosine of image and bare descriptor, as for parts.

    Args:
        of: name of the compared explainer, which the run must have too.

    Raises:
        UsageError: it is to be compared with itself.

    Example:
        >>> WholeImage().name
        'whole-image'
    """

    name = WHOLE_IMAGE
    #: Most vision concepts of its own; how many it names is the compared explainer's choice.
    max_concepts = 0

    def __init__(self, of: str = "pca") -> None:
        if of == self.name:
            raise UsageError(f"Expected another explainer to compare {self.name!r} with, found itself; change `of`.")
        self.of = of

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers."""
        return {"of": self.of}

    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group.

        Args:
            context: the group, with the explanations of the compared explainer.

        Returns:
            `GroupExplanation` without parts; an image in which the compared explainer found nothing has no concepts.

        Raises:
            UsageError: the run does not have the compared explainer.
        """
        if self.of not in context.explanations:
            found = ", ".join(context.explanations) or "none"
            raise UsageError(
                f"Expected {self.of!r}, which {self.name!r} is compared with, in --model.explainers, found {found}; "
                "add it, or set `of` to one of them."
            )
        with context.stage("assign"):
            vision = nearest_descriptors(context, context.explanations[self.of].vision)
        return without_parts(self.name, context, vision, {})


def without_parts(
    explainer: str, context: GroupContext, vision: VisionConcepts, fallbacks: dict[str, int]
) -> GroupExplanation:
    """Return an explanation that names descriptors of the images of a group and no part of them.

    Args:
        explainer: its name.
        context: the group of B images.
        vision: (B, Q) concepts.
        fallbacks: see `GroupExplanation`.
    """
    images, size = len(context.images), context.images.shape[-1]
    device, dim = context.images.device, context.image_embedding.shape[1]
    return GroupExplanation(
        explainer=explainer,
        part_labels=torch.full_like(context.foreground_patches, -1, dtype=torch.int64),
        part_pixels=torch.zeros(images, 0, size, size, dtype=torch.bool, device=device),
        present=torch.zeros(images, 0, dtype=torch.bool, device=device),
        part_embeddings=torch.zeros(images, 0, dim, device=device),
        descriptor_ids=torch.full((images, 0, 1), -1, device=device),
        vision=vision,
        fallbacks=fallbacks,
    )


def nearest_descriptors(context: GroupContext, compared: VisionConcepts) -> VisionConcepts:
    """Return the descriptors nearest to every image, as many as `compared` has, ties by lowest id.

    Args:
        context: B images and the bank of D descriptors.
        compared: (B, Q) concepts of another explainer, at most D of an image.

    Returns:
        `VisionConcepts`, (B, Q).
    """
    relevance = context.relevance()  # (images, bank)
    width = compared.ids.shape[1]
    ranked, ids = (_fit_width(values, width) for values in relevance.sort(dim=1, descending=True, stable=True))
    listed = torch.arange(width, device=ids.device) < compared.counts[:, None]  # (images, Q)
    return VisionConcepts(
        torch.where(listed, ids, -1), torch.where(listed, LOGIT_SCALE * ranked, 0.0), compared.counts.clone()
    )


def heaviest_descriptors(weights: Tensor, num_concepts: int) -> VisionConcepts:
    """Return the descriptors with a weight, heaviest first, ties by lowest id.

    Args:
        weights: (B, D), from 0 on.
        num_concepts: most descriptors Q of an image.

    >>> heaviest_descriptors(torch.tensor([[0.0, 0.2, 0.5]]), 4).ids.tolist()
    [[2, 1, -1, -1]]
    """
    ranked, ids = (rows[:, :num_concepts] for rows in weights.sort(dim=1, descending=True, stable=True))
    ranked, ids = (F.pad(rows, (0, num_concepts - rows.shape[1])) for rows in (ranked, ids))
    listed = ranked > 0
    return VisionConcepts(torch.where(listed, ids, -1), ranked, listed.sum(dim=1))


def _fit_width(rows: Tensor, width: int) -> Tensor:
    """Cut or pad (B, D) to (B, width)."""
    return F.pad(rows[:, :width], (0, max(0, width - rows.shape[1])))
