from __future__ import annotations

import numpy as np
import pytest
import torch

from mkbench.heads.neighbors import Neighbors, Similarity, nearest_rows


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("similarity", ["dot", "cosine", "centred"])
@pytest.mark.parametrize("centre_query", [True, False])
def test_neighbours_are_those_of_all_comparisons(similarity: Similarity, centre_query: bool, chunk: int) -> None:
    rng = np.random.default_rng(0)
    queries, rows = rng.normal(size=(5, 6)), rng.normal(size=(40, 6)) + 1
    indices, scores = nearest_rows(
        torch.from_numpy(queries),
        torch.from_numpy(rows),
        top=9,
        similarity=similarity,
        centre_query=centre_query,
        chunk=chunk,
    )
    if similarity == "centred":
        queries, rows = queries - centre_query * rows.mean(0), rows - rows.mean(0)
    if similarity != "dot":
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    products = queries @ rows.T
    order = np.argsort(-products, axis=1)[:, :9]
    assert indices.tolist() == order.tolist()
    np.testing.assert_allclose(scores.numpy(), np.take_along_axis(products, order, 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 3, 8])
def test_equal_rows_come_in_their_order_across_chunks(chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(2, 300, generator=generator)
    rows = kinds[[0, 1, 0, 1, 1, 0, 0]]
    indices, scores = nearest_rows(kinds[1], rows, top=7, chunk=chunk)
    assert indices.tolist() == [1, 3, 4, 0, 2, 5, 6]
    assert scores.unique().numel() == 2


def test_a_row_is_left_out_and_few_rows_give_few_neighbours() -> None:
    rows = torch.tensor([[1.0], [2.0], [3.0]])
    assert nearest_rows(torch.ones(1), rows, top=5, skip=2, chunk=2)[0].tolist() == [1, 0]
    indices, scores = nearest_rows(torch.ones(2, 1), rows[:0], top=5)
    assert (tuple(indices.shape), tuple(scores.shape)) == ((2, 0), (2, 0))


def test_zeros_have_a_cosine_of_zero() -> None:
    rows = torch.tensor([[0.0, 0.0], [-1.0, 0.0], [1.0, 1.0]])
    indices, scores = nearest_rows(torch.tensor([1.0, 0.0]), rows, top=3, similarity="cosine")
    assert indices.tolist() == [2, 0, 1]
    torch.testing.assert_close(scores, torch.tensor([0.5**0.5, 0.0, -1.0]))


@pytest.mark.parametrize(
    ("query", "rows", "named", "message"),
    [
        (torch.ones(2), torch.ones(3, 3), {}, r"queries \(Q, d\) and rows \(n, d\), got \(2,\) and \(3, 3\)"),
        (torch.ones(3), torch.ones(3, 3), {"top": 0}, "at least 1 neighbour"),
        (torch.ones(3), torch.ones(3, 3), {"chunk": 0}, "1 row a chunk, got 2 and 0"),
        (torch.ones(3), torch.ones(3, 3), {"similarity": "l2"}, "Expected a similarity of .* got 'l2'"),
        (torch.full((3,), torch.nan), torch.ones(3, 3), {}, "the query must be finite"),
        (torch.ones(3), torch.full((3, 3), torch.inf), {}, "the rows must be finite"),
    ],
)
def test_what_cannot_be_compared(query: torch.Tensor, rows: torch.Tensor, named: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nearest_rows(query, rows, **{"top": 2, **named})  # type: ignore[arg-type]


def make_neighbors(count: int) -> Neighbors:
    ids = tuple(f"image {place}" for place in range(count))
    return Neighbors("head", ids, torch.arange(count), torch.linspace(0.5, -0.25, count), "dot", "image 9")


def texts_of(figure: object) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]  # type: ignore[attr-defined]


def test_images_are_shown_with_rank_score_and_name() -> None:
    images = torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1).expand(9, 3, 8, 8)
    figure = make_neighbors(9).plot(images, query=images[8])
    texts = texts_of(figure)
    assert texts[:3] == ["Nearest images: head (dot)", "query", "image 9"]
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
    figure = make_neighbors(count).plot(images, query=images[0] if with_query else None)
    boxes = [axes.get_position() for axes in figure.axes[1 + with_query :]]
    tops = [round(box.y0, 6) for box in boxes]
    assert [tops.count(top) for top in dict.fromkeys(tops)] == rows
    columns = rows[0]
    assert [box.x0 for box in boxes[columns:]] == [box.x0 for box in boxes[: count - columns]]
    if with_query:  # which has the first column to itself
        assert figure.axes[1].get_position().x1 < min(box.x0 for box in boxes)


def test_one_neighbour_leaves_room_for_the_heading() -> None:
    figure = make_neighbors(1).plot(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    heading = figure.axes[0].texts[0].get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    assert heading.x1 < figure.bbox.x1


def test_bars_stand_for_images_that_are_not_given() -> None:
    figure = make_neighbors(4).plot()
    assert [round(bar.get_width(), 3) for bar in figure.axes[1].patches] == [0.5, 0.25, 0.0, -0.25]
    assert {"image 0", "image 3", "0.250", "-0.250"} <= set(texts_of(figure))
    assert texts_of(make_neighbors(0).plot()) == ["Nearest images: head (dot)"]


def test_the_end_of_a_long_name_is_shown() -> None:
    found = Neighbors("head", ("folder/" * 40 + "owl.png",), torch.zeros(1), torch.ones(1), "dot")
    name = texts_of(found.plot())[1]
    assert name.startswith("…")
    assert name.endswith("owl.png")


def test_images_that_do_not_fit() -> None:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"Expected images \(3, 3, 'S', 'S'\) uint8, got \(2, 3, 8, 8\)"):
        make_neighbors(3).plot(images)
    with pytest.raises(ValueError, match=r"torch\.float32"):
        make_neighbors(2).plot(images.float())
    with pytest.raises(ValueError, match="Expected the query"):
        make_neighbors(2).plot(images, query=images)
