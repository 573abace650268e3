from __future__ import annotations

from dataclasses import replace

import torch
from toy_context import ALL, NONE, ONE, SIDE, encode, make_context

from mkbench.concepts import blur
from mkbench.scorers import KeptRegion


def test_everything_outside_the_foreground_is_blurred() -> None:
    context = make_context([ALL, ONE, NONE] * 8)
    context = replace(context, classes=context.image_embedding[:4])  # as near to one another as the images
    values = KeptRegion().score(context)["kept_region_correct"]
    for image, pixels in enumerate(context.group.images):
        kept = torch.where(context.foreground.pixels[image], pixels, blur(pixels[None])[0])
        scores = torch.nn.functional.normalize(encode(kept[None]), dim=-1)[0] @ context.classes.T
        assert values[image] == (int(scores.argmax()) == 1)
    assert {*values} == {True, False}


def test_whole_and_empty_foreground() -> None:
    """The encoder sees contrast alone: class 1 needs some, and a blur takes it away."""
    context = make_context([ALL, NONE])
    stripes = torch.zeros(2, 3, SIDE, SIDE, dtype=torch.uint8)
    stripes[..., ::2] = 255
    seen = torch.eye(6)[:2]
    context = replace(
        context,
        group=replace(context.group, images=stripes),
        classes=seen,
        encode=lambda pixels: seen[(pixels.double().std(dim=(1, 2, 3)) > 60).long()],
    )
    assert KeptRegion().score(context)["kept_region_correct"] == [True, False]


def test_without_labels_nothing_is_encoded() -> None:
    context = replace(make_context([ALL, ONE], class_index=None), encode=NotImplemented)
    assert KeptRegion().score(context)["kept_region_correct"] == [None, None]


def test_columns_are_those_announced() -> None:
    scorer = KeptRegion()
    assert list(scorer.score(make_context([ALL]))) == list(scorer.columns)
    assert (scorer.settings(), scorer.needs_ground_truth, scorer.needs_explanation) == ({}, False, False)
