"""Inputs of an explainer: a class group as the encoders and the foreground see it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from mkbench.backbones import Backbone
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.foreground import Stage, no_stage
from mkbench.concepts.linalg import bank_cosines
from mkbench.concepts.refine import Refinement


class KnownTruth(NamedTuple):
    """What is known of the B images of a class group, for explainers that are given the truth.

    Attributes:
        part_masks: (B, P, S, S) bool, the visible pixels of each part of the object.
        descriptors: (B, D) bool, which descriptors of the bank each image shows.
        descriptor_parts: (D,) int64, the part that a descriptor speaks of, -1 for none of them.
    """

    part_masks: Tensor
    descriptors: Tensor
    descriptor_parts: Tensor


@dataclass(frozen=True)
class GroupContext:
    """Inputs of an explainer: the images of one class group and the bank, on one device.

    Attributes:
        images: (B, 3, S, S) uint8 RGB images.
        features: (B, N, C) patch features, N = h * w.
        image_embedding: (B, d) unit rows.
        bare_embeddings: (D, d) unit rows of the bare descriptors; the relevance of a descriptor comes from them.
        prompted_embeddings: (D, d) unit rows of the descriptors in their prompt; parts are compared with them.
        foreground_patches: (B, h, w) bool.
        foreground_pixels: (B, S, S) bool.
        seed: seed of this group.
        encode: uint8 pixels (n, 3, S, S) -> (n, d) embeddings, not normalised; runs the encoder in its own chunks.
        stage: hook around the stages of an explainer, for timing.
        backbone: the model, for explainers that look into it.
        class_embedding: (B, d) unit rows of the predicted classes, for explainers of a prediction.
        classes: (Y, d) unit rows of all classes, for explainers that compare the predicted class with the others.
        mean_embedding: (d,) mean of the unit embeddings of all images of the run, for explainers whose attribute
            ``needs_mean_embedding`` is True.
        patch_values: (B, N, d) ``Backbone.value_features``, for explainers whose ``needs_patch_values`` is True.
        truth: what is known of the images, for explainers whose ``needs_ground_truth`` is True; None where it is not.
        refine: how the pixels of the foreground were refined.
        explanations: explainer name -> its explanation of this group, for explainers that are compared with another.

    Raises:
        ValueError: at construction, if a shape does not fit the others.
    """

    images: Tensor
    features: Tensor
    image_embedding: Tensor
    bare_embeddings: Tensor
    prompted_embeddings: Tensor
    foreground_patches: Tensor
    foreground_pixels: Tensor
    seed: int
    encode: Callable[[Tensor], Tensor]
    stage: Stage = no_stage
    backbone: Backbone | None = None
    class_embedding: Tensor | None = None
    classes: Tensor | None = None
    mean_embedding: Tensor | None = None
    patch_values: Tensor | None = None
    truth: KnownTruth | None = None
    refine: Refinement = "none"
    explanations: Mapping[str, GroupExplanation] = field(default_factory=dict)
    # The embeddings and their cosines, for all copies: each explainer sees one of its own, and none may be tied to it.
    _relevance: list[Tensor] = field(default_factory=list, repr=False, compare=False)

    @property
    def patch_size(self) -> int | None:
        """Side of a patch, in pixels; None without a backbone, of which see `covered_pixels`."""
        return None if self.backbone is None else self.backbone.patch_size

    def relevance(self) -> Tensor:
        """Return the cosines of images and bare descriptors, (B, D) float64: how relevant each descriptor is.

        They are computed once for all explainers of a group: change a copy.
        """
        given = [self.image_embedding, self.bare_embeddings]
        if [id(tensor) for tensor in self._relevance[:2]] != [id(tensor) for tensor in given]:
            self._relevance[:] = [*given, bank_cosines(*given)]
        return self._relevance[2]

    def __post_init__(self) -> None:
        images, size = self.images.shape[0], self.images.shape[-1]
        bank, dim = self.bare_embeddings.shape
        patches = self.foreground_patches.shape
        wanted = {
            "images": (images, 3, size, size),
            "features": (images, patches[-2] * patches[-1], self.features.shape[-1]),
            "image_embedding": (images, dim),
            "prompted_embeddings": (bank, dim),
            "foreground_patches": (images, *patches[-2:]),
            "foreground_pixels": (images, size, size),
        }
        if self.class_embedding is not None:
            wanted["class_embedding"] = (images, dim)
        for name, shape in wanted.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"{name} must have shape {shape} to fit the rest of the group, found {found}")
