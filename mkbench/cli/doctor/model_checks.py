"""Examines one model on the ground that all models share."""

from functools import partial
from typing import Any, NamedTuple

from mkbench.cli.doctor import bank, class_list, data, resources
from mkbench.cli.doctor.accuracy import check_accuracy
from mkbench.cli.doctor.findings import ok, warning
from mkbench.cli.doctor.jobs import needed_descriptors
from mkbench.cli.doctor.model import check_model
from mkbench.cli.doctor.report import Notebook
from mkbench.cli.doctor.shared_checks import Ground, Images
from mkbench.cli.doctor.timing import Measurement, device_memory, measure
from mkbench.cli.trainer import MkbenchCLI
from mkbench.errors import UsageError
from mkbench.systems import MutualKnowledge
from mkbench.systems.base import BenchmarkSystem


class Candidate(NamedTuple):
    """What is known of a model after its examination.

    Attributes:
        measured: what a few images took; None if that was not measured.
        kept_bytes: bytes that are kept of an image beside its rows.
    """

    measured: Measurement | None = None
    kept_bytes: int = 0


def examine_model(notebook: Notebook, model: str | None, cli: MkbenchCLI, ground: Ground, *, fast: bool) -> Candidate:
    """Check a model, and what depends on it in the other areas.

    Args:
        notebook: takes the findings.
        model: name of the model in findings; None if it is the only one.
        cli: the parsed configuration.
        ground: what all models share.
        fast: leave out what needs more than a few forward passes.

    Returns:
        What was found out; nothing of a model that cannot be loaded.
    """
    if ground.bank is not None:
        needed = needed_descriptors(cli.config.model.get("init_args") or {})
        notebook.note("bank", bank.check_size(ground.bank, needed), model=model)
    shown = model or "the model"
    system = notebook.attempt("model", partial(_build, cli, ground), doing=f"loading {shown}", model=model)
    if system is None:
        return Candidate()
    resize = ground.images.data.resize if ground.images else None
    notebook.note("model", check_model(system.backbone, resize=resize), doing=f"trying {shown}", model=model)
    _examine_texts(notebook, model, system, ground)
    if ground.images is not None:
        notebook.note("data", data.check_size(ground.images.sample, system.backbone.image_size), model=model)
    if fast:
        return Candidate(None, system.kept_bytes)
    if ground.images is not None:
        _examine_accuracy(notebook, model, system, ground.images)
    return Candidate(_examine_time(notebook, model, system, ground), system.kept_bytes)


def _build(cli: MkbenchCLI, ground: Ground) -> BenchmarkSystem:
    system: Any = cli.build("model")
    if not isinstance(system, BenchmarkSystem):
        raise UsageError(
            f"Expected a system whose results can be written, such as mkbench.systems.MutualKnowledge, found "
            f"{type(system).__name__}; choose it with --model."
        )
    return system if ground.trainer is None else system.to(ground.trainer.strategy.root_device)


def _examine_texts(notebook: Notebook, model: str | None, system: BenchmarkSystem, ground: Ground) -> None:
    backbone = system.backbone
    if ground.bank is not None and isinstance(system, MutualKnowledge):
        templates = (system.descriptor_template, system.relevance_template)
        lengths = bank.check_lengths(backbone, ground.bank.descriptors, templates)
        notebook.note("bank", lengths, doing="counting tokens", model=model)
    if ground.images is not None:
        names, prompts = ground.images.listing.class_names, ground.images.data.templates
        notebook.note("class list", class_list.check_prompts(backbone, names, prompts), model=model)


def _examine_accuracy(notebook: Notebook, model: str | None, system: BenchmarkSystem, images: Images) -> None:
    if images.data.labelled and images.sample.read:
        accuracy = check_accuracy(system.backbone, images.data, images.listing)
        doing = f"classifying a few images with {model or 'the model'}"
        notebook.note("class list", accuracy, doing=doing, model=model)


def _examine_time(notebook: Notebook, model: str | None, system: BenchmarkSystem, ground: Ground) -> Measurement | None:
    """Explain a few images."""
    images, descriptors, size = ground.images, ground.bank, ground.run_size
    if not isinstance(system, MutualKnowledge):
        left_out = f"time and memory were not measured: that is for MutualKnowledge, not for {type(system).__name__}"
        notebook.note("resources", [ok(left_out)], model=model)
        return None
    if images is None or descriptors is None or size is None or not images.sample.read:
        needs = "time and memory were not measured: that needs readable images, a concept bank and a device"
        notebook.note("resources", [warning(needs)], model=model)
        return None
    measured = notebook.attempt(
        "resources",
        lambda: measure(system, images.data, images.listing, descriptors),
        doing=f"explaining a few images with {model or 'the model'}",
        model=model,
    )
    if measured is not None:
        largest = images.listing.largest_group(images.data.group_size)
        memory = resources.check_memory(measured, largest, device_memory(system.device))
        notebook.note("resources", resources.check_time(measured, size), model=model)
        notebook.note("resources", memory, model=model)
    return measured
