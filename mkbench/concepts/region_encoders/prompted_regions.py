"""Prompted images of a part, the published region encoder: red ring, ring on grey, ring on blur."""

from collections.abc import Sequence

from mkbench.backbones import Backbone
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.prompts import PROMPTS, compose_prompts, require_prompts
from mkbench.concepts.region_encoders.base import EncodedRegions, Regions


class RegionPrompts:
    """Parts as whole images that point at them, one forward pass for each prompt.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, after Shtedritski et al., ICCV 2023.

    Args:
        prompts: images drawn of every part, out of `ring`, `grey` and `blur`.

    Raises:
        ValueError: if there is no prompt, or an unknown one.

    >>> RegionPrompts(("ring",)).prompts
    ('ring',)
    """

    needs_patch_values = False

    def __init__(self, prompts: Sequence[str] = PROMPTS) -> None:
        require_prompts(prompts)
        self.prompts = tuple(prompts)

    def require_backbone(self, backbone: Backbone) -> None:
        """Any model will do."""

    def encode(self, regions: Regions, context: GroupContext) -> EncodedRegions:
        """Embed every prompt of every part, a view each.

        Raises:
            ValueError: the regions have no rings.
        """
        if regions.rings is None:
            raise ValueError("regions must have rings for prompts, found none")
        first, last = regions.span
        with context.stage("render"):
            rings = regions.rings.result()
            images, index = context.images[first : last + 1], regions.image - first
            prompted = compose_prompts(images, rings, index, prompts=self.prompts)
        with context.stage("encode"):
            encoded = context.encode(prompted.flatten(0, 1))  # (regions * prompts, dim)
        return EncodedRegions(encoded.reshape(len(regions.image), len(self.prompts), -1), rings.contour_fallbacks)
