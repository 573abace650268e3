"""Embeddings of all parts of a class group by a region encoder (step 7 of the pipeline)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.linalg import require_finite, unit_rows
from mkbench.concepts.prompts import draw_rings
from mkbench.concepts.region_encoders.base import RegionEncoder, Regions
from mkbench.concepts.upscale import has_pixels


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
    present = has_pixels(pixels)
    embeddings = torch.zeros(*present.shape, context.bare_embeddings.shape[1], device=pixels.device)
    image, part = present.nonzero().unbind(dim=1)  # (regions,) each, in order of their images
    if not len(image):
        return embeddings, 0
    every = Regions(image, labels[image] == part[:, None, None], pixels[image, part], (0, len(labels) - 1))
    encoded = [encoder.encode(regions, context) for regions in _drawn_ahead(every, encoder, chunk)]
    views = torch.cat([regions.views for regions in encoded]).float()  # (regions, views, dim)
    require_finite(views, name="embeddings of the regions")
    embeddings[image, part] = unit_rows(views).mean(dim=1)
    return embeddings, sum(regions.contour_fallbacks for regions in encoded)


def _drawn_ahead(every: Regions, encoder: RegionEncoder, chunk: int) -> Iterator[Regions]:
    """Split regions into chunks, whose rings a thread draws while those before are encoded."""
    images = every.image.tolist()
    masks = every.pixels.cpu().numpy() if encoder.prompts else None
    with ThreadPoolExecutor(max_workers=1) as pool:
        starts = range(0, len(images), chunk)
        rings = [
            pool.submit(draw_rings, masks[start : start + chunk]) if masks is not None else None for start in starts
        ]
        for start, drawn in zip(starts, rings, strict=True):
            those = slice(start, start + chunk)
            span = images[start], images[those][-1]
            yield Regions(every.image[those], every.patches[those], every.pixels[those], span, drawn)
