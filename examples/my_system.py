"""A system of your own: zero-shot accuracy by a single prompt."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.datamodules import ClassGroup, ClassGroupDataModule
from mkbench.runs.group_files import GroupRecord
from mkbench.systems.base import BenchmarkSystem
from mkbench.systems.records.metric_rows import Layout, OwnedRows
from mkbench.systems.records.rankings import ranking_layout, ranking_record, ranking_rows, summarise_rankings


class OnePrompt(BenchmarkSystem):
    """A question asked of a frozen model, class group by class group; resume and devices come with the base class."""

    def __init__(self, backbone: str | Backbone, *, prompt: str = "a photo of a {}.") -> None:
        super().__init__(backbone)
        self.prompt = prompt

    def settings(self) -> dict[str, Any]:
        """Every choice that changes numbers."""
        return {"prompt": self.prompt}

    def prepare(self, data: ClassGroupDataModule) -> None:
        """Encode all texts, once."""
        self.classes = self.text_cache.embed_classes(self.backbone, data.class_names, [self.prompt])

    @torch.no_grad()
    def answer(self, group: ClassGroup) -> Tensor:
        """Answer a group: the (up to) five nearest classes of every image."""
        return self._rank(F.normalize(self._encode(group.images), dim=-1), self.classes)

    def record(self, group: ClassGroup, answer: Tensor | None, class_names: Sequence[str]) -> GroupRecord:
        """Turn an answer into rows, one for each image; None if no image of the group could be read."""
        return ranking_record(group, answer, class_names)

    def metric_layout(self) -> Layout:
        """The metrics of the model, and of explainers if there are any: here top-1 and top-5."""
        return ranking_layout()

    def metric_rows(self, rows: pa.Table) -> OwnedRows:
        """The columns that these metrics read."""
        return ranking_rows(rows)

    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Turn the rows of all groups into the metrics of `results.json`."""
        return summarise_rankings(records) | {"fallbacks": {}}
