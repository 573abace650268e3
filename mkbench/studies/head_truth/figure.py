"""Heat map of the factors that heads write: a row for each factor, heads grouped by layer."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mkbench.plotting.heat_map import heat_map_figure

_NOTE = (
    "Colour: share of the head's squared change over pairs of images that differ in the factor alone, along the "
    "directions of all descriptors, less the chance of {chance:.2f}. Dot: the head with the largest share of the "
    "factor. Names below: number of the head, and its label."
)


def truth_figure(document: Mapping[str, Any], *, model: str) -> Figure:
    """Draw how much of each factor heads write, above and below chance.

    Args:
        document: what ``measure_head_truth`` returned.
        model: its name for the heading.

    Returns:
        A figure of one page's width, for ``save_figure``.

    >>> shares = {"tail": {"value": 0.75}, "legs": {"value": 0.25}}
    >>> heads = [{"layer": 3, "head": 0, "label": "tail", "shares": shares}]
    >>> axes = truth_figure({"heads": heads, "factors": ["tail", "legs"], "images": 2}, model="ViT").axes[1]
    >>> axes.images[0].get_array().tolist(), [label.get_text() for label in axes.get_xticklabels()]
    ([[0.25], [-0.25]], ['0 tail'])
    """
    heads, factors = document["heads"], document["factors"]
    chance = 1 / len(factors)
    shares = [[head["shares"][factor]["value"] or 0.0 for head in heads] for factor in factors]
    layers = [layer for layer, _ in groupby(heads, lambda head: head["layer"])]
    return heat_map_figure(
        np.array(shares) - chance,
        heading=f"What each head of {model} writes, over {document['images']} images with one thing changed at a time",
        note=_NOTE.format(chance=chance),
        rows=factors,
        columns=[f"{head['head']} {head['label'] or ''}".strip() for head in heads],
        groups=[(f"layer {layer}", str(layer)) for layer in layers],
    )
