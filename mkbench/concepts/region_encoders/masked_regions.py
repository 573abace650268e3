"""Masked attention: the embedding of an image of which the model sees the patches of one part alone."""

from mkbench.backbones import Backbone
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.region_encoders.base import EncodedRegions, Regions, require_attention


class MaskedRegions:
    """Parts as images whose other patches no token of any block takes anything from, one forward pass each.

    Patches keep their places, nothing is drawn, and the class token stays. The masking is that of
    :class:`mkbench.concepts.ClusterImportance`, the other way round: there a part is left out, here all but it.

    >>> MaskedRegions().prompts
    ()
    """

    prompts: tuple[str, ...] = ()
    needs_patch_values = False

    def require_backbone(self, backbone: Backbone) -> None:
        """Refuse a model without a class token and plain attention; see :func:`require_attention`."""
        require_attention(backbone, region_encoder="masked")

    def encode(self, regions: Regions, context: GroupContext) -> EncodedRegions:
        """Embed the image of every part with its patches alone.

        Raises:
            ValueError: the context has no backbone.
            BackboneError: the model does not offer it.
        """
        if context.backbone is None:
            raise ValueError("context must have a backbone for region_encoder 'masked', found none")
        self.require_backbone(context.backbone)
        with context.stage("encode"):
            embeddings = context.backbone.embed_masked(context.images[regions.image], ~regions.patches.flatten(1))
        return EncodedRegions(embeddings[:, None])
