"""Writes every class group as it finishes, and the results at the end."""

import platform
import time
from pathlib import Path
from typing import Any

import lightning as L
import open_clip
import torch
import torchvision
from lightning.pytorch.callbacks import Callback

import mkbench
from mkbench.backbones import model_entries
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.errors import DataError, UsageError
from mkbench.results.bundle import (
    ENVIRONMENT,
    FIGURES,
    GROUPS,
    MANIFEST,
    RESULTS,
    SCHEMA_VERSION,
    finished_groups,
    read_groups,
    read_results,
    write_group,
    write_json,
    write_text_atomically,
)
from mkbench.results.manifest import differences, read_manifest
from mkbench.results.rows import empty_record, group_record
from mkbench.results.summary import summarise
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
        data = _datamodule(trainer)
        self._folder = self.root / folder_name(pl_module.backbone.name)
        self._manifest = _manifest(pl_module, data)
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
        names = _datamodule(trainer).class_names
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
        results = build_results(self.folder, pl_module, _datamodule(trainer))
        _, earlier = read_results(self.folder) if (self.folder / RESULTS).is_file() else ({}, {})
        write_json(self.folder / RESULTS, results)
        if computed_now or not earlier:  # a run that had nothing left to do keeps the timing of the one that did it
            write_json(self.folder / ENVIRONMENT, _environment(trainer, pl_module, computed_now, seconds))

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Rebuild results that were lost after the last group: with none to compute, only `setup` has been called."""
        if stage != "predict" or not (trainer.is_global_zero and isinstance(pl_module, MutualKnowledge)):
            return
        if not (self.folder / RESULTS).is_file():
            data = _datamodule(trainer)
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


def folder_name(model: str) -> str:
    """Return a model's name as a folder name.

    >>> folder_name("ViT-B-32-quickgelu,openai")
    'ViT-B-32-quickgelu_openai'
    >>> folder_name("ViT-B-16 (random weights)")
    'ViT-B-16_random-weights'
    """
    spaced = model.replace(" (random weights)", "_random-weights")
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in spaced).strip(".") or "model"


def build_results(run: Path, system: MutualKnowledge, data: ClassGroupDataModule) -> dict[str, Any]:
    """Return the content of ``results.json`` from the group files of a finished run.

    Raises:
        DataError: not a single picture could be read.
    """
    records = read_groups(run, [spec.key for spec in data.specs])
    summary = summarise(records)
    if not summary["images"]:
        unreadable = summary["unreadable"]
        raise DataError(f"Expected pictures to explain, found {len(unreadable)} that cannot be read: {unreadable[0]}")
    return {
        "schema_version": SCHEMA_VERSION,
        "model": _describe_model(system),
        "data": data.describe() | {key: summary[key] for key in ("images", "unreadable")},
        "settings": system.settings(),
        "metrics": summary["metrics"],
        "curves": summary["curves"],
        "fallbacks": summary["fallbacks"] | {"text": {"truncated": system.backbone.truncated_texts}},
    }


def _describe_model(system: MutualKnowledge) -> dict[str, Any]:
    backbone = system.backbone
    entry = next((entry for entry in model_entries() if entry.name == backbone.name), None)
    return {
        "name": backbone.name,
        "label": entry.label if entry else backbone.name,
        "family": entry.family if entry else None,
        "parameters": backbone.num_parameters,
        "random_weights": backbone.random_weights,
        "fingerprint": backbone.fingerprint,
        "image_size": backbone.image_size,
        "grid": list(backbone.grid),
        "precision": system.precision,
    }


def _manifest(system: MutualKnowledge, data: ClassGroupDataModule) -> dict[str, Any]:
    """Return what must be equal for two sets of groups to belong to one run."""
    groups = {spec.key: list(spec.sample_ids) for spec in data.specs}
    return {
        "schema_version": SCHEMA_VERSION,
        "model": _describe_model(system),
        "data": data.describe(),
        "settings": system.settings(),
        "groups": groups,
    }


def _clear(run: Path) -> None:
    """Delete the files that a run writes, and nothing else."""
    for folder, patterns in ((run / GROUPS, ("*.parquet",)), (run / FIGURES, ("*.png", "*.pdf"))):
        for pattern in patterns:
            for path in folder.glob(pattern):
                path.unlink()
    for name in (MANIFEST, RESULTS, ENVIRONMENT):
        (run / name).unlink(missing_ok=True)


def _datamodule(trainer: L.Trainer) -> ClassGroupDataModule:
    data: Any = getattr(trainer, "datamodule", None)
    if not isinstance(data, ClassGroupDataModule):
        raise UsageError(f"Expected a DataModule of class groups in `data`, found {type(data).__name__}.")
    return data


def _environment(trainer: L.Trainer, system: MutualKnowledge, images: float, seconds: float) -> dict[str, Any]:
    return {
        "images_computed": int(images),
        "seconds": round(seconds, 3),
        "images_per_second": round(images / seconds, 4) if seconds > 0 else 0.0,
        "devices": trainer.world_size,
        "device": str(system.device.type),
        "precision": system.precision,
        "seed": system.seed,
        "fingerprint": system.backbone.fingerprint,
        "versions": {
            "mkbench": mkbench.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "lightning": L.__version__,
            "open_clip_torch": open_clip.__version__,
        },
    }
