"""Grad-CAM: saliency of the cells of the last feature map for the class score, through captum."""

from typing import Any

import torch
from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.class_score import class_scores, gradients, require_full_precision
from mkbench.errors import UsageError


def import_captum() -> Any:
    """Return captum's attribution methods, which are imported only here: they take a second.

    Raises:
        UsageError: captum is not installed.
    """
    try:
        from captum import attr  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "Expected the library `captum` for Grad-CAM, found none; install it with pip install 'mkbench[saliency]'."
        ) from error
    return attr


class GradCam:
    """Grad-CAM of the class score on the last map that the embedding is computed from.

    With the map A (C, h, w) and the class score s, the cosine of image and class: the weight a_c is the mean over the
    cells of ds / dA_c, and the saliency is sum_c a_c A_c. The published max(0, .) is left to who shows the map: the
    order of the cells that speak against the class is of use to who cuts it. The map is the last stage of a
    convolutional tower, the tokens that enter the last attention of a vision transformer with a class token, and the
    last tokens of other transformers.

    Source: Selvaraju et al., ICCV 2017, arXiv 1610.02391.

    Raises:
        UsageError: if captum is not installed.

    >>> GradCam.name
    'gradcam'
    """

    name = "gradcam"

    def __init__(self) -> None:
        self._layer_grad_cam = import_captum().LayerGradCam

    def settings(self) -> dict[str, object]:
        """Grad-CAM has no choices."""
        return {}

    def saliency_maps(self, backbone: Backbone, images: Tensor, class_embedding: Tensor) -> Tensor:
        """Map what speaks for a class.

        Args:
            backbone: a model with ``embed_through_map``, in fp32.
            images: (B, 3, S, S) uint8 RGB images.
            class_embedding: (B, d) unit rows, the class to explain for each image.

        Returns:
            (B, h, w) fp32, above 0 where a cell speaks for the class, below where it speaks against it.

        Raises:
            BackboneError: if the model does not offer its last map.
            UsageError: if its weights are not in fp32.
        """
        require_full_precision(backbone)
        probe = torch.nn.Identity()  # the layer that captum looks at

        def score(pixels: Tensor, classes: Tensor) -> Tensor:
            # Cut off from what comes before: only the way from the map to the score is derived.
            embedding = backbone.embed_through_map(pixels, lambda spatial: probe(spatial.detach().requires_grad_()))
            return class_scores(embedding, classes)

        with gradients(images, class_embedding) as (pixels, classes):
            layer = self._layer_grad_cam(score, probe)
            explained: Tensor = layer.attribute(pixels, additional_forward_args=(classes,))
        return explained.detach()[:, 0]  # (B, h, w)
