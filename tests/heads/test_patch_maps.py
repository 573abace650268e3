from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap, patch_maps

# Three patches and one text of length 5. Products: 3*1 + 4*0 = 3, 3*0 + 4*2 = 8, 3*3 + 4*4 = 25, mean 12.
PATCHES = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
TEXT = torch.tensor([3.0, 4.0])


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [("dot", [3.0, 8.0, 25.0]), ("cosine", [0.6, 0.8, 1.0]), ("centred", [-9.0, -4.0, 13.0])],
)
def test_values_by_hand(similarity: str, expected: list[float]) -> None:
    values = patch_maps(PATCHES, TEXT, grid=(1, 3), similarity=similarity)  # type: ignore[arg-type]
    torch.testing.assert_close(values, torch.tensor([expected]))


def test_patches_are_in_raster_order_and_texts_broadcast() -> None:
    patches = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
    texts = F.normalize(torch.ones(4, 5), dim=1)
    values = patch_maps(patches, texts, grid=(2, 3))
    assert values.shape == (4, 2, 3)
    torch.testing.assert_close(values[3, 1, 0], patches[3, 3] @ texts[3])


def test_grids_and_names_are_checked() -> None:
    with pytest.raises(ValueError, match="Expected 2 x 2 patches, got 3"):
        patch_maps(PATCHES, TEXT, grid=(2, 2))
    with pytest.raises(ValueError, match="got 'angle'"):
        patch_maps(PATCHES, TEXT, grid=(1, 3), similarity="angle")  # type: ignore[arg-type]


def shown(figure: object) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]  # type: ignore[attr-defined]


def test_both_views_are_shown_on_one_scale() -> None:
    # Unlike each other in size, so that a scale of either map alone, or of a map less itself, would be another one.
    maps = ContrastiveMaps(torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 1.5]]), ("an owl", "a tree"), "dot")
    assert maps.difference.tolist() == [[-3.0, 0.5]]
    assert maps.limit == 3.0
    photo = torch.full((3, 8, 8), 200, dtype=torch.uint8)
    figure = maps.plot(photo)
    image, one, other = (axes.images[0] for axes in figure.axes[1:4])
    assert one.get_clim() == other.get_clim() == (-3.0, 3.0)
    assert np.asarray(one.get_array()).tolist() == [[-3.0, 0.5]]
    assert np.asarray(other.get_array()).tolist() == [[3.0, -0.5]]
    assert np.asarray(image.get_array()).min() == 200
    titles = [text.get_text() for text in figure.axes[0].texts]
    assert titles[0] == "“an owl” against “a tree” in all heads (dot)"
    assert {"an owl − a tree", "a tree − an owl"} <= set(titles)


def test_the_map_is_laid_over_the_image_the_right_way_round() -> None:
    # Bright on the left, where the map is high: 250 + 250 in bytes would be dark.
    photo = torch.zeros(3, 8, 8, dtype=torch.uint8)
    photo[:, :, :4] = 250
    figure = TopicMap(torch.tensor([[2.0, -1.0]]), "an owl", "layer 3 head 1", "dot").plot(photo)
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


def test_image_stays_visible_where_the_map_is_zero() -> None:
    photo = torch.full((3, 8, 8), 120, dtype=torch.uint8)
    overlay = TopicMap(torch.tensor([[0.0, 2.0, 0.5]]), "an owl", "all heads", "dot").plot(photo).axes[3]
    opacity = np.asarray(overlay.images[1].get_alpha())
    np.testing.assert_allclose(opacity, [[0.0, 0.75, 0.375]])  # as the root of the value


def test_a_flat_map_and_no_image() -> None:
    flat = TopicMap(torch.zeros(2, 2), "an owl", "all heads", "dot").plot()
    assert flat.axes[1].images[0].get_clim() == (-1.0, 1.0)
    assert len(shown(flat)) == 1
    with pytest.raises(ValueError, match=r"Expected the image \(3, 'S', 'S'\) uint8, got \(3, 8, 6\)"):
        TopicMap(torch.zeros(2, 2), "an owl", "all heads", "dot").plot(torch.zeros(3, 8, 6, dtype=torch.uint8))
