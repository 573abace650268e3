import numpy as np
import pytest
import torch

from mkbench.concepts import upscale_nearest


def test_multiple_of_the_grid_is_a_kronecker_product():
    patches = torch.arange(12).reshape(1, 3, 4)
    expected = np.repeat(np.repeat(patches.numpy(), 4, axis=1), 3, axis=2)
    np.testing.assert_array_equal(upscale_nearest(patches, 12).numpy(), expected)


@pytest.mark.parametrize(("grid", "size"), [(7, 224), (14, 225), (9, 230), (24, 336), (5, 3)])
def test_pixel_belongs_to_the_patch_of_its_floor(grid, size):
    patches = torch.arange(grid).expand(grid, grid)
    expected = [pixel * grid // size for pixel in range(size)]
    assert upscale_nearest(patches, size)[0].tolist() == expected


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="positive number of pixels"):
        upscale_nearest(torch.zeros(2, 2), 0)
    with pytest.raises(ValueError, match="must end in a grid"):
        upscale_nearest(torch.zeros(2), 4)
