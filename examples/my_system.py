"""A system of your own: zero-shot accuracy by a single prompt."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.datamodules import ClassGroup, ClassGroupDataModule
from mkbench.runs.run_folder import GroupRecord
from mkbench.systems.base import BenchmarkSystem
from mkbench.systems.records.images import ranking_record, summarise_rankings


class OnePrompt(BenchmarkSystem):
    """A question asked of a frozen model, class group by class group; resume and devices come with the base class."""

    def __init__(self, backbone: str | Backbone, *, prompt: str = "a photo of a {}.") -> None:
        super().__init__(backbone)
        self.prompt = prompt

    def settings(self) -> dict[str, Any]:
        """Every choice that changes numbers."""
        return {"system": type(self).__name__, "prompt": self.prompt}

    def prepare(self, data: ClassGroupDataModule) -> None:
        """Encode all texts, once."""
        self.classes = self.text_cache.embed_classes(self.backbone, data.class_names, [self.prompt])

    @torch.no_grad()
    def predict_step(self, batch: ClassGroup, batch_idx: int) -> Tensor | None:
        """Answer a group: the (up to) five nearest classes of every image; None if no image could be read."""
        return self._rank(F.normalize(self._encode(batch.images), dim=-1), self.classes) if len(batch) else None

    def record(self, group: ClassGroup, answer: Tensor | None, class_names: Sequence[str]) -> GroupRecord:
        """Turn an answer into rows, one for each image."""
        return ranking_record(group, answer, class_names)

    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Turn the rows of all groups into the metrics of `results.json`."""
        return summarise_rankings(records) | {"fallbacks": {}}
