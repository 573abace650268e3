from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mkbench.plotting.signed_maps import signed_maps_figure


def topic_figure(values: Tensor, image: Tensor | None = None) -> Figure:
    return signed_maps_figure("“an owl” in all heads", [("an owl", values)], image=image, overlay=True)


def shown(figure: object) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]  # type: ignore[attr-defined]


def test_both_views_are_shown_on_one_scale() -> None:
    difference = torch.tensor([[-3.0, 0.5]])
    photo = torch.full((3, 8, 8), 200, dtype=torch.uint8)
    figure = signed_maps_figure("Maps", [("one", difference), ("other", -difference)], image=photo)
    image, one, other = (axes.images[0] for axes in figure.axes[1:4])
    assert one.get_clim() == other.get_clim() == (-3.0, 3.0)
    assert np.asarray(one.get_array()).tolist() == [[-3.0, 0.5]]
    assert np.asarray(other.get_array()).tolist() == [[3.0, -0.5]]
    assert np.asarray(image.get_array()).min() == 200
    titles = [text.get_text() for text in figure.axes[0].texts]
    assert titles == ["Maps", "Image", "one", "other"]


def test_the_map_is_laid_over_the_image_the_right_way_round() -> None:
    # Bright on the left, where the map is high: 250 + 250 in bytes would be dark.
    photo = torch.zeros(3, 8, 8, dtype=torch.uint8)
    photo[:, :, :4] = 250
    figure = topic_figure(torch.tensor([[2.0, -1.0]]), photo)
    overlay = figure.axes[3]
    grey, laid = overlay.images
    assert np.asarray(grey.get_array())[0, [0, 7], 0].tolist() == [250, 0]
    assert np.asarray(laid.get_array()).tolist() == [[2.0, -1.0]]
    assert laid.get_clim() == (-2.0, 2.0)
    assert grey.get_extent() == laid.get_extent()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)  # type: ignore[attr-defined]
    box = overlay.get_window_extent()
    row = pixels.shape[0] - int((box.y0 + box.y1) / 2)
    left, right = (pixels[row, int(box.x0 + share * box.width)] for share in (0.25, 0.75))
    assert left[0] > left[2]  # red where high
    assert right[2] > right[0]  # blue where low
    assert left.sum() > right.sum()  # bright stays bright


@pytest.mark.parametrize(("patch_size", "covered"), [(None, (8, 9)), (3, (6, 3)), (5, (10, 5))])
def test_patch_of_the_overlay_has_the_size_that_the_model_reads(
    patch_size: int | None, covered: tuple[int, int]
) -> None:
    photo = torch.full((3, 9, 9), 120, dtype=torch.uint8)
    panels = [("an owl", torch.tensor([[0.0, 2.0]]))]  # one row of two patches
    overlay = signed_maps_figure("Maps", panels, image=photo, overlay=True, patch_size=patch_size).axes[3]
    width, height = covered
    assert list(overlay.images[1].get_extent()) == [0, width, height, 0]
    assert (overlay.get_xlim(), overlay.get_ylim()) == ((0, 9), (9, 0))


def test_image_stays_visible_where_the_map_is_zero() -> None:
    photo = torch.full((3, 8, 8), 120, dtype=torch.uint8)
    overlay = topic_figure(torch.tensor([[0.0, 2.0, 0.5]]), photo).axes[3]
    opacity = np.asarray(overlay.images[1].get_alpha())
    np.testing.assert_allclose(opacity, [[0.0, 0.75, 0.375]])  # as the root of the value


def test_a_flat_map_and_no_image() -> None:
    flat = topic_figure(torch.zeros(2, 2))
    assert flat.axes[1].images[0].get_clim() == (-1.0, 1.0)
    assert len(shown(flat)) == 1
    with pytest.raises(ValueError, match=r"Expected the image \(3, 'S', 'S'\) uint8, got \(3, 8, 6\)"):
        topic_figure(torch.zeros(2, 2), torch.zeros(3, 8, 6, dtype=torch.uint8))
