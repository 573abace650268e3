"""Resizing of ground truth, boxes and masks, along with the image."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mkbench.backbones import Geometry
from mkbench.datamodules.ground_truth import ImageGroundTruth, require_shape
from mkbench.datamodules.resizing import Resize, resize_image, source_pixels
from mkbench.errors import DataError


def fit_ground_truth(
    ground_truth: ImageGroundTruth, shape: tuple[int, int], geometry: Geometry, resize: Resize, *, sample_id: str
) -> ImageGroundTruth:
    """Bring what is known of an image to where :func:`resize_image` brings its pixels.

    Pixels of parts go by the nearest pixel, boxes by their corners. A box that is cropped away is dropped, one that is
    cropped keeps what is left of it, and at least a pixel.

    Args:
        ground_truth: in the pixels of the image.
        shape: height H and width W of the image.
        geometry: the model's geometry.
        resize: as for :func:`resize_image`.
        sample_id: what to call the image in a message.

    Raises:
        DataError: a box that has no pixels, or leaves the image.
        ValueError: masks of another size than the image.

    >>> geometry = Geometry(size=4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> ground_truth = ImageGroundTruth(boxes=torch.tensor([[0, 0, 3, 1], [7, 0, 7, 3]]))
    >>> fit_ground_truth(ground_truth, (4, 8), geometry, "squash", sample_id="owl/1.png").boxes.tolist()
    [[0, 0, 1, 1], [3, 0, 3, 3]]
    >>> fit_ground_truth(ground_truth, (4, 8), geometry, "model", sample_id="owl/1.png").boxes.tolist()
    [[0, 0, 1, 1]]
    """
    rows, columns = source_pixels(shape, geometry, resize)
    boxes = ground_truth.boxes
    if boxes is not None:
        _require_inside(boxes, shape, sample_id)
        boxes = _move_boxes(boxes, rows, columns)
    known = {
        name: value for name in ("part_masks", "changed_pixels") if (value := getattr(ground_truth, name)) is not None
    }
    masks: dict[str, Any] = {name: _move_masks(name, value, shape, rows, columns) for name, value in known.items()}
    scene, changed = ground_truth.scene, ground_truth.changed_images
    if scene is not None:
        scene = resize_image(scene, geometry, resize)
    if changed is not None:
        changed = torch.stack([resize_image(image, geometry, resize) for image in changed])
    return replace(ground_truth, boxes=boxes, scene=scene, changed_images=changed, **masks)


def _move_masks(name: str, masks: Tensor, shape: tuple[int, int], rows: Tensor, columns: Tensor) -> Tensor:
    """Masks (n, H, W) of an image -> (n, S, S), by the nearest pixel; nothing where the resized image is padded."""
    require_shape(name, masks, (None, *shape), torch.bool)
    moved = masks[:, rows.clamp(min=0)][:, :, columns.clamp(min=0)]
    return moved & (rows >= 0)[:, None] & (columns >= 0)


def _require_inside(boxes: Tensor, shape: tuple[int, int], sample_id: str) -> None:
    limits = torch.tensor([shape[1], shape[0]])
    fits = ((boxes[:, :2] >= 0) & (boxes[:, :2] <= boxes[:, 2:]) & (boxes[:, 2:] < limits)).all(dim=1)
    if not fits.all():
        raise DataError(
            f"Expected boxes x0 <= x1 and y0 <= y1 within the {shape[1]} x {shape[0]} pixels of {sample_id}, found "
            f"{boxes[~fits][0].tolist()}; the boxes must be those of this very file."
        )


def _move_boxes(boxes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Boxes of an image -> those that are left of them in the resized one, corner pixels included."""
    x0, x1, seen_across = _move_span(boxes[:, 0], boxes[:, 2], columns)
    y0, y1, seen_down = _move_span(boxes[:, 1], boxes[:, 3], rows)
    return torch.stack([x0, y0, x1, y1], dim=1)[seen_across & seen_down]


def _move_span(low: Tensor, high: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """First and last place whose source lies between low and high, and whether the span is still in the image."""
    inside = shown[shown >= 0]
    start = int((shown >= 0).long().argmax())
    first = torch.searchsorted(inside, low.contiguous())
    last = torch.searchsorted(inside, high.contiguous(), right=True) - 1
    seen = (first < len(inside)) & (last >= 0)
    return first + start, torch.maximum(first, last) + start, seen  # a span between two sources keeps one place
