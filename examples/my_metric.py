"""A metric of your own: the share of an image's vision concepts that the text encoder shares."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mkbench.metrics import ImageMetric


class SharedConcepts(ImageMetric):
    """Mean over images of a number read from the rows of a run; devices and intervals come with the base class.

    `hits` says of each concept found in an image whether it is a language concept of the class; docs/reliability.md
    lists the columns, and scorers add theirs.
    """

    name = "shared_concepts"  # in results.json and in the loggers
    columns = ("hits",)  # what it reads of the rows
    higher_is_better = True  # None: neither way
    heading, unit, scale, decimals = "shared", "%", 100.0, 1  # how it is shown

    def image_values(self, rows: Mapping[str, Sequence[list[bool]]]) -> Tensor:
        """Return a number for each image; NaN for an image that has none."""
        shares = [sum(hits) / len(hits) if hits else float("nan") for hits in rows["hits"]]
        return torch.tensor(shares, dtype=torch.float64)
