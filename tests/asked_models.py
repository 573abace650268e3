"""Models of the app without weights: what they are asked is kept, what they answer is invented."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from mkbench.backbones import Geometry
from mkbench.datamodules import Critters
from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, LabelDocument, LabelledHead, Source
from mkbench.heads.neighbors import Neighbors
from mkbench.plotting.style import new_figure
from mkbench.report.app.asked_model import AskedModel
from mkbench.studies.head_queries.answer import Answer
from mkbench.studies.head_queries.query_images import RunImages
from mkbench.studies.head_queries.study import HeadRun

GEOMETRY = Geometry(size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
SOURCE = Source("by hand")


class InventedRun(HeadRun):
    """A run of two layers of two heads, whose answer to every question is the same."""

    def __init__(self) -> None:
        self.store: Any = SimpleNamespace(layers=(3, 4), num_heads=2)
        self.asked: list[dict[str, Any]] = []

    def _answer(self, **question: Any) -> Answer:
        self.asked.append(question)
        found = Neighbors(
            "<b>colour</b>", ("owl/1.png", "owl/2.png"), torch.tensor([1, 0]), torch.tensor([0.5, 0.25]), "dot"
        )
        return Answer("image-neighbors", {"head": [3, 1]}, "Nearest images: <b>colour</b>", found)

    property_neighbors = image_neighbors = text_neighbors = _answer  # type: ignore[assignment]
    topic_segmentation = contrastive_segmentation = _answer  # type: ignore[assignment]


def labelled(layer: int, head: int, label: str | None, *fits: bool) -> LabelledHead:
    texts = tuple(f"text {number} of {layer}.{head}" for number in range(5))
    return LabelledHead(HeadTexts(layer, head, texts), HeadLabel(label, SOURCE), Judgement(fits or None, SOURCE))


LABELS = LabelDocument(
    heads=(
        labelled(3, 0, "colour", True, False, False, False, False),
        labelled(3, 1, "sky", False, True, True, True, True),
        labelled(4, 0, "colour", True, True, False, False, False),
        labelled(4, 1, None),
    ),
    shuffled=(),
    labeller={},
    judge={},
)


def explain(image: Tensor) -> Any:
    concepts = [SimpleNamespace(text="<i>wings</i>", importance=0.875, mutual=True)]
    return SimpleNamespace(
        predictions=("owl", "bat"),
        concepts=concepts,
        language=("<i>wings</i>",),
        mutual_information=1.5,
        auc=0.75,
        chance_auc=float("nan"),
        kept=1,
        plot=lambda: new_figure(36, 36),
    )


def asked_model(**other: Any) -> AskedModel:
    images = RunImages(Critters(images_per_class=2, limit_classes=2), GEOMETRY)
    content: dict[str, Any] = {
        "about": "a model & its run",
        "images": images,
        "explain": explain,
        "heads": InventedRun(),
        "labels": LABELS,
        "texts": ("a photo of an owl", "a photo of a bat"),
    }
    return AskedModel(**content | other)
