"""Writes every class group as it finishes, and the results at the end."""

import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from mkbench.datamodules.base import attached_data
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import UsageError
from mkbench.results.bundle import (
    ENVIRONMENT,
    FIGURES,
    GROUPS,
    MANIFEST,
    RESULTS,
    finished_groups,
    read_results,
    write_group,
    write_json,
    write_text_atomically,
)
from mkbench.results.description import build_results, describe_environment, describe_run, folder_name
from mkbench.results.manifest import differences, read_manifest
from mkbench.results.rows import empty_record, group_record
from mkbench.systems.mutual_knowledge import GroupResult, MutualKnowledge


class ResultWriter(Callback):
    """Keeps the result bundle of a run: ``<root>/<model>/``.

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
        if not isinstance(pl_module, MutualKnowledge):
            raise UsageError(
                f"Expected a MutualKnowledge system to write results of, found {type(pl_module).__name__}."
            )
        data = attached_data(trainer)
        self._folder = self.root / folder_name(pl_module.backbone.name)
        self._manifest = describe_run(pl_module, data)
        finished = [] if self.overwrite else self._finished()
        data.finished = _leave_one_each(finished, len(data.specs), trainer.world_size)

    def _finished(self) -> list[str]:
        finished = finished_groups(self.folder)
        earlier = read_manifest(self.folder / MANIFEST) or {}
        if finished and earlier != self._manifest:
            raise UsageError(
                f"Expected {self.folder} to be empty or to hold the same run, found one that differs in "
                f"{', '.join(differences(earlier, self._manifest))}; name another --results.root or add "
                "--results.overwrite true."
            )
        return finished

    def on_predict_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bundle: all that could refuse the run has had its say."""
        if trainer.is_global_zero:
            if self.overwrite:
                _clear(self.folder)
            write_json(self.folder / MANIFEST, self._manifest)
            if self.config_text is not None:
                write_text_atomically(self.folder / "config.yaml", self.config_text)
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
        names = attached_data(trainer).class_names
        record = group_record(outputs, names) if isinstance(outputs, GroupResult) else empty_record(batch)
        write_group(self.folder, record)
        self._images += len(batch)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Build the results from all groups once every device is done."""
        trainer.strategy.barrier("groups written")
        images = trainer.strategy.reduce(torch.tensor(float(self._images), device=pl_module.device), reduce_op="sum")
        if not (trainer.is_global_zero and isinstance(pl_module, MutualKnowledge)):
            return
        seconds = time.perf_counter() - self._started
        computed_now = float(images)
        results = build_results(self.folder, pl_module, attached_data(trainer))
        _, earlier = read_results(self.folder) if (self.folder / RESULTS).is_file() else ({}, {})
        write_json(self.folder / RESULTS, results)
        if computed_now or not earlier:  # a run that had nothing left to do keeps the timing of the one that did it
            write_json(self.folder / ENVIRONMENT, describe_environment(trainer, pl_module, computed_now, seconds))

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Rebuild results that were lost after the last group: with none to compute, only `setup` has been called."""
        if stage != "predict" or not (trainer.is_global_zero and isinstance(pl_module, MutualKnowledge)):
            return
        if not (self.folder / RESULTS).is_file():
            data = attached_data(trainer)
            pl_module.prepare_texts(data.class_names, data.bank.descriptors, data.templates)  # counts truncated texts
            write_json(self.folder / RESULTS, build_results(self.folder, pl_module, data))

    @property
    def folder(self) -> Path:
        """Folder of the model's bundle, known from `setup` on."""
        if self._folder is None:
            raise RuntimeError("Expected an open bundle, found none; setup was not called.")
        return self._folder


def _leave_one_each(finished: list[str], groups: int, devices: int) -> frozenset[str]:
    """Return the finished groups to leave out, such that every device has at least one group, as Lightning needs."""
    if groups < devices:
        raise UsageError(
            f"Expected at most as many devices as class groups, found {devices} devices for {groups} groups; lower "
            "--trainer.devices."
        )
    todo = groups - len(finished)
    again = max(devices - todo, 0) if todo else 0
    return frozenset(finished[again:])


def _clear(run: Path) -> None:
    """Delete the files that a run writes, and nothing else."""
    for folder, patterns in ((run / GROUPS, ("*.parquet",)), (run / FIGURES, ("*.png", "*.pdf"))):
        for pattern in patterns:
            for path in folder.glob(pattern):
                path.unlink()
    for name in (MANIFEST, RESULTS, ENVIRONMENT):
        (run / name).unlink(missing_ok=True)


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
