from __future__ import annotations

import torch
from matplotlib.figure import Figure

from mkbench.heads.neighbors import Neighbors
from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap
from mkbench.studies.head_queries.answer import Answer
from mkbench.studies.head_queries.figure import answer_figure

IMAGE = torch.zeros(3, 8, 8, dtype=torch.uint8)


def heading(figure: Figure) -> str:
    return figure.axes[0].texts[0].get_text()


def test_neighbors_stand_beside_their_query() -> None:
    found = Neighbors("head", ("a", "b"), torch.tensor([4, 0]), torch.tensor([0.5, -0.25]), "dot", "q")
    figure = answer_figure(Answer("n", {}, "", found, images=torch.stack([IMAGE, IMAGE]), query=IMAGE))
    assert heading(figure) == "Nearest images: head (dot)"
    assert len(figure.axes) == 4  # the page, the query and two images
    assert "q" in [text.get_text() for text in figure.axes[0].texts]


def test_map_of_a_text_is_laid_over_the_image() -> None:
    found = TopicMap(torch.tensor([[0.0, 1.0]]), "an owl", "layer 3 head 1", "dot")
    figure = answer_figure(Answer("m", {}, "", found, query=IMAGE))
    assert heading(figure) == "“an owl” in layer 3 head 1 (dot)"
    assert "an owl, over the image" in [text.get_text() for text in figure.axes[0].texts]
    assert list(figure.axes[3].images[1].get_extent()) == [0, 8, 8, 0]
    figure = answer_figure(Answer("m", {}, "", found, query=IMAGE, patch_size=3))
    assert list(figure.axes[3].images[1].get_extent()) == [0, 6, 3, 0]


def test_both_differences_of_two_texts_are_drawn_on_one_scale() -> None:
    found = ContrastiveMaps(torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 1.5]]), ("an owl", "a tree"), "centred")
    figure = answer_figure(Answer("m", {}, "", found, query=IMAGE))
    assert heading(figure) == "“an owl” against “a tree” in all heads (centred)"
    one, other = (axes.images[0] for axes in figure.axes[2:4])
    assert one.get_clim() == other.get_clim() == (-3.0, 3.0)
    assert [text.get_text() for text in figure.axes[0].texts][2:4] == ["an owl \u2212 a tree", "a tree \u2212 an owl"]
