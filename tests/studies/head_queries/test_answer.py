from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mkbench.heads.neighbors import Neighbors
from mkbench.heads.patch_maps import ContrastiveMaps, TopicMap
from mkbench.studies.head_queries.answer import Answer, answer_path, write_answer

OWL: dict[str, Any] = {"image": "owl.png", "text": "an owl", "head": None, "similarity": "dot"}


def ask(question: dict[str, Any]) -> Answer:
    found = TopicMap(torch.tensor([[0.0, 1.0, 0.0], [0.25, 0.0, 0.5]]), "an owl", "all heads", "dot")
    return Answer("topic-segmentation", question, "title", found)


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
def test_data_lie_beside_the_figure(tmp_path: Path, out: str | None, base: str | None) -> None:
    answer = ask(OWL)
    found = answer_path(answer, tmp_path, None if out is None else tmp_path / out)
    assert found == tmp_path / (base or f"analyses/{answer.name}")
    path = write_answer(answer, found)
    assert str(path) == f"{found}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["question"] == OWL
    assert (content["schema_version"], content["analysis"]) == (1, "topic-segmentation")
    assert content["result"] == {"maps": [{"title": "an owl", "values": [[0.0, 1.0, 0.0], [0.25, 0.0, 0.5]]}]}


def test_neighbors_are_listed_with_the_heads_that_found_them() -> None:
    found = Neighbors("colour", ("a", "b"), torch.tensor([4, 0]), torch.tensor([0.5, -0.25]), "cosine", "q")
    assert Answer("n", {}, "", found, heads=[(3, 1), (4, 0)]).result == {
        "heads": [{"layer": 3, "head": 1}, {"layer": 4, "head": 0}],
        "neighbors": [{"id": "a", "index": 4, "score": 0.5}, {"id": "b", "index": 0, "score": -0.25}],
    }


def test_both_differences_are_listed() -> None:
    found = ContrastiveMaps(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]]), ("an owl", "a tree"), "dot")
    assert Answer("m", {}, "", found).result == {
        "maps": [
            {"title": "an owl \u2212 a tree", "values": [[1.0, -3.0]]},
            {"title": "a tree \u2212 an owl", "values": [[-1.0, 3.0]]},
        ]
    }
