from __future__ import annotations

from typing import Any

import pytest
import torch
from asked_models import InventedRun, asked_model

from mkbench.errors import BackboneError, UsageError
from mkbench.report.app.views import KNOWLEDGE, VIEWS, ask, find_query
from mkbench.studies.head_queries.query_images import QueryImage
from mkbench.studies.head_queries.study import HeadRun

QUERY = QueryImage("owl.png", torch.zeros(3, 16, 16, dtype=torch.uint8), "0")
FIELDS: dict[str, Any] = {
    "head": "3.1",
    "any_head": "all",
    "property_name": "colour",
    "text": " an owl ",
    "first": "an owl",
    "second": "a tree",
    "top": 4.0,
    "similarity": "cosine",
}
ASKED = {
    "property_neighbors": {"property_name": "colour", "top": 4},
    "image_neighbors": {"head": (3, 1), "top": 4},
    "text_neighbors": {"text": "an owl", "head": (3, 1), "top": 4},
    "topic_segmentation": {"text": "an owl", "head": None},
    "contrastive_segmentation": {"texts": ("an owl", "a tree")},
}
OF_HEADS = [view for view in VIEWS if view.name != KNOWLEDGE]


@pytest.mark.parametrize("view", OF_HEADS, ids=lambda view: view.name)
def test_questions_are_those_of_a_run(view) -> None:
    model = asked_model()
    shown = ask(view, model, QUERY if view.of_image else None, {name: FIELDS[name] for name in view.fields})
    image = {"image": QUERY} if view.of_image else {}
    assert isinstance(model.heads, InventedRun)
    assert model.heads.asked == [{**image, **ASKED[view.name], "similarity": "cosine"}]
    assert shown.title == "Nearest images: <b>colour</b>"
    assert callable(getattr(HeadRun, view.name))


def test_all_six_are_there() -> None:
    assert [view.name for view in VIEWS] == [KNOWLEDGE, *ASKED]


def test_an_image_is_explained_without_heads() -> None:
    model = asked_model(heads=BackboneError("no heads."))
    assert ask(VIEWS[0], model, QUERY, {}).document["question"] == {"image": "owl.png"}


@pytest.mark.parametrize("view", OF_HEADS, ids=lambda view: view.name)
def test_a_model_without_heads_says_why(view) -> None:
    model = asked_model(heads=BackboneError("The attention heads of rn cannot be told apart: it is a ResNet."))
    for _ in range(2):  # whoever asks
        with pytest.raises(BackboneError, match="it is a ResNet"):
            ask(view, model, QUERY, {name: FIELDS[name] for name in view.fields})


@pytest.mark.parametrize("head", ["", "3", "3.x", "-1.0", "colour"])
def test_what_is_no_head_is_refused(head: str) -> None:
    view = next(view for view in VIEWS if view.name == "image_neighbors")
    with pytest.raises(UsageError, match=r"Expected --head LAYER\.HEAD"):
        ask(view, asked_model(), QUERY, {**FIELDS, "head": head})


def test_an_uploaded_image_goes_before_a_chosen_one() -> None:
    model = asked_model()
    assert find_query(model, QUERY, "test/blorp/0001") is QUERY
    assert find_query(model, None, "test/blorp/0001").name == "test/blorp/0001"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (None, "found none; upload one"),
        ("", "found none"),
        ("/etc/hostname", "found '/etc/hostname'"),
        ("x", "found 'x'"),
    ],
)
def test_files_of_the_server_are_no_images_of_a_run(chosen: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_query(asked_model(), None, chosen)
