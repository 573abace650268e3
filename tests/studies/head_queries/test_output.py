from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from rich.console import Console

from mkbench.heads.neighbors import Neighbors
from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap
from mkbench.plotting.style import new_figure
from mkbench.studies.head_queries.output import Answer, answer_table, map_answer, neighbor_answer, write_answer
from mkbench.tables import to_console

OWL: dict[str, Any] = {"image": "owl.png", "text": "an owl", "head": None, "similarity": "dot"}


def ask(question: dict[str, Any], analysis: str = "topic-segmentation") -> Answer:
    return Answer(analysis, question, {"maps": []}, "title", ("a", "b"), (("[bold]", "1"),), new_figure(20, 20))


def test_every_question_has_a_name_of_its_own() -> None:
    questions = [
        OWL,
        *({**OWL, "text": text} for text in ("An owl", "an/owl", "an  owl", "чайка", "../../owl", "owl" * 200)),
        {**OWL, "text": "owl" * 200 + "s"},
        {**OWL, "head": [0, 1]},
        {**OWL, "head": [0, 11]},
        {**OWL, "similarity": "cosine"},
        {**OWL, "image_sha256": "0"},
        {**OWL, "image_sha256": "1"},
        {"texts": ["a b", "c"]},
        {"texts": ["a", "b c"]},
    ]
    names = [ask(question).name for question in questions]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and len(name) < 110 and set('/\\ .:*?"<>|').isdisjoint(name) for name in names)
    assert names[0].startswith("topic-segmentation_owl-png_an-owl_dot_")
    assert ask(dict(reversed(OWL.items()))).name.split("_")[-1] == names[0].split("_")[-1]


@pytest.mark.parametrize(
    ("out", "base"),
    [(None, None), ("fig.png", "fig"), ("fig.PDF", "fig"), ("fig", "fig"), ("a/v1.2", "a/v1.2"), ("x.json", "x")],
)
def test_three_files_are_written_together(tmp_path: Path, out: str | None, base: str | None) -> None:
    answer = ask(OWL)
    paths = write_answer(answer, tmp_path, None if out is None else tmp_path / out)
    expected = tmp_path / (base or f"analyses/{answer.name}")
    assert [str(path) for path in paths] == [f"{expected}{suffix}" for suffix in (".png", ".pdf", ".json")]
    content = json.loads(paths[2].read_text(encoding="utf-8"))
    assert content["question"] == OWL
    assert (content["schema_version"], content["analysis"]) == (1, "topic-segmentation")
    assert {path.name for path in expected.parent.iterdir() if path.is_file()} == {path.name for path in paths}


def test_table_shows_texts_as_they_are() -> None:
    console = Console(width=60, record=True)
    console.print(to_console(answer_table(ask(OWL))))
    assert "[bold]" in console.export_text()


def test_neighbours_are_listed_with_the_heads_that_found_them() -> None:
    found = Neighbors("colour", ("a", "b"), torch.tensor([4, 0]), torch.tensor([0.5, -0.25]), "cosine", "q")
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    answer = neighbor_answer("n", {}, found, heads=[(3, 1), (4, 0)], images=images, query=images[0])
    assert answer.rows == (("a", "1", "0.5000"), ("b", "2", "-0.2500"))
    assert answer.headers == ("image", "rank", "cosine")
    assert answer.result == {
        "heads": [{"layer": 3, "head": 1}, {"layer": 4, "head": 0}],
        "neighbors": [{"id": "a", "index": 4, "score": 0.5}, {"id": "b", "index": 0, "score": -0.25}],
    }
    assert isinstance(answer.figure, Figure)
    assert len(answer.figure.axes) == 4  # the page, the query and two images


def test_map_is_highest_where_the_table_says() -> None:
    # Two rows and three columns of patches on an image of 12 pixels: patches 4 wide and 6 high.
    values = torch.tensor([[0.0, 1.0, 0.0], [0.25, 0.0, 0.5]])
    found = TopicMap(values, "an owl", "all heads", "dot")
    image = torch.zeros(3, 12, 12, dtype=torch.uint8)
    answer = map_answer("m", OWL, found, {"an owl": values}, title="", query=image)
    assert answer.rows == (
        ("an owl", "1", "2", "4–8", "0–6", "1.000"),
        ("", "2", "3", "8–12", "6–12", "0.5000"),
        ("", "2", "1", "0–4", "6–12", "0.2500"),
    )
    assert answer.result == {"maps": [{"title": "an owl", "values": [[0.0, 1.0, 0.0], [0.25, 0.0, 0.5]]}]}


def test_both_differences_are_listed() -> None:
    found = ContrastiveMaps(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]]), ("an owl", "a tree"), "dot")
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    maps = {"one": found.difference, "other": -found.difference}
    answer = map_answer("m", {}, found, maps, title="", query=image)
    assert [(row[0], row[2], row[-1]) for row in answer.rows] == [
        ("one", "1", "1.000"),
        ("", "2", "-3.000"),
        ("other", "2", "3.000"),
        ("", "1", "-1.000"),
    ]
