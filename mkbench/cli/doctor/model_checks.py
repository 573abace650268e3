"""Doctor checks of one model: loading, embeddings, texts, accuracy, time and memory."""

from functools import partial
from typing import Any, NamedTuple

from mkbench.cli.doctor import bank, class_list, data, resources
from mkbench.cli.doctor.accuracy import check_accuracy
from mkbench.cli.doctor.findings import Report, ok, warning
from mkbench.cli.doctor.jobs import needed_descriptors
from mkbench.cli.doctor.measurement import Measurement, device_memory, measure
from mkbench.cli.doctor.model import check_model
from mkbench.cli.doctor.shared_checks import Images, SharedChecks
from mkbench.cli.trainer import MkbenchCLI
from mkbench.errors import UsageError
from mkbench.systems import MutualKnowledge
from mkbench.systems.base import BenchmarkSystem


class ModelChecks(NamedTuple):
    """Results of the checks of one model.

    Attributes:
        measured: what a few images took; None if that was not measured.
        kept_bytes: bytes that are kept of an image beside its rows.
    """

    measured: Measurement | None = None
    kept_bytes: int = 0


def run_model_checks(
    report: Report, model: str | None, cli: MkbenchCLI, shared: SharedChecks, *, fast: bool
) -> ModelChecks:
    """Check a model, and what depends on it in the other areas.

    Args:
        report: takes the findings.
        model: name of the model in findings; None if it is the only one.
        cli: the parsed configuration.
        shared: the checks that hold for all models.
        fast: leave out what needs more than a few forward passes.

    Returns:
        What was found out; nothing of a model that cannot be loaded.
    """
    if shared.bank is not None:
        needed = needed_descriptors(cli.config.model.get("init_args") or {})
        report.note("bank", bank.check_size(shared.bank, needed), model=model)
    shown = model or "the model"
    system = report.attempt("model", partial(_build, cli, shared), doing=f"loading {shown}", model=model)
    if system is None:
        return ModelChecks()
    resize = shared.images.data.resize if shared.images else None
    report.note("model", check_model(system.backbone, resize=resize), doing=f"trying {shown}", model=model)
    _check_texts(report, model, system, shared)
    if shared.images is not None:
        report.note("data", data.check_size(shared.images.sample, system.backbone.image_size), model=model)
    if fast:
        return ModelChecks(None, system.kept_bytes)
    if shared.images is not None:
        _check_accuracy(report, model, system, shared.images)
    return ModelChecks(_check_time(report, model, system, shared), system.kept_bytes)


def _build(cli: MkbenchCLI, shared: SharedChecks) -> BenchmarkSystem:
    system: Any = cli.build("model")
    if not isinstance(system, BenchmarkSystem):
        raise UsageError(
            f"Expected a system whose results can be written, such as mkbench.systems.MutualKnowledge, found "
            f"{type(system).__name__}; choose it with --model."
        )
    return system if shared.trainer is None else system.to(shared.trainer.strategy.root_device)


def _check_texts(report: Report, model: str | None, system: BenchmarkSystem, shared: SharedChecks) -> None:
    backbone = system.backbone
    if shared.bank is not None and isinstance(system, MutualKnowledge):
        templates = (system.descriptor_template, system.relevance_template)
        lengths = bank.check_lengths(backbone, shared.bank.descriptors, templates)
        report.note("bank", lengths, doing="counting tokens", model=model)
    if shared.images is not None:
        names, prompts = shared.images.listing.class_names, shared.images.data.templates
        report.note("class list", class_list.check_prompts(backbone, names, prompts), model=model)


def _check_accuracy(report: Report, model: str | None, system: BenchmarkSystem, images: Images) -> None:
    if images.data.labelled and images.sample.read:
        accuracy = check_accuracy(system.backbone, images.data, images.listing)
        doing = f"classifying a few images with {model or 'the model'}"
        report.note("class list", accuracy, doing=doing, model=model)


def _check_time(report: Report, model: str | None, system: BenchmarkSystem, shared: SharedChecks) -> Measurement | None:
    """Explain a few images."""
    images, descriptors, size = shared.images, shared.bank, shared.run_size
    if not isinstance(system, MutualKnowledge):
        left_out = f"time and memory were not measured: that is for MutualKnowledge, not for {type(system).__name__}"
        report.note("resources", [ok(left_out)], model=model)
        return None
    if images is None or descriptors is None or size is None or not images.sample.read:
        needs = "time and memory were not measured: that needs readable images, a concept bank and a device"
        report.note("resources", [warning(needs)], model=model)
        return None
    measured = report.attempt(
        "resources",
        lambda: measure(system, images.data, images.listing, descriptors),
        doing=f"explaining a few images with {model or 'the model'}",
        model=model,
    )
    if measured is not None:
        largest = images.listing.largest_group(images.data.group_size)
        memory = resources.check_memory(measured, largest, device_memory(system.device))
        report.note("resources", resources.check_time(measured, size), model=model)
        report.note("resources", memory, model=model)
    return measured
