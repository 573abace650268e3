"""Writes every class group as it finishes, and the results at the end."""

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import DataError, UsageError
from mkbench.runs.manifest import differences, read_manifest
from mkbench.runs.run_folder import (
    ANALYSES,
    CONTRIBUTIONS,
    ENVIRONMENT,
    FIGURES,
    GROUPS,
    HEAD_REMOVAL,
    HEADS,
    LABELS,
    LOG,
    MANIFEST,
    PRUNING,
    RESULTS,
    finished_groups,
    log_group,
    read_group,
    read_results,
    write_group,
    write_json,
    write_text_atomically,
)
from mkbench.systems.base import BenchmarkSystem
from mkbench.systems.provenance import build_results, describe_environment, describe_run, folder_name


class ResultWriter(Callback):
    """Keeps the run folder of a run: ``<root>/<model>/``.

    Groups that an earlier, interrupted run of the same model, settings and data has finished are not computed again.

    Args:
        root: folder of the bench; the model's own folder is made inside.
        overwrite: delete an earlier run of this model in this folder instead of going on with it.
    """

    def __init__(self, root: Path = Path("runs/predict"), overwrite: bool = False) -> None:
        self.root, self.overwrite = root, overwrite
        self._folder: Path | None = None
        self._manifest: dict[str, Any] = {}
        self.config_text: str | None = None
        self._started = 0.0
        self._images = 0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Refuse to mix with another run, and tell the data which groups are finished; nothing is written yet."""
        if stage != "predict":
            return
        if not isinstance(pl_module, BenchmarkSystem):
            raise UsageError(
                f"Expected a BenchmarkSystem such as MutualKnowledge to write results of, found "
                f"{type(pl_module).__name__}."
            )
        data = attached_data(trainer)
        self._folder = self.root / folder_name(pl_module.backbone.name)
        self._manifest = describe_run(pl_module, data)
        finished = () if self.overwrite else self._finished(pl_module, data, warn=trainer.is_global_zero)
        data.finished = frozenset(finished)

    def _finished(self, system: BenchmarkSystem, data: ClassGroupDataModule, *, warn: bool) -> list[str]:
        """Return the groups that need not be computed: those of this very run whose files are whole."""
        files = finished_groups(self.folder)
        earlier = read_manifest(self.folder / MANIFEST) or {}
        if files and earlier != self._manifest:
            raise UsageError(
                f"Expected {self.folder} to be empty or to hold the same run, found one that differs in "
                f"{', '.join(differences(earlier, self._manifest))}; name another --results.root or add "
                "--results.overwrite true."
            )
        samples = {spec.key: set(spec.sample_ids) for spec in data.specs}
        finished = []
        for key in files:
            reason = _why_not(self.folder, key, samples.get(key, set()), system)
            if reason is None:
                finished.append(key)
            elif warn:
                warnings.warn(f"The group {key} is computed again: {reason}", stacklevel=2)
        return finished

    def on_predict_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the run folder: all that could refuse the run has had its say."""
        if trainer.is_global_zero:
            _clear(self.folder, _WRITTEN if self.overwrite else _LEFT_BEHIND)
            write_json(self.folder / MANIFEST, self._manifest)
            if self.config_text is not None:
                write_text_atomically(self.folder / "config.yaml", self.config_text)
            if isinstance(pl_module, BenchmarkSystem):  # the live metrics are those of the whole run
                for key in sorted(attached_data(trainer).finished):
                    pl_module.take_in(read_group(self.folder / GROUPS / f"{key}.parquet"))
        trainer.strategy.barrier("bundle opened")

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: ClassGroup,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the group."""
        if batch.idle or not isinstance(pl_module, BenchmarkSystem):
            return
        pl_module.keep(self.folder, batch, outputs)
        record = pl_module.record(batch, outputs, attached_data(trainer).class_names)
        write_group(self.folder, record)
        log_group(self.folder, record, images=len(batch))
        self._images += len(batch)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Build the results from all groups once every device is done."""
        trainer.strategy.barrier("groups written")
        images = trainer.strategy.reduce(torch.tensor(float(self._images), device=pl_module.device), reduce_op="sum")
        if not (trainer.is_global_zero and isinstance(pl_module, BenchmarkSystem)):
            return
        seconds = time.perf_counter() - self._started
        computed_now = float(images)
        results = build_results(self.folder, pl_module, attached_data(trainer))
        _, earlier = read_results(self.folder) if (self.folder / RESULTS).is_file() else ({}, {})
        write_json(self.folder / RESULTS, results)
        if computed_now or not earlier:  # a run that had nothing left to do keeps the timing of the one that did it
            write_json(self.folder / ENVIRONMENT, describe_environment(trainer, pl_module, computed_now, seconds))

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Rebuild results that were lost after the last group, or that lack a metric named since.

        With no group to compute, only `setup` has been called.
        """
        if stage != "predict" or not (trainer.is_global_zero and isinstance(pl_module, BenchmarkSystem)):
            return
        if self._lacks_metrics(pl_module):
            data = attached_data(trainer)
            pl_module.prepare(data)  # results tell how many texts were truncated
            write_json(self.folder / RESULTS, build_results(self.folder, pl_module, data))

    def _lacks_metrics(self, system: BenchmarkSystem) -> bool:
        """Whether there are no results, or a user's metric is not among them."""
        if not (self.folder / RESULTS).is_file():
            return True
        results, _ = read_results(self.folder) if system.own_metrics else ({"metrics": []}, {})
        present = {metric["name"] for metric in results["metrics"]}
        return any(entry.name not in present for entry in system.own_metrics)

    @property
    def folder(self) -> Path:
        """Folder of the model's bundle, known from `setup` on."""
        if self._folder is None:
            raise RuntimeError("Expected an open bundle, found none; setup was not called.")
        return self._folder


#: Of a process that was killed while it wrote.
_TEMPORARY = (".*.json.*", f"{GROUPS}/.*.parquet.*", f"{CONTRIBUTIONS}/.*.safetensors.*")
#: With what followed from fewer groups.
_LEFT_BEHIND = (*_TEMPORARY, HEADS, LABELS, HEAD_REMOVAL, PRUNING)
#: All that a run writes; anything else in the folder is the user's.
_WRITTEN = (
    *(*_LEFT_BEHIND, f"{GROUPS}/*.parquet", f"{CONTRIBUTIONS}/*.safetensors", f"{FIGURES}/*.png", f"{FIGURES}/*.pdf"),
    *(MANIFEST, RESULTS, ENVIRONMENT, LOG, f"{ANALYSES}/*.png", f"{ANALYSES}/*.pdf", f"{ANALYSES}/*.json"),
)


def _clear(run: Path, patterns: Sequence[str]) -> None:
    """Delete the files of a run that fit a pattern."""
    for pattern in patterns:
        for path in run.glob(pattern):
            path.unlink()


def _why_not(run: Path, key: str, samples: set[str], system: BenchmarkSystem) -> str | None:
    """Say why a group file cannot be kept: it, or what lies beside it, is damaged or another's; None if it can."""
    try:
        record = read_group(run / GROUPS / f"{key}.parquet")
    except DataError as error:
        return str(error)
    foreign = set(record.rows["sample_id"].to_pylist()) - samples
    if foreign:
        return f"its file holds images of another group, such as {min(foreign)!r}."
    return system.why_not_kept(run, record)


def find_writer(trainer: L.Trainer) -> ResultWriter:
    """Return the trainer's result writer.

    Raises:
        RuntimeError: it has none.
    """
    callbacks: Any = getattr(trainer, "callbacks", [])
    for callback in callbacks:
        if isinstance(callback, ResultWriter):
            return callback
    raise RuntimeError("Expected a ResultWriter among the trainer's callbacks, found none.")
