from __future__ import annotations

import numpy as np
import pytest

from mkbench.plotting.foregrounds import ForegroundMap, foregrounds_figure
from mkbench.plotting.style import PAGE_WIDTH

IMAGE = np.zeros((3, 8, 8), np.uint8)


def one(*, found: bool) -> ForegroundMap:
    return ForegroundMap(np.array([[2.0, -1.0], [0.0, 0.0]]), np.array([[True, False]] * 2), (8, 8), found)


def test_a_panel_for_each_image_and_map() -> None:
    rows = [("tokens", [one(found=False), one(found=True)]), ("keys", [one(found=True), one(found=True)])]
    figure = foregrounds_figure([IMAGE, IMAGE], rows, heading="Where", note="A note.")
    canvas, *panels = figure.axes
    assert len(panels) == 2 + 4
    words = [text.get_text() for text in canvas.texts]
    assert words == ["Where", "tokens", "✗ missed", "✓ found", "keys", "✓ found", "✓ found", "A note."]
    assert figure.get_figwidth() == pytest.approx(PAGE_WIDTH / 72)
    for axes in panels[2:]:
        assert axes.images[0].get_clim() == (-2.0, 2.0)
        assert len(axes.collections[0].get_segments()) == 6  # the outline of two patches below each other


def test_another_number_of_maps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found 2 images and rows of \[1\]"):
        foregrounds_figure([IMAGE, IMAGE], [("keys", [one(found=True)])], heading="", note="")
    with pytest.raises(ValueError, match="one image or more, found 0"):
        foregrounds_figure([], [], heading="", note="")
