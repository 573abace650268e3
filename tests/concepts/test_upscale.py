import numpy as np
import pytest
import torch

from mkbench.concepts import upscale_nearest
from mkbench.concepts.upscale import clear_uncovered, has_pixels


def test_multiple_of_the_grid_is_a_kronecker_product():
    patches = torch.arange(12).reshape(1, 3, 4)
    expected = np.repeat(np.repeat(patches.numpy(), 4, axis=1), 3, axis=2)
    np.testing.assert_array_equal(upscale_nearest(patches, 12).numpy(), expected)


# Those of open_clip and SigLIP: patch side P, and the image side.
@pytest.mark.parametrize(
    ("patch", "size"), [(32, 224), (32, 256), (16, 224), (16, 384), (14, 224), (14, 336), (14, 378), (14, 384)]
)
def test_patches_cover_what_the_model_reads(patch, size):
    # The reference is the patch embedding itself: a convolution whose stride is its side.
    embed = torch.nn.Conv2d(1, 1, patch, patch, bias=False, dtype=torch.float64)
    image = torch.zeros(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    cells = embed(image)[0, 0]
    for row, column in ((0, 0), (1, 2), (len(cells) - 1, len(cells) - 1)):
        (gradient,) = torch.autograd.grad(cells[row, column], image, retain_graph=True)
        one = torch.zeros(cells.shape, dtype=torch.bool)
        one[row, column] = True
        assert torch.equal(upscale_nearest(one, size), gradient[0, 0] != 0)


def test_what_no_patch_covers_is_background():
    assert upscale_nearest(torch.ones(2, 3, dtype=torch.bool), 8).long().tolist() == [[1] * 6 + [0] * 2] * 8
    assert not upscale_nearest(torch.ones(27, 27, dtype=torch.bool), 384)[378:].any()


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="at least a pixel for each of the 2 patches"):
        upscale_nearest(torch.zeros(2, 2), 0)
    with pytest.raises(ValueError, match="must end in a grid"):
        upscale_nearest(torch.zeros(2), 4)


def test_patch_of_a_model_that_leaves_more_pixels_than_patches_unread() -> None:
    # ViT-B-32 at 240: 7 patches of 32 cover 224; 7 of 34, the largest that fit, would be another patch on 6 of 7 rows.
    patches = torch.arange(1, 50).view(7, 7)
    pixels = upscale_nearest(patches, 240, 32)
    assert torch.equal(pixels[:224, :224], patches.repeat_interleave(32, 0).repeat_interleave(32, 1))
    assert not pixels[224:].any()
    assert not pixels[:, 224:].any()


def test_last_patch_may_reach_over_the_edge() -> None:
    assert upscale_nearest(torch.tensor([[1, 2]]).expand(2, 2), 5, 3).tolist() == [[1, 1, 1, 2, 2]] * 5


def test_masks_hold_nothing_that_no_patch_covers() -> None:
    cleared = clear_uncovered(torch.ones(2, 240, 240, dtype=torch.bool), (7, 7), 32)
    assert cleared[:, :224, :224].all()
    assert cleared.sum() == 2 * 224**2


def test_masks_with_a_pixel_are_told_from_empty_ones():
    masks = torch.zeros(2, 3, 9, 9, dtype=torch.bool)
    masks[0, 1, 8, 8] = masks[1, 2, 0, 0] = True
    assert torch.equal(has_pixels(masks), masks.flatten(2).any(dim=2))
    assert torch.equal(has_pixels(masks.mT[:, ::2]), masks[:, ::2].flatten(2).any(dim=2))
    assert has_pixels(masks[:0]).shape == (0, 3)
