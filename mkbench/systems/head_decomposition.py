"""Decomposition of image embeddings over attention heads, as a predict-only system that stores the contributions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.backbones import Backbone
from mkbench.backbones.finite import require_finite_embeddings, require_varied_embeddings
from mkbench.backbones.towers.find_tower import find_tower
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.options import Unpack
from mkbench.errors import DataError, UsageError
from mkbench.heads import Decomposer, HeadContributions
from mkbench.heads.stored_contributions import read_shape, write_contributions
from mkbench.runs.group_files import GroupRecord
from mkbench.systems.base import BenchmarkSystem, SystemOptions
from mkbench.systems.records.metric_rows import Layout, OwnedRows
from mkbench.systems.records.rankings import ranking_layout, ranking_record, ranking_rows, summarise_rankings

StoredAs = Literal["fp32", "fp16"]
_DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True)
class DecomposedGroup:
    """Decomposed images of a class group.

    Attributes:
        ranking: (B, up to 5) int64, predicted classes, best first.
        terms: what adds up to their embeddings, on the CPU, without ``attention``.
    """

    ranking: Tensor
    terms: HeadContributions


class HeadDecomposition(BenchmarkSystem):
    """Contributions of attention heads to image embeddings (Gandelsman, Efros & Steinhardt, ICLR 2024, 2310.05916).

    Every image is classified zero-shot, and what the heads of the last layers, the MLPs and the rest of the tower add
    to its embedding is kept in ``contributions/`` of the run. ``mkbench heads`` describes the heads by texts from it.

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone (by ``class_path`` in a configuration);
            a vision transformer.
        num_layers: the last layers whose heads are told apart; all layers of a model that has fewer.
        stored_as: precision of what is kept: ``fp32``, or ``fp16`` for half the space.
        options: see :class:`BenchmarkSystem`.

    Raises:
        UsageError: fewer than one layer.
        BackboneError: a model whose embedding is no sum over attention heads.
    """

    def __init__(
        self,
        backbone: str | Backbone,
        *,
        num_layers: int = 4,
        stored_as: StoredAs = "fp32",
        **options: Unpack[SystemOptions],
    ) -> None:
        if num_layers < 1:
            raise UsageError(f"Expected --model.num_layers to be at least 1, found {num_layers}.")
        super().__init__(backbone, **options)
        tower = find_tower(self.backbone)  # refuses what cannot be decomposed before anything is read
        depth = len(tower.layers)
        self._terms = tower.layers[0].attention.num_heads, depth  # heads of a layer, MLPs
        self.layers = tuple(range(max(depth - num_layers, 0), depth))
        self.stored_as = stored_as
        self._decomposer: Decomposer | None = None
        self._classes: Tensor | None = None

    @property
    def kept_bytes(self) -> int:
        """Bytes of the terms of each image: its heads and MLPs, and four more of the width of the joint space."""
        heads, mlps = self._terms
        terms = len(self.layers) * heads + mlps + 4  # initial, rest, constant and embedding
        return terms * self.backbone.embed_dim * _DTYPES[self.stored_as].itemsize

    def settings(self) -> dict[str, Any]:
        """Return every choice that changes numbers, for results and for telling runs apart."""
        return {
            "num_layers": len(self.layers),
            "layers": list(self.layers),
            "stored_as": self.stored_as,
            "precision": self.precision,
        }

    def prepare(self, data: ClassGroupDataModule) -> None:
        """Encode the classes of the data, and fold the weights of the heads."""
        self.prepare_classes(data.class_names, data.templates)

    @torch.no_grad()
    def prepare_classes(self, class_names: Sequence[str], templates: Sequence[str]) -> None:
        """Encode classes, and get ready to decompose with the weights where they now are.

        Args:
            class_names: Y names, in class order.
            templates: prompts with ``{}``.
        """
        self.backbone.truncated_texts = 0
        self._classes = self.text_cache.embed_classes(self.backbone, class_names, templates)
        self._decomposer = Decomposer(self.backbone)

    @property
    def decomposer(self) -> Decomposer:
        """Decomposer of the model; known after ``prepare``."""
        if self._decomposer is None:
            raise RuntimeError("Expected a prepared system, found none; call prepare first.")
        return self._decomposer

    def classify(self, embeddings: Tensor) -> Tensor:
        """Return the (up to) five nearest classes (B, 5) of image embeddings (B, d), rebuilt ones or the model's.

        Raises:
            RuntimeError: ``prepare`` was not called.
        """
        return self._rank(F.normalize(embeddings.double(), dim=-1), self._prepared_classes(embeddings))

    def class_margins(self, embeddings: Tensor, classes: Tensor) -> Tensor:
        """Return the cosine of image embeddings (B, d) and their classes (B,), less that of the nearest other class.

        Returns:
            (B,) float64, -2..2; above 0 for an image that is classified rightly.

        Raises:
            RuntimeError: ``prepare`` was not called.
        """
        texts = self._prepared_classes(embeddings).double()
        cosines = F.normalize(embeddings.double(), dim=-1) @ texts.T
        places = classes.to(cosines.device)[:, None]
        others = cosines.scatter(1, places, -torch.inf).amax(dim=1)
        return cosines.gather(1, places)[:, 0] - others

    def _prepared_classes(self, embeddings: Tensor) -> Tensor:
        """Return the texts of the classes on the device of the embeddings."""
        if self._classes is None:
            raise RuntimeError("Expected prepared texts, found none; call prepare first.")
        return self._classes.to(embeddings.device)

    # -- images ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def answer(self, group: ClassGroup) -> DecomposedGroup:
        """Decompose and classify a class group."""
        terms = HeadContributions.concatenate([self._decompose(chunk) for chunk in self._chunks(group.images)])
        require_finite_embeddings(terms.embedding, group.sample_ids, model=self.backbone.name)
        require_varied_embeddings(terms.embedding, group.images, model=self.backbone.name)
        return DecomposedGroup(self.classify(terms.embedding), terms)

    def _decompose(self, images: Tensor) -> HeadContributions:
        terms = self.decomposer(images, layers=self.layers)
        return replace(terms, attention=terms.attention[..., :0]).map(Tensor.cpu)

    # -- what a run folder asks -------------------------------------------------------------------------------------

    def keep(self, run: Path, group: ClassGroup, answer: DecomposedGroup | None) -> None:
        """Write the contributions of a group; nothing for one of which no image could be read."""
        if answer is not None:
            dtype, fingerprint = _DTYPES[self.stored_as], self.backbone.fingerprint
            write_contributions(run, group.key, answer.terms, group.sample_ids, fingerprint=fingerprint, dtype=dtype)

    def why_not_kept(self, run: Path, record: GroupRecord) -> str | None:
        """Say why the contributions of a finished group cannot be used; None if they can."""
        sample_ids = record.rows["sample_id"].to_pylist()
        try:
            if sample_ids:
                read_shape(run, record.key, sample_ids, fingerprint=self.backbone.fingerprint, layers=self.layers)
        except DataError as error:
            return str(error)
        return None

    def record(self, group: ClassGroup, answer: DecomposedGroup | None, class_names: Sequence[str]) -> GroupRecord:
        """Return the rows of a group, one for each image."""
        return ranking_record(group, None if answer is None else answer.ranking, class_names)

    def metric_layout(self) -> Layout:
        """Return the accuracies, and a user's own metrics."""
        return ranking_layout(self.own_metrics)

    def metric_rows(self, rows: pa.Table) -> OwnedRows:
        """Return the columns of the model."""
        return ranking_rows(rows)

    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Return the accuracy, and the names of the classes, with which rebuilt embeddings are classified later."""
        return summarise_rankings(records, self.own_metrics) | {"class_names": list(data.class_names), "fallbacks": {}}
