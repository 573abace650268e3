import cv2
import numpy as np
import pytest
import torch

from mkbench.concepts import blur, fit_ellipse, render_prompts, render_prompts_batch
from mkbench.concepts.prompts import _blur_in_integers


def random_image(seed=0, height=60, width=50):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def region(height=60, width=50):
    mask = np.zeros((height, width), dtype=bool)
    mask[15:40, 10:30] = True
    mask[30:45, 25:38] = True
    return mask


def to_tensor(image):
    return torch.from_numpy(image.transpose(2, 0, 1).copy())


def drawn_by_opencv(image, mask):
    cx, cy, width, height, angle = fit_ellipse(mask)
    box = ((cx, cy), (width, height), angle)
    inside = cv2.ellipse(np.zeros(mask.shape, np.uint8), box, 1, thickness=-1).astype(bool)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    blurred = cv2.GaussianBlur(image, (11, 11), 2.0, borderType=cv2.BORDER_REFLECT_101)
    results = []
    for outside in (image, grey, blurred):
        result = np.where(inside[..., None], image, outside)
        results.append(cv2.ellipse(np.ascontiguousarray(result), box, (255, 0, 0), thickness=1))
    return np.stack(results).transpose(0, 3, 1, 2)


def test_three_prompts_equal_opencv():
    image, mask = random_image(), region()
    result = render_prompts(to_tensor(image), torch.from_numpy(mask))
    assert result.dtype == torch.uint8
    np.testing.assert_array_equal(result.numpy(), drawn_by_opencv(image, mask))


@pytest.mark.parametrize("shape", [(60, 50), (11, 7), (4, 3), (1, 9)])
def test_blur_equals_opencv(shape):
    image = random_image(1, *shape)
    expected = cv2.GaussianBlur(image, (11, 11), 2.0, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_array_equal(blur(to_tensor(image)[None])[0].permute(1, 2, 0).numpy(), expected)
    # What other devices compute.
    integers = _blur_in_integers(to_tensor(image)[None])
    np.testing.assert_array_equal(integers[0].permute(1, 2, 0).numpy(), expected)


def test_no_image_is_blurred_to_none():
    assert blur(torch.zeros(0, 3, 5, 4, dtype=torch.uint8)).shape == (0, 3, 5, 4)


def test_ring_is_one_pixel_thick_and_red():
    # On black, the ring is all there is: every pixel is pure red. A circle of diameter 20 has 56 to 63 pixels.
    mask = torch.zeros(41, 41, dtype=torch.bool)
    y, x = torch.meshgrid(torch.arange(41), torch.arange(41), indexing="ij")
    mask[(x - 20) ** 2 + (y - 20) ** 2 <= 100] = True
    ring = render_prompts(torch.zeros(3, 41, 41, dtype=torch.uint8), mask)[0]
    assert ring[0].unique().tolist() == [0, 255]
    assert not ring[1:].any()
    assert 50 <= int((ring[0] == 255).sum()) <= 70


def test_batch_renders_every_region_as_if_alone():
    images = torch.stack([to_tensor(random_image(seed)) for seed in range(2)])
    masks = torch.from_numpy(np.stack([region(), region()[::-1].copy(), region()[:, ::-1].copy()]))
    index = torch.tensor([1, 0, 1])
    batch = render_prompts_batch(images, masks, index)
    assert batch.contour_fallbacks == 0
    for place, image in enumerate(index.tolist()):
        assert torch.equal(batch.pixels[place], render_prompts(images[image], masks[place]))


def test_prompts_come_in_the_order_asked_for():
    images, masks = to_tensor(random_image())[None], torch.from_numpy(region())[None]
    index = torch.zeros(1, dtype=torch.int64)
    every = render_prompts_batch(images, masks, index).pixels
    some = render_prompts_batch(images, masks, index, prompts=("blur", "ring")).pixels
    assert torch.equal(some, every[:, [2, 0]])


def test_bounding_boxes_are_counted():
    masks = torch.zeros(3, 20, 20, dtype=torch.bool)
    masks[0, 3, 3] = masks[1, 4, 4:9] = True
    masks[2, 5:15, 5:15] = True
    images = torch.zeros(1, 3, 20, 20, dtype=torch.uint8)
    assert render_prompts_batch(images, masks, torch.zeros(3, dtype=torch.int64)).contour_fallbacks == 2


def test_no_regions():
    result = render_prompts_batch(
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(0, 8, 8, dtype=torch.bool),
        torch.zeros(0, dtype=torch.int64),
    )
    assert result.pixels.shape == (0, 3, 3, 8, 8)
    assert result.contour_fallbacks == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": torch.zeros(1, 3, 8, 8)}, "images must be uint8"),
        ({"masks": torch.ones(1, 7, 8, dtype=torch.bool)}, "masks must be bool"),
        ({"masks": torch.zeros(1, 8, 8, dtype=torch.bool)}, "at least one foreground pixel"),
        ({"image_index": torch.tensor([0, 0])}, "image_index must be int64"),
        ({"image_index": torch.tensor([1])}, r"must lie in 0\.\.0"),
        ({"prompts": ("circle",)}, "one or more of ring, grey, blur"),
        ({"prompts": ()}, "one or more of ring, grey, blur"),
    ],
)
def test_wrong_input_is_refused(changed, message):
    given = {
        "images": torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
        "masks": torch.ones(1, 8, 8, dtype=torch.bool),
        "image_index": torch.tensor([0]),
        "prompts": ("ring",),
    } | changed
    with pytest.raises(ValueError, match=message):
        render_prompts_batch(given["images"], given["masks"], given["image_index"], prompts=given["prompts"])
