from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mkbench.backbones import Geometry
from mkbench.datamodules.ground_truth import ImageGroundTruth
from mkbench.datamodules.ground_truth_geometry import fit_ground_truth
from mkbench.datamodules.resizing import resize_image, source_pixels
from mkbench.errors import DataError
from mkbench.metrics.functional import foreground_boxes

HALVES = (0.5, 0.5, 0.5)
MODES = ["squash", "shortest", "longest"]


def make_geometry(mode: str, size: int = 20, interpolation: str = "bilinear") -> Geometry:
    return Geometry(size, HALVES, HALVES, interpolation, mode)  # type: ignore[arg-type]


def draw(shape: tuple[int, int], box: list[int]) -> tuple[Tensor, Tensor]:
    """A black image with a white box, and the mask of the box."""
    x0, y0, x1, y1 = box
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return (mask * 255).to(torch.uint8).expand(3, -1, -1), mask


def fit(shape: tuple[int, int], box: list[int], geometry: Geometry, resize: str) -> tuple[Tensor, Tensor, Tensor]:
    """The image, the mask and the boxes that are left, in the model's geometry."""
    image, mask = draw(shape, box)
    ground_truth = ImageGroundTruth(boxes=torch.tensor([box]), part_masks=mask[None], part_names=("box",))
    fitted = fit_ground_truth(ground_truth, shape, geometry, resize, sample_id="a")  # type: ignore[arg-type]
    assert fitted.boxes is not None
    assert fitted.part_masks is not None
    return resize_image(image, geometry, resize), fitted.part_masks[0], fitted.boxes  # type: ignore[arg-type]


# An image of 60 x 40 pixels and a box of columns 12 to 29, rows 10 to 18, brought to 20 x 20.
# squash: columns by 1/3 to 4..10, which is pixels 4 to 9; rows by 1/2 to 5..9.5, of which the last half pixel is lost.
# shortest: both by 1/2; columns 6..15 of 30, of which the crop takes 5 from the left: pixels 1 to 9. Rows as before.
# longest: to 20 x 13; columns as at first; rows by 13/40 to 3.25..6.175, pixels 3 to 5, below 3 rows of padding.
LANDSCAPE = {"squash": [4, 5, 9, 8], "shortest": [1, 5, 9, 8], "longest": [4, 6, 9, 8]}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("mode", "resize"), [*((mode, "model") for mode in MODES), ("shortest", "squash")])
def test_image_mask_and_box_go_one_way(mode: str, resize: str, turned: bool) -> None:
    shape, box = (40, 60), [12, 10, 29, 18]
    expected = LANDSCAPE["squash" if resize == "squash" else mode]
    if turned:
        shape, box, expected = (60, 40), [10, 12, 18, 29], [expected[place] for place in (1, 0, 3, 2)]
    image, mask, boxes = fit(shape, box, make_geometry(mode), resize)
    assert boxes.tolist() == [expected]
    assert foreground_boxes(mask[None]).tolist() == [expected]
    assert foreground_boxes((image[0] > 128)[None]).tolist() == [expected]  # pixels that are mostly white


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("mode", MODES)
def test_random_boxes_in_images_of_any_shape(mode: str, interpolation: str) -> None:
    geometry = make_geometry(mode, 32, interpolation)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        height, width = torch.randint(8, 120, (2,), generator=generator).tolist()
        across = torch.randint(width, (2,), generator=generator).sort().values
        down = torch.randint(height, (2,), generator=generator).sort().values
        box = torch.stack([across, down], dim=1).flatten().tolist()
        image, mask, boxes = fit((height, width), box, geometry, "model")
        if mask.any():
            assert boxes.tolist() == foreground_boxes(mask[None]).tolist()
        # Where the mask and the image differ, the image is between black and white.
        assert ((image[0] > 127) == mask)[(image[0] < 8) | (image[0] > 247)].all()


def test_what_is_cropped_away_is_dropped_and_the_rest_cut() -> None:
    geometry = make_geometry("shortest")  # columns 10 to 49 of 60 are kept
    boxes = torch.tensor([[0, 0, 8, 39], [0, 0, 19, 39], [40, 0, 59, 39], [52, 0, 59, 39]])
    fitted = fit_ground_truth(ImageGroundTruth(boxes=boxes), (40, 60), geometry, "model", sample_id="a")
    assert fitted.boxes is not None
    assert fitted.boxes.tolist() == [[0, 0, 4, 19], [15, 0, 19, 19]]


def test_thin_box_keeps_a_pixel() -> None:
    # Of 400 columns every 20th is shown, from 10 on: the box lies between those of columns 1 (30) and 2 (50).
    fitted = fit_ground_truth(
        ImageGroundTruth(boxes=torch.tensor([[35, 100, 40, 299]])),
        (400, 400),
        make_geometry("squash"),
        "model",
        sample_id="a",
    )
    assert fitted.boxes is not None
    assert fitted.boxes.tolist() == [[2, 5, 2, 14]]


def test_padding_belongs_to_no_mask() -> None:
    _, mask, boxes = fit((10, 20), [0, 0, 19, 9], make_geometry("longest", 8), "model")
    assert mask.any(dim=1).tolist() == [False, False, True, True, True, True, False, False]
    assert boxes.tolist() == [[0, 2, 7, 5]]


def test_rows_and_columns_are_those_of_the_image() -> None:
    """Every pixel of an image whose colours are its coordinates shows the row and column it comes from."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(96), indexing="ij")
    image = torch.stack([rows * 2, columns * 2, rows]).to(torch.uint8)
    for mode in MODES:
        geometry = make_geometry(mode, 16)
        shown = resize_image(image, geometry, "model").int()
        from_rows, from_columns = source_pixels((64, 96), geometry, "model")
        seen = (from_rows >= 0)[:, None] & (from_columns >= 0)
        # A pixel is the mean over several; the nearest one lies within half of that.
        assert ((shown[0] - 2 * from_rows[:, None]).abs()[seen] <= 6).all()
        assert ((shown[1] - 2 * from_columns).abs()[seen] <= 6).all()
        assert (shown[:, ~seen] == 0).all()


@pytest.mark.parametrize("box", [[-1, 0, 3, 3], [0, 0, 6, 3], [0, 0, 3, 4], [3, 0, 2, 3], [0, 3, 3, 2]])
def test_boxes_outside_the_image_are_named(box: list[int]) -> None:
    ground_truth = ImageGroundTruth(boxes=torch.tensor([[0, 0, 1, 1], box]))
    message = rf"within the 6 x 4 pixels of owl/1\.png, found \[{', '.join(map(str, box))}\]"
    with pytest.raises(DataError, match=message):
        fit_ground_truth(ground_truth, (4, 6), make_geometry("squash"), "squash", sample_id="owl/1.png")


def test_masks_of_another_size_are_refused() -> None:
    ground_truth = ImageGroundTruth(part_masks=torch.zeros(1, 4, 7, dtype=torch.bool), part_names=("tail",))
    with pytest.raises(ValueError, match=r"Expected part_masks \('any', 4, 6\) torch.bool, got \(1, 4, 7\)"):
        fit_ground_truth(ground_truth, (4, 6), make_geometry("squash"), "squash", sample_id="a")


def test_descriptors_stay_as_they_are() -> None:
    descriptors, parts = torch.tensor([True, False]), torch.tensor([0, -1])
    ground_truth = ImageGroundTruth(descriptors=descriptors, descriptor_parts=parts)
    fitted = fit_ground_truth(ground_truth, (4, 6), make_geometry("squash"), "squash", sample_id="a")
    assert fitted.boxes is None
    assert fitted.part_masks is None
    assert torch.equal(fitted.descriptors, descriptors)  # type: ignore[arg-type]
    assert torch.equal(fitted.descriptor_parts, parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("mode", "resize"), [*((mode, "model") for mode in MODES), ("shortest", "squash")])
def test_changed_images_go_the_way_of_the_image(mode: str, resize: str) -> None:
    geometry = make_geometry(mode)
    image, mask = draw((40, 60), [12, 10, 29, 18])
    known = ImageGroundTruth(
        part_masks=mask[None],
        part_names=("box",),
        scene=image,
        factors=("box", "nothing"),
        changed_images=torch.stack([image, image * 0]),
        changed_pixels=torch.stack([mask, mask & False]),
    )
    fitted = fit_ground_truth(known, (40, 60), geometry, resize, sample_id="a")  # type: ignore[arg-type]
    expected = resize_image(image, geometry, resize)  # type: ignore[arg-type]
    assert fitted.scene is not None
    assert fitted.changed_images is not None
    assert fitted.changed_pixels is not None
    assert torch.equal(fitted.scene, expected)
    assert torch.equal(fitted.changed_images[0], expected)
    assert not fitted.changed_images[1].any()
    assert torch.equal(fitted.changed_pixels[:1], fitted.part_masks)  # type: ignore[arg-type]
    assert not fitted.changed_pixels[1].any()
