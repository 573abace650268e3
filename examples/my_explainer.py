"""An explainer of your own: the four quarters of every image, each with the descriptors nearest to it."""

import torch

from mkbench.concepts import GroupContext, GroupExplanation, merge_descriptors, part_masks
from mkbench.concepts.region_encoders import RegionPrompts, embed_parts


class Quarters:
    """Explainer whose parts ask nothing of the model: four quarters of every image, a baseline for any region.

    Args:
        topk: descriptors of a part.
    """

    name = "quarters"  # how results call it; unique in a run

    def __init__(self, topk: int = 3) -> None:
        self.topk = topk
        self.max_concepts = 4 * topk  # most concepts of an image

    def settings(self) -> dict[str, object]:
        """Every choice that changes numbers: runs with other settings do not mix."""
        return {"topk": self.topk}

    def explain(self, context: GroupContext) -> GroupExplanation:
        """Explain all images of a class group."""
        images, height, width = context.foreground_patches.shape
        lower, right = (torch.arange(side) * 2 // side for side in (height, width))
        labels = (2 * lower[:, None] + right).to(context.images.device).expand(images, -1, -1)  # (images, h, w)
        pixels = part_masks(labels, 4, context.images.shape[-1])  # (images, 4, S, S)
        # Circled, greyed and blurred, as the published parts are.
        embeddings, boxes = embed_parts(labels, pixels, context, RegionPrompts())
        similarity = embeddings.double() @ context.prompted_embeddings.double().T  # (images, 4, descriptors)
        ids = similarity.argsort(dim=2, descending=True, stable=True)[..., : self.topk]
        relevance = context.relevance()  # orders the concepts
        return GroupExplanation(
            explainer=self.name,
            part_labels=labels,
            part_pixels=pixels,
            present=torch.ones(images, 4, dtype=torch.bool, device=labels.device),
            part_embeddings=embeddings,
            descriptor_ids=ids,
            vision=merge_descriptors(ids, relevance),
            fallbacks={"contour_box": boxes},
        )
