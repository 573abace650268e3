"""Pooled value features: the mean of a part's patches in the joint space, without any further forward pass."""

from mkbench.backbones import Backbone
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.linalg import unit_rows
from mkbench.concepts.region_encoders.base import EncodedRegions, Regions, require_attention


class PooledRegions:
    """Parts as the mean direction of their patches, which the plain forward pass has already read.

    A patch is what the last attention would give a class token that looks at it alone: its value through the output
    weights, the final norm and the projection, as :meth:`mkbench.backbones.Backbone.value_features` returns it.

    Source of the value features: Zhou, Loy & Dai, "Extract Free Dense Labels from CLIP", ECCV 2022, arXiv 2112.01071.

    >>> PooledRegions().needs_patch_values
    True
    """

    prompts: tuple[str, ...] = ()
    needs_patch_values = True

    def require_backbone(self, backbone: Backbone) -> None:
        """Refuse a model without a class token and plain attention; see :func:`require_attention`."""
        require_attention(backbone, region_encoder="pooled")

    def encode(self, regions: Regions, context: GroupContext) -> EncodedRegions:
        """Pool the unit value features of every part.

        Raises:
            ValueError: the context has no value features.
        """
        if context.patch_values is None:
            raise ValueError("context must have patch_values for region_encoder 'pooled', found none")
        with context.stage("pool"):
            inside = regions.patches.flatten(1).float()[:, None]  # (regions, 1, patches)
            return EncodedRegions(inside @ unit_rows(context.patch_values)[regions.image])  # (regions, 1, dim)
