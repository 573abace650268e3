"""Accuracy of trained heads beside zero-shot classification, as a predict-only system."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.backbones.finite import require_finite_embeddings
from mkbench.baselines.trained_baseline import TrainedHead, load_head
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.options import Unpack
from mkbench.errors import UsageError
from mkbench.runs.group_files import GroupRecord
from mkbench.systems.base import BenchmarkSystem, SystemOptions
from mkbench.systems.records.classifiers import (
    classified_layout,
    classified_record,
    classified_rows,
    summarise_classified,
)
from mkbench.systems.records.metric_rows import Layout, OwnedRows

#: Images that a head looks at at once: it needs (images, bank, patches) numbers.
_CHUNK = 16


class BaselineAccuracy(BenchmarkSystem):
    """Accuracy of the heads that `mkbench fit` trained.

    Every image is encoded once for all heads of one kind of features, which is the kind that they were trained on.
    The zero-shot classifier, by the prompt ensemble of the class names, is measured beside them.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, Table 5.

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone (by ``class_path`` in a configuration).
        files: the trained heads, of different kinds; the first is the one that the others are compared with.
        options: see :class:`BenchmarkSystem`.

    Raises:
        UsageError: no head, two of a kind, a file that is not there, or heads of another model.
        DataError: a damaged file.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        files: list[Path],
        **options: Unpack[SystemOptions],
    ) -> None:
        heads = [load_head(file) for file in files]
        names = [trained.head.name for trained in heads]
        if not names or len(set(names)) < len(names):
            raise UsageError(
                f"Expected --model.files with a trained head or several of different kinds, found {names or 'none'}; "
                "name one file of each kind."
            )
        super().__init__(backbone, **options)
        self.trained: dict[str, TrainedHead] = dict(zip(names, heads, strict=True))
        for trained in heads:
            trained.require_backbone(self.backbone)
        self.heads = torch.nn.ModuleDict({name: trained.head for name, trained in self.trained.items()})
        self.classes: Tensor | None = None

    def settings(self) -> dict[str, Any]:
        """Return every choice that changes numbers, and how each head was trained."""
        return {
            "heads": {name: _describe(trained) for name, trained in self.trained.items()},
            "precision": self.precision,
        }

    @torch.no_grad()
    def prepare(self, data: ClassGroupDataModule) -> None:
        """Encode the classes.

        Raises:
            UsageError: images without labels, or a head that was trained with another bank or class list.
        """
        if not data.labelled:
            raise UsageError("Expected images whose class is known, found some without labels; give labelled ones.")
        for trained in self.trained.values():
            trained.require_run(data.describe(), features=trained.record["backbone"]["features"])
        self.backbone.truncated_texts = 0
        self.classes = self.text_cache.embed_classes(self.backbone, data.class_names, data.templates)

    @torch.no_grad()
    def answer(self, group: ClassGroup) -> dict[str | None, Tensor]:
        """Classify a class group: head, None for zero-shot -> (B, up to 5) classes, best first."""
        if self.classes is None:
            raise RuntimeError("Expected prepared texts, found none; call prepare first.")
        kinds = dict.fromkeys(trained.record["backbone"]["features"] for trained in self.trained.values())
        ranking: dict[str | None, Tensor] = {}
        for kind in kinds:
            features, embedding = self._patch_features(group.images, kind)
            require_finite_embeddings(embedding, group.sample_ids, model=self.backbone.name)
            if None not in ranking:
                ranking[None] = self._rank(F.normalize(embedding.double(), dim=-1), self.classes)
            for name, trained in self.trained.items():
                if trained.record["backbone"]["features"] == kind:
                    ranking[name] = self._ask(name, features, embedding)
        return ranking

    def _ask(self, name: str, features: Tensor, embedding: Tensor) -> Tensor:
        """Return the (up to) five likeliest classes of every image by a head, ties to the lower index."""
        starts = range(0, len(features), _CHUNK)
        logits = [self.heads[name](features[at : at + _CHUNK], embedding[at : at + _CHUNK]) for at in starts]
        return torch.cat(logits).double().argsort(dim=1, descending=True, stable=True)[:, :5]

    def record(
        self, group: ClassGroup, answer: dict[str | None, Tensor] | None, class_names: Sequence[str]
    ) -> GroupRecord:
        """Return the rows of a group, one for each image."""
        return classified_record(group, answer or {}, class_names, list(self.trained))

    def metric_layout(self) -> Layout:
        """Return the accuracies of the zero-shot classifier and of every head, and a user's own metrics."""
        return classified_layout(list(self.trained), self.own_metrics)

    def metric_rows(self, rows: pa.Table) -> OwnedRows:
        """Return the columns of the zero-shot classifier and of every head."""
        return classified_rows(rows, list(self.trained))

    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Return the metrics of every head, and how much better each is than the first."""
        return summarise_classified(records, list(self.trained), self.own_metrics) | {"fallbacks": {}}


def _describe(trained: TrainedHead) -> dict[str, Any]:
    """What a result says of a head: its file by the content, and what it was trained on and how."""
    return {
        "file_sha256": trained.sha256,
        "options": trained.head.options(),
        "features": trained.record["backbone"]["features"],
        "training": trained.record.get("training"),
        "data": trained.record.get("data", {}).get("train"),
    }
