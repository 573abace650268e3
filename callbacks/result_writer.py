"""Callback that writes every class group as it finishes, and the results at the end."""

import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from mkbench.datamodules.base import ClassGroupDataModule, attached_data
from mkbench.datamodules.class_groups import ClassGroup, GroupSpec
from mkbench.errors import MkbenchError, MkbenchWarning, UsageError
from mkbench.runs.group_files import finished_groups, log_group, read_group, write_group
from mkbench.runs.manifest import differences, read_manifest
from mkbench.runs.ownership import give_up_ownership, take_ownership
from mkbench.runs.results import read_environment, read_results
from mkbench.runs.run_folder import (
    CONFIG,
    DESCRIPTORS,
    ENVIRONMENT,
    MANIFEST,
    RESULTS,
    clear_run,
    clear_temporary,
    group_path,
    write_json,
    write_text_atomically,
)
from mkbench.systems.base import BenchmarkSystem
from mkbench.systems.group_reuse import is_same_run, why_computed_again
from mkbench.systems.provenance import build_results, describe_environment, describe_run, folder_name


class ResultWriter(Callback):
    """Writer of the run folder: ``<root>/<model>/``.

    Groups that an earlier, interrupted run of the same model, settings and data has finished are not computed again.

    Args:
        root: folder of the bench; the model's own folder is made inside.
        overwrite: delete an earlier run of this model in this folder instead of going on with it.
        name: what folder and tables call the model, to tell apart two of the same name; None: its own name.
        take_over: take the folder from a process that has crashed on another machine.

    Attributes:
        already_finished: whether there was nothing left to compute.
        smoke_test: whether the run is one of `fast_dev_run`, of which nothing is kept.
    """

    def __init__(
        self,
        root: Path = Path("runs/predict"),
        overwrite: bool = False,
        *,
        name: str | None = None,
        take_over: bool = False,
    ) -> None:
        self.root, self.overwrite, self.name, self.take_over = root, overwrite, name, take_over
        self.already_finished = self.smoke_test = False
        self._folder: Path | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self._manifest: dict[str, Any] = {}
        self.config_text: str | None = None
        self._started = 0.0
        self._images = 0
        self._outdated = False

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Own the folder, refuse to mix with another run, and tell the data which groups are finished."""
        if stage != "predict":
            return
        if not isinstance(pl_module, BenchmarkSystem):
            raise UsageError(
                f"Expected a BenchmarkSystem such as MutualKnowledge to write results of, found "
                f"{type(pl_module).__name__}."
            )
        data = attached_data(trainer)
        self._folder = self._place(trainer) / folder_name(self.name or pl_module.backbone.name)
        self._take_ownership(trainer)
        if trainer.is_global_zero:
            clear_temporary(self.folder)
        self._manifest = self._labelled(describe_run(pl_module, data))
        finished = () if self.overwrite else self._finished(trainer, pl_module, data)
        data.finished = frozenset(finished)
        self.already_finished = data.finished >= {spec.key for spec in data.specs}

    def _place(self, trainer: L.Trainer) -> Path:
        """Return the folder of the bench; a smoke test gets one that is deleted, so that none looks like a run."""
        self.smoke_test = bool(getattr(trainer, "fast_dev_run", False))
        if not self.smoke_test:
            return self.root
        self._temporary = TemporaryDirectory(prefix="mkbench-smoke-test-")
        return Path(trainer.strategy.broadcast(self._temporary.name))

    def _clean_up(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def _take_ownership(self, trainer: L.Trainer) -> None:
        """Take the folder from the first device; all devices stop alike where it is another run's."""
        reason = None
        if trainer.is_global_zero:
            try:
                take_ownership(self.folder, take_over=self.take_over)
            except UsageError as error:
                reason = str(error)
        reason = trainer.strategy.broadcast(reason)
        if reason is not None:
            raise UsageError(reason)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Release the folder of a run that failed or was stopped; leave nothing of a smoke test."""
        self._clean_up()
        if self._folder is not None:
            give_up_ownership(self.folder)

    def _labelled(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document with the name that the user gave the model, if there is one."""
        return document if self.name is None else {**document, "model": {**document["model"], "label": self.name}}

    def _finished(self, trainer: L.Trainer, system: BenchmarkSystem, data: ClassGroupDataModule) -> list[str]:
        """Return the groups that need not be computed: those of this very run whose files are whole.

        Every device reads its share of them and is told of the others.
        """
        tell = trainer.strategy.broadcast
        files = tell(finished_groups(self.folder))
        earlier = read_manifest(self.folder) or {}
        same = not (files and trainer.is_global_zero) or is_same_run(self.folder, earlier, self._manifest)
        if not tell(same):
            raise UsageError(
                f"Expected {self.folder} to be empty or to hold the same run, found one that differs in "
                f"{', '.join(differences(earlier, self._manifest))}; name another --results.root or add "
                "--results.overwrite true."
            )
        self._outdated = bool(files) and earlier != self._manifest
        there = set(files)
        specs = [spec for spec in data.specs if spec.key in there]

        def why_not(spec: GroupSpec) -> str | Exception | None:
            try:
                return why_computed_again(self.folder, spec, earlier["groups"].get(spec.key, ()), system, data)
            except (MkbenchError, OSError) as error:  # the other devices wait for an answer: all raise it together
                return error

        share = specs[trainer.global_rank :: trainer.world_size]
        with ThreadPoolExecutor(max(1, data.num_workers)) as threads:  # they wait for the disk
            own = dict(zip((spec.key for spec in share), threads.map(why_not, share), strict=True))
        reasons = {key: why for rank in range(trainer.world_size) for key, why in tell(own, rank).items()}
        for key, reason in sorted(reasons.items()):
            if isinstance(reason, Exception):
                raise reason
            if reason is not None and trainer.is_global_zero:
                warnings.warn(f"The group {key} is computed again: {reason}", MkbenchWarning, stacklevel=2)
        return [key for key, reason in reasons.items() if reason is None]

    def on_predict_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the run folder: all that could refuse the run has had its say."""
        if trainer.is_global_zero:
            self._open(attached_data(trainer))
            if isinstance(pl_module, BenchmarkSystem):  # the live metrics are those of the whole run
                for key in sorted(attached_data(trainer).finished):
                    pl_module.take_in(read_group(group_path(self.folder, key)))
        trainer.strategy.barrier("run folder opened")

    def _open(self, data: ClassGroupDataModule) -> None:
        """Clear away what does not belong to the run as it is now, and write what it consists of."""
        clear_run(self.folder, finished=self.overwrite)
        for key in set(finished_groups(self.folder)) - {spec.key for spec in data.specs}:
            group_path(self.folder, key).unlink()
        write_json(self.folder / MANIFEST, self._manifest)
        write_json(self.folder / DESCRIPTORS, list(data.bank.descriptors))
        if self.config_text is not None:
            write_text_atomically(self.folder / CONFIG, self.config_text)

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
        answered = pl_module.record(batch, outputs, attached_data(trainer).class_names)
        record = replace(answered, content=batch.content)
        write_group(self.folder, record)
        log_group(self.folder, record, images=len(batch))
        self._images += len(batch)

    def on_predict_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Build the results from all groups once every device is done."""
        trainer.strategy.barrier("groups written")
        images = trainer.strategy.reduce(torch.tensor(float(self._images), device=pl_module.device), reduce_op="sum")
        if not (trainer.is_global_zero and isinstance(pl_module, BenchmarkSystem)):
            return
        seconds = time.perf_counter() - self._started
        results = self._build_results(trainer, pl_module)  # first, since it may refuse
        write_json(self.folder / ENVIRONMENT, describe_environment(trainer, pl_module, float(images), seconds))
        write_json(self.folder / RESULTS, results)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Restore what was lost after the last group, and release the folder."""
        if stage != "predict":
            return
        self.restore(trainer, pl_module)
        if trainer.is_global_zero:
            self._clean_up()
            give_up_ownership(self.folder)

    def restore(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Rebuild results and environment that were lost or damaged, or results that lack a metric named since.

        With no group to compute, only `setup` has been called before. A run that has all of them is left alone.
        """
        if not (trainer.is_global_zero and isinstance(pl_module, BenchmarkSystem)):
            return
        if self._outdated and self.already_finished:  # an image that could not be read is gone, and its group with it
            self._open(attached_data(trainer))
        if not _is_whole(read_environment, self.folder):
            write_json(self.folder / ENVIRONMENT, describe_environment(trainer, pl_module, 0, 0))
        if self._lacks_metrics(pl_module):
            pl_module.prepare(attached_data(trainer))  # results tell how many texts were truncated
            write_json(self.folder / RESULTS, self._build_results(trainer, pl_module))

    def _build_results(self, trainer: L.Trainer, system: BenchmarkSystem) -> dict[str, Any]:
        limit = getattr(trainer, "limit_predict_batches", 1.0)
        partial = isinstance(limit, int) or limit < 1.0  # 1 is one batch, 1.0 is all of them
        return self._labelled(build_results(self.folder, system, attached_data(trainer), partial=partial))

    def _lacks_metrics(self, system: BenchmarkSystem) -> bool:
        """Whether there are no results, or damaged ones, or a user's metric is not among them."""
        if not _is_whole(read_results, self.folder):
            return True
        if not system.own_metrics:
            return False
        present = {metric["name"] for metric in read_results(self.folder)["metrics"]}
        return any(entry.name not in present for entry in system.own_metrics)

    @property
    def folder(self) -> Path:
        """The model's run folder, known from `setup` on."""
        if self._folder is None:
            raise RuntimeError("Expected an open run folder, found none; setup was not called.")
        return self._folder


def _is_whole(read: Callable[[Path], object], run: Path) -> bool:
    """Tell whether a file of a run can be read and says something."""
    try:
        return bool(read(run))
    except MkbenchError:
        return False


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
