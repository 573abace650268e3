"""Metrics of a user that cannot be taken."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mkbench.errors import UsageError
from mkbench.metrics import ImageMetric
from mkbench.metrics.own_metrics import own_entries


class Unnamed(ImageMetric):
    columns = ("a",)


class Slashed(ImageMetric):
    name, columns = "a/b", ("a",)


class WithoutColumns(ImageMetric):
    name = "a"


class Taken(ImageMetric):
    name, columns = "top1", ("a",)


class Fine(ImageMetric):
    name, columns = "fine", ("a",)


class TwoColumns(ImageMetric):
    name, columns = "two", ("a", "b")


class WrongShape(ImageMetric):
    name, columns = "wrong", ("a",)

    def image_values(self, rows: Any) -> torch.Tensor:
        return torch.zeros(1)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ([Unnamed()], r"Expected the metric Unnamed to have a `name` .*, found '' and \['a'\]; correct the class"),
        ([Slashed()], "found 'a/b'"),
        ([WithoutColumns()], r"found 'a' and \[\]"),
        ([Taken()], "Expected metrics of different names, found 'top1' of Taken twice; rename it"),
        ([Fine(), Fine()], "found 'fine' of Fine twice"),
    ],
)
def test_own_metric_that_cannot_be_told_apart_is_refused(metrics: list[ImageMetric], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        own_entries(metrics)


def test_own_metric_must_say_what_it_computes() -> None:
    with pytest.raises(UsageError, match="Expected TwoColumns to read one column or to have an image_values"):
        TwoColumns().update_rows({"a": [1], "b": [2]})
    with pytest.raises(UsageError, match=r"image_values of WrongShape to return 2 numbers.*the shape \(1,\)"):
        WrongShape().update_rows({"a": [1, 2]})
