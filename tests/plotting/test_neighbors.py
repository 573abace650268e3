from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mkbench.plotting.neighbors import neighbors_figure


def draw(count: int, *, images: Tensor | None = None, query: Tensor | None = None) -> Figure:
    ids = [f"image {place}" for place in range(count)]
    scores = torch.linspace(0.5, -0.25, count).tolist()
    return neighbors_figure("Nearest images", ids, scores, images=images, query=query, query_id="image 9")


def texts_of(figure: object) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]  # type: ignore[attr-defined]


def test_images_are_shown_with_rank_score_and_name() -> None:
    images = torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1).expand(9, 3, 8, 8)
    figure = draw(9, images=images, query=images[8])
    texts = texts_of(figure)
    assert texts[:3] == ["Nearest images", "query", "image 9"]
    assert texts[3:5] == ["1.  0.500", "image 0"]
    assert texts[-2:] == ["9.  -0.250", "image 8"]
    shown = [int(axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes[1:]]
    assert shown == [8, *range(9)]
    boxes = [axes.get_position() for axes in figure.axes[1:]]
    assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])
    assert all(box.x0 > 0 and box.x1 < 1 and box.y0 > 0 and box.y1 < 1 for box in boxes)


@pytest.mark.parametrize(("count", "with_query", "rows"), [(8, False, [4, 4]), (7, False, [7]), (8, True, [4, 4])])
def test_rows_of_images_are_even(count: int, with_query: bool, rows: list[int]) -> None:
    images = torch.zeros(count, 3, 8, 8, dtype=torch.uint8)
    figure = draw(count, images=images, query=images[0] if with_query else None)
    boxes = [axes.get_position() for axes in figure.axes[1 + with_query :]]
    tops = [round(box.y0, 6) for box in boxes]
    assert [tops.count(top) for top in dict.fromkeys(tops)] == rows
    columns = rows[0]
    assert [box.x0 for box in boxes[columns:]] == [box.x0 for box in boxes[: count - columns]]
    if with_query:  # which has the first column to itself
        assert figure.axes[1].get_position().x1 < min(box.x0 for box in boxes)


def test_one_neighbor_leaves_room_for_the_heading() -> None:
    figure = draw(1, images=torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    heading = figure.axes[0].texts[0].get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    assert heading.x1 < figure.bbox.x1


def test_bars_stand_for_images_that_are_not_given() -> None:
    figure = draw(4)
    assert [round(bar.get_width(), 3) for bar in figure.axes[1].patches] == [0.5, 0.25, 0.0, -0.25]
    assert {"image 0", "image 3", "0.250", "-0.250"} <= set(texts_of(figure))
    assert texts_of(draw(0)) == ["Nearest images"]


def test_the_end_of_a_long_name_is_shown() -> None:
    name = texts_of(neighbors_figure("Nearest images", ["folder/" * 40 + "owl.png"], [1.0]))[1]
    assert name.startswith("…")
    assert name.endswith("owl.png")


def test_images_that_do_not_fit() -> None:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"Expected images \(3, 3, 'S', 'S'\) uint8, got \(2, 3, 8, 8\)"):
        draw(3, images=images)
    with pytest.raises(ValueError, match=r"torch\.float32"):
        draw(2, images=images.float())
    with pytest.raises(ValueError, match="Expected the query"):
        draw(2, images=images, query=images)
