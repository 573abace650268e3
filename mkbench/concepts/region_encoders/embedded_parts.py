"""Embeddings of all parts of a class group by a region encoder (step 7 of the pipeline)."""

import torch
from torch import Tensor

from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.linalg import require_finite, unit_rows
from mkbench.concepts.region_encoders.base import RegionEncoder, Regions


def embed_parts(
    labels: Tensor, pixels: Tensor, context: GroupContext, encoder: RegionEncoder, *, chunk: int = 96
) -> tuple[Tensor, int]:
    """Embed every part of a class group (step 7).

    Args:
        labels: (B, h, w) int64 part of every patch, -1 on background.
        pixels: (B, L, S, S) bool, the pixels of every part; one without pixels is absent.
        context: the group.
        encoder: what turns a part into embeddings.
        chunk: parts encoded at once; bounds the memory and changes no result.

    Returns:
        (B, L, d) mean of the unit embeddings of a part's views, 0 where it is absent; and the number of rings that
        come from a bounding box.

    Raises:
        ValueError: if the encoder returns embeddings that are not finite.
        BackboneError: if the model does not offer what the encoder reads.
    """
    present = pixels.flatten(2).any(dim=2)
    embeddings = torch.zeros(*present.shape, context.bare_embeddings.shape[1], device=pixels.device)
    boxes = 0
    for places in torch.split(present.nonzero(), chunk):  # (regions, 2): image, part; in order of their images
        image, part = places.unbind(dim=1)
        if not len(image):
            continue
        regions = Regions(image, labels[image] == part[:, None, None], pixels[image, part])
        encoded = encoder.encode(regions, context)
        require_finite(encoded.views, name="embeddings of the regions")
        embeddings[image, part] = unit_rows(encoded.views.float()).mean(dim=1)  # (regions, dim)
        boxes += encoded.contour_fallbacks
    return embeddings, boxes
