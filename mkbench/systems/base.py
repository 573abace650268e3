"""Base class of the systems of `mkbench predict`: a frozen model, and its entries in the run folder."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import lightning as L
import pyarrow as pa
import torch
from torch import Tensor

from mkbench.backbones import Backbone, Geometry, PatchFeatures, ValueFeatures, load_backbone
from mkbench.backbones.base import Kind
from mkbench.backbones.finite import require_varied_embeddings
from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import UsageError
from mkbench.metrics.image_metric import ImageMetric
from mkbench.metrics.own_metrics import own_entries
from mkbench.runs.group_files import GroupRecord
from mkbench.systems.live_metrics import LiveMetrics
from mkbench.systems.records.metric_rows import Layout, OwnedRows
from mkbench.systems.text_cache import TextCache, cache_folder

Precision = Literal["32", "bf16", "16"]
_DTYPES: dict[str, torch.dtype] = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}


class ModelOptions(TypedDict, total=False):
    """Options of the model of a system; see :class:`BenchmarkSystem`."""

    pretrained: str | None
    random_weights: bool
    encoder_chunk: int
    text_cache: str
    precision: Precision


class SystemOptions(ModelOptions, total=False):
    """Options of a system; see :class:`BenchmarkSystem`."""

    metrics: list[ImageMetric] | None


class BenchmarkSystem(L.LightningModule, ABC):
    """Base class of the systems: evaluates one frozen model, class group by class group; predict-only.

    A subclass answers a group in ``answer`` and says how answers become rows and rows become results; ``ResultWriter``
    keeps them. The metrics of the run follow from the rows: live, over all devices, and again when results are built.

    Args:
        backbone: a name that :func:`mkbench.load_backbone` takes, or a backbone (by ``class_path`` in a configuration).
        pretrained: weight tag, for a bare architecture name.
        random_weights: build the architecture with random weights; every result then says so.
        encoder_chunk: images in one call of the image encoder; bounds memory.
        text_cache: where text embeddings are kept for the next run: ``auto`` (the user's cache folder), ``off`` or a
            folder.
        precision: of the encoders; everything after them is computed in fp32 or fp64.
        metrics: a user's own metrics, each by its ``class_path``; None: none.

    Attributes:
        seed: run seed.
        computed: the metrics over all devices by name, those of an explainer as ``metric/explainer``; known once all
            groups are done.

    Raises:
        UsageError: a chunk below 1, a model that there is not, or metrics of the same name.
    """

    seed: int = 0

    def __init__(
        self,
        backbone: str | Backbone,
        *,
        pretrained: str | None = None,
        random_weights: bool = False,
        encoder_chunk: int = 64,
        text_cache: str = "auto",
        precision: Precision = "32",
        metrics: list[ImageMetric] | None = None,
    ) -> None:
        super().__init__()
        if encoder_chunk < 1:
            raise UsageError(f"Expected --model.encoder_chunk to be at least 1, found {encoder_chunk}.")
        loaded = (
            load_backbone(backbone, pretrained=pretrained, random_weights=random_weights)
            if isinstance(backbone, str)
            else backbone
        )
        self.backbone = loaded.to(_DTYPES[precision]).eval().requires_grad_(False)
        self.encoder_chunk, self.precision = encoder_chunk, precision
        self.text_cache = TextCache(cache_folder(text_cache))
        self.own_metrics = own_entries(metrics or ())
        self.live: LiveMetrics | None = None
        self.computed: dict[str, float] = {}

    @property
    def geometry(self) -> Geometry:
        """Resizing and normalisation of the weights."""
        return self.backbone.geometry

    @property
    def kept_bytes(self) -> int:
        """Bytes that ``keep`` writes of each image beside its rows, as far as they can be told beforehand."""
        return 0

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return every choice that changes numbers, for results and for telling runs apart."""

    @abstractmethod
    def prepare(self, data: ClassGroupDataModule) -> None:
        """Encode all texts; called once before the first group, and before results are built without any group."""

    @abstractmethod
    def answer(self, group: ClassGroup) -> Any:
        """Return everything that is found out about a group with at least one image."""

    @abstractmethod
    def metric_layout(self) -> Layout:
        """Return which metrics are computed of the model and of each explainer."""

    @abstractmethod
    def metric_rows(self, rows: pa.Table) -> OwnedRows:
        """Return the columns of the model and of each explainer from rows of a run."""

    @abstractmethod
    def record(self, group: ClassGroup, answer: Any, class_names: Sequence[str]) -> GroupRecord:
        """Return the rows of a group.

        Args:
            group: the group.
            answer: what ``predict_step`` returned for it; None if none of its images could be read.
            class_names: names in class order.
        """

    @abstractmethod
    def summarise(self, records: Sequence[GroupRecord], data: ClassGroupDataModule) -> dict[str, Any]:
        """Return the entries of ``results.json`` that follow from the rows.

        Args:
            records: all groups of a run, in any order.
            data: the data they were computed from.

        Returns:
            At least ``metrics``, ``fallbacks``, and ``images`` and ``unreadable`` for the ``data`` entry.
        """

    @property
    def earlier_runs(self) -> tuple[Path, ...]:
        """Folders of the finished runs that this one reads; none for most systems."""
        return ()

    def describe_costs(self) -> dict[str, Any]:
        """Return what ``environment.json`` says of the costs of the run's parts, none of which may change a metric."""
        return {}

    def keep(self, run: Path, group: ClassGroup, answer: Any) -> None:
        """Write what is kept of a group beside its rows; called before they are written, so that it is there with them.

        Args:
            run: folder of the run.
            group: the group.
            answer: what ``predict_step`` returned for it.
        """

    def why_not_kept(self, run: Path, record: GroupRecord) -> str | None:
        """Say why what is kept beside the rows of a finished group cannot be used; None if it can."""
        return None

    def setup(self, stage: str) -> None:
        """Refuse a user's metric that reads what the run does not have, before any data is read.

        Raises:
            UsageError: there is one.
        """
        known = {entry.name for entries in self.metric_layout().values() for entry in entries}
        for entry in self.own_metrics:
            if entry.name not in known:
                raise UsageError(
                    f"Expected the metric {entry.name!r} to read columns that the rows of this run have, found "
                    f"{', '.join(entry.columns)}; correct its `columns`, or add the scorer that fills them."
                )

    def on_predict_start(self) -> None:
        """Prepare the texts, on the first device of every machine; the others then find them in the cache.

        Raises:
            UsageError: another precision of the trainer than full, or a DataModule without class groups.
        """
        data = attached_data(self.trainer)
        if self.trainer.precision != "32-true":
            raise UsageError(
                f"Expected --trainer.precision 32-true, found {self.trainer.precision}; the analysis needs it: set the "
                "encoders' precision with --model.precision."
            )
        self.trainer.predict_loop.return_predictions = False  # a callback takes each answer; memory would not hold all
        torch.set_float32_matmul_precision("highest")  # TF32 would change similarities in the third digit
        waits = self.text_cache.folder is not None and self.trainer.local_rank > 0
        if waits:
            self.trainer.strategy.barrier("texts")
        self.prepare(data)
        if self.text_cache.folder is not None and not waits:
            self.trainer.strategy.barrier("texts")
        self.live = LiveMetrics(self.metric_layout()).to(self.device)

    def predict_step(self, batch: ClassGroup, batch_idx: int) -> Any:
        """Answer a class group, and add its images to the metrics; None if none of its images could be read."""
        if not len(batch):
            return None
        answer = self.answer(batch)
        if self.live is not None:
            self.take_in(self.record(batch, answer, attached_data(self.trainer).class_names))
        return answer

    def take_in(self, record: GroupRecord) -> None:
        """Add the images of a group to the metrics of the run that goes on."""
        if self.live is not None and len(record.rows):
            self.live.update(self.metric_rows(record.rows))

    def on_predict_epoch_end(self) -> None:
        """Compute the metrics over all devices, and give them to the trainer's loggers."""
        if self.live is None:
            return
        self.computed = self.live.compute()
        for logger in self.trainer.loggers:  # `self.log` raises while predicting
            logger.log_metrics(self.computed)

    def _chunks(self, images: Tensor) -> Iterator[Tensor]:
        return (images[start : start + self.encoder_chunk] for start in range(0, len(images), self.encoder_chunk))

    def _encode_again(self, images: Tensor) -> Tensor:
        """Encode what was drawn from images that are checked; a check reads from the device, which waits for it."""
        return torch.cat([self.backbone.encode_image(chunk) for chunk in self._chunks(images)])

    def _encode(self, images: Tensor) -> Tensor:
        """Encode uint8 images (n, 3, S, S) to (n, d), not normalised, a chunk at a time."""
        embeddings = self._encode_again(images)
        require_varied_embeddings(embeddings, images, model=self.backbone.name)
        return embeddings

    def _patch_features(self, images: Tensor, kind: Kind) -> PatchFeatures:
        """Return features (n, N, C) and embeddings (n, d) of uint8 images in fp32, a chunk at a time."""
        features = PatchFeatures(*self._in_chunks(self.backbone.patch_features, images, kind))
        require_varied_embeddings(features.embedding, images, model=self.backbone.name)
        return features

    def _value_features(self, images: Tensor, kind: Kind) -> ValueFeatures:
        """Return features and embeddings as ``_patch_features``, and the patches in the joint space (n, N, d)."""
        features = ValueFeatures(*self._in_chunks(self.backbone.value_features, images, kind))
        require_varied_embeddings(features.embedding, images, model=self.backbone.name)
        return features

    def _in_chunks(
        self, read: Callable[[Tensor, Kind], tuple[Tensor, ...]], images: Tensor, kind: Kind
    ) -> Iterator[Tensor]:
        """Return, in fp32, what a reader says of uint8 images, a chunk at a time."""
        chunks = [read(chunk, kind) for chunk in self._chunks(images)]
        return (torch.cat(column).float() for column in zip(*chunks, strict=True))

    @staticmethod
    def _rank(unit: Tensor, classes: Tensor) -> Tensor:
        """Return the (up to) five nearest classes of every image, ties to the lower index."""
        similarity = unit.double() @ classes.double().T
        return similarity.argsort(dim=1, descending=True, stable=True)[:, :5]
