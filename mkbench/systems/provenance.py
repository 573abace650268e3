"""Provenance of a run: model, data, settings and environment, as its run folder records them."""

import platform
import re
from pathlib import Path
from typing import Any

import lightning as L
import open_clip
import torch
import torchvision

from mkbench import __version__
from mkbench.backbones import model_entries
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.errors import DataError
from mkbench.runs.group_files import GroupFiles, finished_groups
from mkbench.runs.schema import SCHEMA_VERSION
from mkbench.systems.base import BenchmarkSystem


def folder_name(model: str) -> str:
    """Return a model's name as a folder name.

    >>> folder_name("ViT-B-32-quickgelu,openai")
    'ViT-B-32-quickgelu_openai'
    >>> folder_name("ViT-B-16 (random weights)")
    'ViT-B-16_random-weights'
    """
    spaced = model.replace(" (random weights)", "_random-weights")
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in spaced).strip(".") or "model"


def system_name(system: BenchmarkSystem) -> str:
    """Return what a run of a system is, in snake case: the name of its class, so that a user's own has one too.

    >>> from mkbench.systems import MutualKnowledge
    >>> system_name(MutualKnowledge.__new__(MutualKnowledge))
    'mutual_knowledge'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(system).__name__).lower()


def build_results(
    run: Path, system: BenchmarkSystem, data: ClassGroupDataModule, *, partial: bool = False
) -> dict[str, Any]:
    """Return the content of ``results.json`` from the group files of a finished run.

    Args:
        run: folder of the run.
        system: the system.
        data: the data.
        partial: the trainer was told to leave groups out; the entry `data.partial` then says how many there are.

    Raises:
        DataError: not a single image could be read.
    """
    keys = [spec.key for spec in data.specs]
    found = sorted(set(finished_groups(run)) & set(keys)) if partial else keys
    summary = system.summarise(GroupFiles(run, found), data)
    if not summary["images"]:
        unreadable = summary["unreadable"]
        raise DataError(f"Expected images to explain, found {len(unreadable)} that cannot be read: {unreadable[0]}")
    missing: dict[str, Any] = {"partial": {"groups": len(found), "of": len(keys)}} if len(found) < len(keys) else {}
    others = len(data.other_files())
    if others:
        missing["not_images"] = others
    return {
        "schema_version": SCHEMA_VERSION,
        "system": system_name(system),
        "model": describe_model(system),
        "data": data.describe() | {key: summary[key] for key in ("images", "unreadable")} | missing,
        "settings": system.settings(),
        **{key: entry for key, entry in summary.items() if key not in ("images", "unreadable", "fallbacks")},
        "fallbacks": summary["fallbacks"] | {"text": {"truncated": system.backbone.truncated_texts}},
    }


def describe_model(system: BenchmarkSystem) -> dict[str, Any]:
    """Return the entry `model` of `results.json`."""
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


def describe_run(system: BenchmarkSystem, data: ClassGroupDataModule) -> dict[str, Any]:
    """Return what must be equal for two sets of groups to belong to one run."""
    groups = {spec.key: list(spec.sample_ids) for spec in data.specs}
    return {
        "schema_version": SCHEMA_VERSION,
        "system": system_name(system),
        "model": describe_model(system),
        "data": data.describe(),
        "settings": system.settings(),
        "groups": groups,
    }


def describe_environment(trainer: L.Trainer, system: BenchmarkSystem, images: float, seconds: float) -> dict[str, Any]:
    """Return what `environment.json` holds: speed, device and versions, none of which may change a metric.

    Where no image was computed there is no speed to tell.
    """
    speed = {
        "images_computed": int(images),
        "seconds": round(seconds, 3),
        "images_per_second": round(images / seconds, 4) if seconds > 0 else 0.0,
        **system.describe_costs(),
    }
    return {
        **(speed if images else {}),
        "devices": trainer.world_size,
        "device": str(system.device.type),
        "precision": system.precision,
        "seed": system.seed,
        "fingerprint": system.backbone.fingerprint,
        "versions": {
            "mkbench": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "lightning": L.__version__,
            "open_clip_torch": open_clip.__version__,
        },
    }
