from __future__ import annotations

import pytest
import torch
from rich.console import Console

from mkbench.heads.neighbors import Neighbors
from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap
from mkbench.studies.head_queries.answer import Answer
from mkbench.studies.head_queries.table import answer_cells, answer_table
from mkbench.tables import to_console

NEIGHBORS = Neighbors("colour", ("[bold]", "b"), torch.tensor([4, 0]), torch.tensor([0.5, -0.25]), "cosine", "q")


def test_table_shows_texts_as_they_are() -> None:
    console = Console(width=60, record=True)
    console.print(to_console(answer_table(Answer("n", {}, "title", NEIGHBORS))))
    assert "[bold]" in console.export_text()


def test_neighbors_are_ranked() -> None:
    headings, lines = answer_cells(Answer("n", {}, "", NEIGHBORS))
    assert headings == ("image", "rank", "cosine")
    assert lines == [("[bold]", "1", "0.5000"), ("b", "2", "-0.2500")]


def test_map_is_highest_where_the_table_says() -> None:
    # Two rows and three columns of patches on an image of 12 pixels: patches 4 wide and 6 high.
    values = torch.tensor([[0.0, 1.0, 0.0], [0.25, 0.0, 0.5]])
    found = TopicMap(values, "an owl", "all heads", "dot")
    answer = Answer("m", {}, "", found, query=torch.zeros(3, 12, 12, dtype=torch.uint8))
    assert answer_cells(answer)[1] == [
        ("an owl", "1", "2", "4–8", "0–6", "1.000"),
        ("", "2", "3", "8–12", "6–12", "0.5000"),
        ("", "2", "1", "0–4", "6–12", "0.2500"),
    ]


def test_both_differences_have_their_peaks() -> None:
    found = ContrastiveMaps(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]]), ("an owl", "a tree"), "dot")
    answer = Answer("m", {}, "", found, query=torch.zeros(3, 8, 8, dtype=torch.uint8))
    assert [(line[0], line[2], line[-1]) for line in answer_cells(answer)[1]] == [
        ("an owl \u2212 a tree", "1", "1.000"),
        ("", "2", "-3.000"),
        ("a tree \u2212 an owl", "2", "3.000"),
        ("", "1", "-1.000"),
    ]


def test_maps_without_their_image_are_refused() -> None:
    found = TopicMap(torch.zeros(2, 2), "an owl", "all heads", "dot")
    with pytest.raises(ValueError, match=r"Expected the image of the maps, found none\."):
        answer_cells(Answer("m", {}, "", found))
