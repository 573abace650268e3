from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from result_documents import visible_texts

from mkbench.datamodules import ClassGroup
from mkbench.studies.head_segmentation.figure import segmentation_figure
from mkbench.systems.records.head_segmentation import METHODS


def answer() -> Any:
    """Two images of 4 x 4 pixels; all maps of the first are its truth, the second has no object and flat maps."""
    ground_truth = torch.zeros(2, 4, 4, dtype=torch.bool)
    ground_truth[0, :2] = True
    maps = {method: ground_truth[:, None].double() for method in METHODS}
    maps["random_heads"] = maps["random_heads"].repeat(1, 2, 1, 1)
    group = ClassGroup(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), 1, 0, ("owl/1.png", "owl/2.png"))
    images = SimpleNamespace(classes=torch.tensor([1, 1]), maps=maps)
    return SimpleNamespace(group=group, ground_truth=ground_truth, images=images, patch_size=None)


def draw(places: list[int]) -> Any:
    return segmentation_figure(answer(), places, labels=["a", "b", "c"], class_names=["bat", "owl"], model="vit")


def test_every_panel_is_named_and_measured() -> None:
    texts = [text.get_text() for text in visible_texts(draw([0]))]
    assert texts[:6] == [
        "Where vit finds “owl”: cut out along the solid line; dotted: the true object",
        *("image", "true object", "a", "b", "c, first draw"),
    ]
    assert texts[6:] == ["owl/1.png", "50% of the pixels", *["IoU 1.00, AP 1.00"] * 3]


def test_outlines_of_the_ground_truth_and_of_what_is_cut_out() -> None:
    figure = draw([0, 1])
    outlines = [len(axes.collections) for axes in figure.axes[1:]]
    assert outlines == [0, 0, 2, 2, 2, 0, 0, 0, 0, 0]  # the second image has neither


def test_image_without_an_object_is_not_measured() -> None:
    texts = [text.get_text() for text in visible_texts(draw([1]))]
    assert texts[6:] == ["owl/2.png", "0% of the pixels", *["no object visible"] * 3]
