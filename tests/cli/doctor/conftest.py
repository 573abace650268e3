from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mkbench.cli.doctor.findings import Remark
from mkbench.datamodules import ImageFolder
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import DataError


class ListSource:
    """Images that exist as names alone; those called `bad` cannot be read."""

    def __init__(self, ids: Sequence[Sequence[str]], names: Sequence[str]) -> None:
        self.ids, self.class_names = ids, tuple(names)

    def sample_ids(self, class_index: int) -> Sequence[str]:
        return self.ids[class_index]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        if "bad" in sample_id:
            raise DataError(f"Expected a readable image at {sample_id}, found none.")
        return torch.zeros(3, 20, 30, dtype=torch.uint8)


class Listed(ClassGroupDataModule):
    """A data set of such images."""

    def __init__(self, ids: Sequence[Sequence[str]], names: Sequence[str] = ("ant", "bee", "cat")) -> None:
        super().__init__(num_workers=0)
        self.ids, self.given_names = ids, names

    def make_source(self) -> ListSource:
        return ListSource(self.ids, self.given_names)


@pytest.fixture
def folders(photo_tree: Callable[..., Path], write_bank: Callable[[], Path]) -> ImageFolder:
    """Three class folders with two images each, and a bank."""
    return ImageFolder(photo_tree(), bank=write_bank(), num_workers=0)


def states(remarks: Iterable[Remark]) -> list[str]:
    return [remark.state for remark in remarks]


def said(remarks: Iterable[Remark], state: str) -> str:
    """The sentences of one state, one a line."""
    return "\n".join(remark.sentence for remark in remarks if remark.state == state)
