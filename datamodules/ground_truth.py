"""Ground truth of images: boxes, masks of parts, and visible descriptors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageGroundTruth:
    """Ground truth of one image, in its own pixels; None for what is not known.

    Attributes:
        boxes: (G, 4) int64 x0, y0, x1, y1 of the main object, the corner pixels included; G may be 0.
        part_masks: (P, H, W) bool, the visible pixels of each part, empty for one that cannot be seen.
        part_names: P names; the same for all images of a data set.
        descriptors: (D,) bool, which descriptors of the bank the image shows.
        descriptor_parts: (D,) int64, the part that a descriptor speaks of, -1 for none of them; the same for all
            images of a data set.
        class_descriptors: (D,) bool, which descriptors hold for the image's class in whatever scene.
        scene: (3, H, W) uint8, the image without its object.
        factors: F names of what is changed, one thing at a time; the same for all images of a data set.
        changed_images: (F, 3, H, W) uint8, the image with each of these changed.
        changed_pixels: (F, H, W) bool, the pixels that differ; none where the change cannot be seen.
        changed_descriptors: (F, D) bool, which descriptors of the bank each changed image shows.

    Raises:
        ValueError: shapes or types that do not fit each other.

    >>> ImageGroundTruth(boxes=torch.tensor([[2, 1, 3, 1]])).boxes.shape
    torch.Size([1, 4])
    """

    boxes: Tensor | None = None
    part_masks: Tensor | None = None
    part_names: tuple[str, ...] = ()
    descriptors: Tensor | None = None
    descriptor_parts: Tensor | None = None
    class_descriptors: Tensor | None = None
    scene: Tensor | None = None
    factors: tuple[str, ...] = ()
    changed_images: Tensor | None = None
    changed_pixels: Tensor | None = None
    changed_descriptors: Tensor | None = None

    def __post_init__(self) -> None:
        require_shape("boxes", self.boxes, (None, 4), torch.int64)
        require_shape("part_masks", self.part_masks, (len(self.part_names), None, None), torch.bool)
        require_shape("descriptors", self.descriptors, (None,), torch.bool)
        require_shape("descriptor_parts", self.descriptor_parts, (_length(self.descriptors),), torch.int64)
        require_shape("class_descriptors", self.class_descriptors, (_length(self.descriptors),), torch.bool)
        require_shape("scene", self.scene, (3, None, None), torch.uint8)
        require_shape("changed_images", self.changed_images, (len(self.factors), 3, None, None), torch.uint8)
        require_shape("changed_pixels", self.changed_pixels, (len(self.factors), None, None), torch.bool)
        bank = _length(self.descriptors)
        require_shape("changed_descriptors", self.changed_descriptors, (len(self.factors), bank), torch.bool)


@dataclass(frozen=True)
class GroupGroundTruth:
    """Ground truth of the images of a group, in their geometry; None for what is not known.

    Attributes:
        images: B.
        all_boxes: (sum of G_i, 4) int64, the boxes of all images one after another, as in :class:`ImageGroundTruth`.
            One
            tensor: each that a worker process sends takes a file handle.
        box_counts: G_i of each image.
        part_masks: (B, P, S, S) bool.
        part_names: P names.
        descriptors: (B, D) bool.
        descriptor_parts: (D,) int64, the part that a descriptor speaks of, -1 for none of them.
        class_descriptors: (D,) bool, which descriptors hold for the class of the group in whatever scene.
        scene: (B, 3, S, S) uint8, the images without their objects.
        factors: F names of what is changed, one thing at a time.
        changed_images: (B, F, 3, S, S) uint8.
        changed_pixels: (B, F, S, S) bool.
        changed_descriptors: (B, F, D) bool.

    Raises:
        ValueError: shapes or types that do not fit each other.

    >>> ground_truth = GroupGroundTruth(2, all_boxes=torch.tensor([[0, 0, 7, 7]]), box_counts=(0, 1))
    >>> [boxes.tolist() for boxes in ground_truth.boxes]
    [[], [[0, 0, 7, 7]]]
    """

    images: int
    all_boxes: Tensor | None = None
    box_counts: tuple[int, ...] = ()
    part_masks: Tensor | None = None
    part_names: tuple[str, ...] = ()
    descriptors: Tensor | None = None
    descriptor_parts: Tensor | None = None
    class_descriptors: Tensor | None = None
    scene: Tensor | None = None
    factors: tuple[str, ...] = ()
    changed_images: Tensor | None = None
    changed_pixels: Tensor | None = None
    changed_descriptors: Tensor | None = None

    def __post_init__(self) -> None:
        if self.all_boxes is not None and len(self.box_counts) != self.images:
            raise ValueError(f"Expected the number of boxes of {self.images} images, got {len(self.box_counts)}.")
        require_shape("all_boxes", self.all_boxes, (sum(self.box_counts), 4), torch.int64)
        require_shape("part_masks", self.part_masks, (self.images, len(self.part_names), None, None), torch.bool)
        require_shape("descriptors", self.descriptors, (self.images, None), torch.bool)
        bank = None if self.descriptors is None else self.descriptors.shape[1]
        require_shape("descriptor_parts", self.descriptor_parts, (bank,), torch.int64)
        require_shape("class_descriptors", self.class_descriptors, (bank,), torch.bool)
        pairs = (self.images, len(self.factors))
        require_shape("scene", self.scene, (self.images, 3, None, None), torch.uint8)
        require_shape("changed_images", self.changed_images, (*pairs, 3, None, None), torch.uint8)
        require_shape("changed_pixels", self.changed_pixels, (*pairs, None, None), torch.bool)
        require_shape("changed_descriptors", self.changed_descriptors, (*pairs, bank), torch.bool)

    def __len__(self) -> int:
        return self.images

    @property
    def boxes(self) -> list[Tensor] | None:
        """For each image (G_i, 4) int64; None if no boxes are known of this data set."""
        return None if self.all_boxes is None else list(torch.split(self.all_boxes, list(self.box_counts)))

    def map_tensors(self, change: Callable[[Tensor], Tensor]) -> "GroupGroundTruth":
        """Return the ground truth with every tensor changed, such as moved to a device."""
        changed: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else change(value) for name in _TENSORS
        }
        return replace(self, **changed)

    def first(self, images: int) -> "GroupGroundTruth":
        """Return the ground truth of the first images."""
        counts = self.box_counts[:images]
        cut: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else value[:images] for name in _OF_IMAGES
        }
        return replace(
            self,
            images=min(images, self.images),
            all_boxes=None if self.all_boxes is None else self.all_boxes[: sum(counts)],
            box_counts=counts,
            **cut,
        )

    def after(self, factor: int) -> "GroupGroundTruth":
        """Return what is known of the images in which a factor is changed: parts of which nothing is true are gone.

        Args:
            factor: position in ``factors``.

        Raises:
            ValueError: nothing is known of changed images.
        """
        if self.changed_descriptors is None:
            raise ValueError("Expected ground truth of changed images, found none.")
        shown, masks = self.changed_descriptors[:, factor], self.part_masks
        if masks is not None and self.descriptor_parts is not None:
            numbers = torch.arange(masks.shape[1], device=masks.device)
            there = (shown[:, None] & (self.descriptor_parts == numbers[:, None])).any(dim=2)  # (images, parts)
            masks = masks & there[..., None, None]
        return replace(self, descriptors=shown, part_masks=masks)


#: Tensors with a row for each image.
_OF_IMAGES = ("part_masks", "descriptors", "scene", "changed_images", "changed_pixels", "changed_descriptors")
_TENSORS = ("all_boxes", "descriptor_parts", "class_descriptors", *_OF_IMAGES)


def _length(values: Tensor | None) -> int | None:
    return None if values is None else len(values)


def require_shape(name: str, value: Tensor | None, shape: tuple[int | None, ...], dtype: torch.dtype) -> None:
    """Check the shape and type of a tensor, if there is one; None in a shape stands for any length.

    Raises:
        ValueError: they do not fit.

    >>> require_shape("boxes", torch.zeros(3, 4), (None, 4), torch.float32)
    """
    if value is None:
        return
    fits = value.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, value.shape, strict=True))
    if not fits or value.dtype != dtype:
        wanted = tuple("any" if want is None else want for want in shape)
        raise ValueError(f"Expected {name} {wanted} {dtype}, got {tuple(value.shape)} {value.dtype}.")


class GroundTruthSource(Protocol):
    """Source of images with ground truth."""

    def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth | None:
        """Return what is known of an image, in the pixels that ``read`` gives; None for nothing."""


GroundTruthReader = Callable[[int, str], ImageGroundTruth | None]


def ground_truth_reader(source: object) -> GroundTruthReader | None:
    """Return the ground-truth reader of a source; None if it is no :class:`GroundTruthSource`.

    >>> ground_truth_reader("a source without ground truth") is None
    True
    """
    reader: GroundTruthReader | None = getattr(source, "ground_truth", None)
    return reader


def stack_ground_truth(images: Sequence[ImageGroundTruth | None]) -> GroupGroundTruth | None:
    """Collect what is known of the images of a group; None if nothing is.

    Args:
        images: of each image, in the model's geometry. Where some have no boxes, they have 0; parts and descriptors
            must be known of all images or of none.

    Raises:
        ValueError: images of which different things are known.

    >>> stack_ground_truth([None, ImageGroundTruth(boxes=torch.tensor([[0, 0, 7, 7]]))]).box_counts
    (0, 1)
    """
    if all(ground_truth is None for ground_truth in images):
        return None
    known = [ground_truth or ImageGroundTruth() for ground_truth in images]
    kinds = {(one.part_names, one.factors, *(getattr(one, name) is None for name in _OF_IMAGES)) for one in known}
    if len(kinds) > 1:
        raise ValueError(f"Expected the same parts, and descriptors or none, of all images of a group, got {kinds}.")
    boxed = any(one.boxes is not None for one in known)
    boxes = [torch.empty(0, 4, dtype=torch.int64) if one.boxes is None else one.boxes for one in known]
    return GroupGroundTruth(
        len(known),
        all_boxes=torch.cat(boxes) if boxed else None,
        box_counts=tuple(map(len, boxes)) if boxed else (),
        part_names=known[0].part_names,
        factors=known[0].factors,
        descriptor_parts=known[0].descriptor_parts,
        class_descriptors=known[0].class_descriptors,
        **{name: _stack([getattr(one, name) for one in known]) for name in _OF_IMAGES},
    )


def _stack(values: Sequence[Tensor | None]) -> Tensor | None:
    there = [value for value in values if value is not None]
    return torch.stack(there) if there else None
