"""Region encoder interface, and what it is given and returns."""

from concurrent.futures import Future
from typing import NamedTuple, Protocol

from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.group_context import GroupContext
from mkbench.concepts.prompts import Rings
from mkbench.errors import BackboneError


class Regions(NamedTuple):
    """P parts of the images of a class group, none of them empty.

    Attributes:
        image: (P,) int64, the image of every part, in rising order.
        patches: (P, h, w) bool, its patches.
        pixels: (P, S, S) bool, its pixels, refined as the run asks for.
        span: first and last of these images, so that nobody must read them from a device.
        rings: what is drawn around the parts meanwhile; None for an encoder without prompts.
    """

    image: Tensor
    patches: Tensor
    pixels: Tensor
    span: tuple[int, int]
    rings: Future[Rings] | None = None


class EncodedRegions(NamedTuple):
    """Embeddings of P parts.

    Attributes:
        views: (P, V, d), the embeddings of the V views of each part, not normalised.
        contour_fallbacks: how many rings come from a bounding box.
    """

    views: Tensor
    contour_fallbacks: int = 0


class RegionEncoder(Protocol):
    """Region encoder interface: parts of images to embeddings in the joint space.

    Attributes:
        prompts: images drawn of every part, out of ``ring``, ``grey`` and ``blur``; none where none is drawn.
        needs_patch_values: whether the context must have ``patch_values``.
    """

    prompts: tuple[str, ...]
    needs_patch_values: bool

    def require_backbone(self, backbone: Backbone) -> None:
        """Check that a model offers what the encoder reads.

        Raises:
            BackboneError: it does not.
        """
        ...

    def encode(self, regions: Regions, context: GroupContext) -> EncodedRegions:
        """Embed parts of a class group, each in one or more views."""
        ...


def require_attention(backbone: Backbone, *, region_encoder: str) -> None:
    """Refuse a model without a class token and plain attention.

    Args:
        backbone: the model.
        region_encoder: name of what needs them.

    Raises:
        BackboneError: its ``capabilities`` have no ``"heads"``.

    >>> from mkbench.backbones import load_backbone
    >>> require_attention(load_backbone("critters-vit-s"), region_encoder="masked")
    """
    if "heads" not in backbone.capabilities:
        raise BackboneError(
            f"Expected a vision transformer with a class token and plain attention for region_encoder "
            f"{region_encoder!r}, found {backbone.name}; choose such a model, or one of the region encoders prompts, "
            "ring and crop."
        )
