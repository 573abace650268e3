"""`mkbench bench`: many models, one protocol."""

import argparse
import errno
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rich.console import Console

from mkbench.backbones.registry import model_set
from mkbench.errors import MkbenchError, UsageError, sentence

HELP = (
    "evaluate a list of models by one protocol. Options such as --data.root=DIR go on to every `predict`, and those "
    "such as --train.data.batch_size=32 to every `fit`."
)
_TRAINING = "--train."  # begins an option of every training


@dataclass(frozen=True)
class BenchConfig:
    """What a bench runs.

    Attributes:
        protocol: configuration of `mkbench predict` that every model is evaluated with.
        models: options of `--model` for each model; at least `backbone`.
        variants: name -> options that override the protocol's; every model is evaluated in each, in a folder by the
            variant's name. The entry `models` of a variant, if there is one, says which models those are.
        train: configurations of `mkbench fit` to be trained before, unless that is done already, with options that
            override theirs.
    """

    protocol: Path
    models: tuple[dict[str, Any], ...]
    variants: Mapping[str, dict[str, Any]] = field(default_factory=lambda: {"": {}})
    train: Mapping[Path, dict[str, Any]] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="YAML with `protocol` (a predict config) and `models` (a list, or a set that `mkbench models` names)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the bundles and tables")
    parser.add_argument(
        "--overwrite", action="store_true", help="compute again what an earlier run in --out has finished"
    )
    parser.set_defaults(overrides=[])


def run(options: argparse.Namespace) -> int:
    """Evaluate all models and print the table; exit code 1 if any of them failed."""
    return run_bench(read_config(options.config), options.out, overrides=options.overrides, overwrite=options.overwrite)


def read_config(path: Path) -> BenchConfig:
    """Read a bench configuration; `protocol` is a path relative to it.

    Raises:
        UsageError: the file does not exist, or an entry is missing, unknown or of the wrong type.
    """
    content = read_yaml(path, kind="a bench configuration")
    required, optional = {"protocol", "models"}, {"variants", "train"}
    if not isinstance(content, dict) or not required <= set(content) <= required | optional:
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise UsageError(
            f"Expected {path} to have the entries `protocol` and `models`, and none beside them but `variants` and "
            f"`train`, found {found}."
        )
    recipes = content.get("train", {})
    if not isinstance(recipes, dict) or not all(isinstance(options, dict) for options in recipes.values()):
        raise UsageError(f"Expected `train` in {path} to map configurations to options, found {recipes!r}.")
    return BenchConfig(
        path.parent / str(content["protocol"]),
        read_models(content["models"], path),
        _read_variants(content.get("variants", {"": {}}), path),
        {path.parent / str(recipe): options for recipe, options in recipes.items()},
    )


def _read_variants(variants: Any, path: Path) -> dict[str, dict[str, Any]]:
    """Return the options of each variant, by its name; the names must differ as folders too."""
    fits = isinstance(variants, dict) and variants and all(isinstance(options, dict) for options in variants.values())
    if not fits or len({_slug(str(name)) for name in variants}) < len(variants):
        raise UsageError(
            f"Expected `variants` in {path} to map different names to options such as {{model.saliency: pca}}, found "
            f"{variants!r}."
        )
    for options in variants.values():
        read_models(options.get("models", ["any"]), path)
    return {str(name): options for name, options in variants.items()}


def read_yaml(path: Path, *, kind: str) -> Any:
    """Read a YAML file that `--config` names.

    Raises:
        UsageError: the file does not exist or is no YAML.
    """
    if not path.is_file():
        raise UsageError(f"Expected {kind} at {path}, found none; check --config.")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"Expected YAML in {path}, found something else: {' '.join(str(error).split())}.") from error


def read_models(models: Any, path: Path) -> tuple[dict[str, Any], ...]:
    """Return the options of `--model` for each model of an entry `models`.

    Args:
        models: a list of names or of mappings with `backbone`, or the name of a set of models.
        path: the file it stands in, for messages.

    Raises:
        UsageError: something else.

    >>> read_models(["a", {"backbone": "b", "pretrained": "c"}], Path("bench.yaml"))
    ({'backbone': 'a'}, {'backbone': 'b', 'pretrained': 'c'})
    """
    return tuple(_model_options(entry, path) for entry in _list_models(models, path))


def _list_models(models: Any, path: Path) -> Sequence[Any]:
    if isinstance(models, str):
        return [entry.name for entry in model_set(models)]
    if not isinstance(models, list) or not models:
        raise UsageError(f"Expected `models` in {path} to be a list of names or a set of models, found {models!r}.")
    return models


def _model_options(entry: Any, path: Path) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"backbone": entry}
    if isinstance(entry, dict) and "backbone" in entry:
        return entry
    raise UsageError(f"Expected a model in {path} to be a name or a mapping with `backbone`, found {entry!r}.")


def run_bench(config: BenchConfig, out: Path, *, overrides: Sequence[str] = (), overwrite: bool = False) -> int:
    """Train what the protocol needs, and evaluate every model in every variant; one that fails never costs the others.

    Returns:
        0, or 1 if a model failed.

    Raises:
        UsageError: the same one for every model, such as an unknown option.
        OSError: the disk is full.
    """
    trained = [f"--{word.removeprefix(_TRAINING)}" for word in overrides if word.startswith(_TRAINING)]
    apart = starts_processes(config.protocol, overrides)

    def evaluate(job: Job) -> Path | None:
        root = out / job.folder
        results = [f"--results.root={root}", f"--results.overwrite={overwrite}".lower()]
        return run_predict(["predict", *job.words, *results], root, job.model, apart=apart)

    for recipe, options in config.train.items():
        train(recipe, options, trained, again=overwrite)
    return run_jobs([(job.name, partial(evaluate, job)) for job in list_jobs(config, overrides)], out)


def train(recipe: Path, options: Mapping[str, Any], overrides: Sequence[str] = (), *, again: bool = False) -> None:
    """Train by a configuration of `mkbench fit`, unless the file that it writes is there already.

    Whether that file belongs to the model and the data is for its reader to check.

    Args:
        recipe: the configuration; one of its callbacks has a `file` to write.
        options: of `mkbench fit`, which override the configuration's.
        overrides: words of the command line, which override both.
        again: train in any case.

    Raises:
        UsageError: no such file, or no callback that writes one.
    """
    from mkbench.cli import run_trainer  # noqa: PLC0415 - the command line imports the verbs

    content = read_yaml(recipe, kind="a configuration of `mkbench fit`")
    callbacks = content.get("trainer", {}).get("callbacks", []) if isinstance(content, dict) else []
    files = [Path(callback["init_args"]["file"]) for callback in callbacks if "file" in callback.get("init_args", {})]
    if not files:
        raise UsageError(
            f"Expected a callback with a `file` to write in {recipe}, found none; see `train` of the bench."
        )
    if again or not all(file.is_file() for file in files):
        words = [f"--{name}={_word(value)}" for name, value in options.items()]
        run_trainer(["fit", "--config", str(recipe), *words, *overrides])


class Job(NamedTuple):
    """One model in one variant.

    Attributes:
        name: for messages.
        model: options of `--model`.
        folder: of the variant, within that of the bench; empty where there is only one.
        words: those of `mkbench predict`, but for where results go.
    """

    name: str
    model: dict[str, Any]
    folder: str
    words: tuple[str, ...]


def list_jobs(config: BenchConfig, overrides: Sequence[str] = ()) -> list[Job]:
    """List what a bench runs, variant by variant.

    >>> config = BenchConfig(Path("p.yaml"), ({"backbone": "a"},), {"saliency: pca": {"model.saliency": "pca"}})
    >>> [(job.name, job.folder, job.words[2:]) for job in list_jobs(config)]
    [('a (saliency: pca)', 'saliency-pca', ('--model.backbone=a', '--model.saliency=pca'))]
    """
    jobs = []
    overrides = [word for word in overrides if not word.startswith(_TRAINING)]
    for variant, options_of_variant in config.variants.items():
        changes = {name: value for name, value in options_of_variant.items() if name != "models"}
        models = read_models(options_of_variant.get("models", list(config.models)), config.protocol)
        for model in models:
            options = {**{f"model.{name}": value for name, value in model.items()}, **changes}
            words = [f"--{name}={_word(value)}" for name, value in options.items()]
            name = f"{model['backbone']} ({variant})" if variant else str(model["backbone"])
            jobs.append(Job(name, model, _slug(variant), ("--config", str(config.protocol), *overrides, *words)))
    return jobs


def _slug(variant: str) -> str:
    """Return a variant's name as a folder name.

    >>> _slug("saliency: pca, keys")
    'saliency-pca-keys'
    """
    return re.sub(r"[^\w.]+", "-", variant).strip("-.")


def _word(value: Any) -> str:
    """Return a value as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def run_jobs(jobs: Sequence[tuple[str, Callable[[], Path | None]]], out: Path) -> int:
    """Run jobs, each of which returns its bundle, and report; one that fails never costs the others.

    Args:
        jobs: name, for messages, and what to call.
        out: folder of tables and figures.

    Returns:
        0, or 1 if a job failed.

    Raises:
        UsageError: the same one from every job, such as an unknown option.
        OSError: the disk is full.
    """
    finished: list[Path] = []
    failures: list[tuple[str, Exception]] = []
    for name, job in jobs:
        try:
            folder = job()
        except Exception as error:  # memory that ran out, a fault of one architecture: the others still run
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise  # a full disk stops every model
            failures.append((name, error))
            if not isinstance(error, MkbenchError):
                traceback.print_exc()
        else:
            finished += [folder] if folder is not None else []
    _raise_common([error for _, error in failures], len(jobs))
    if finished:
        report(finished, out)
    for name, reason in failures:
        print(f"mkbench: {name} failed: {sentence(reason)}", file=sys.stderr)
    return 1 if failures else 0


def run_predict(words: Sequence[str], root: Path, model: dict[str, Any], *, apart: bool) -> Path | None:
    """Run `predict` for one model; return its bundle.

    Args:
        words: the words of the command, beginning with `predict`.
        root: folder of the bundles, as in `words`.
        model: options of `--model`, as in `words`.
        apart: run it in a process of its own.
    """
    from mkbench.cli import run_trainer  # noqa: PLC0415 - the command line imports the verbs

    return _run_apart(words, root, model) if apart else run_trainer(list(words))


def starts_processes(protocol: Path, overrides: Sequence[str]) -> bool:
    """Tell whether Lightning will start a process for each device by running this whole command again in each."""
    if "WORLD_SIZE" in os.environ:  # torchrun or a cluster has started them
        return False
    content = yaml.safe_load(protocol.read_text(encoding="utf-8")) if protocol.is_file() else {}
    devices = content.get("trainer", {}).get("devices", "auto") if isinstance(content, dict) else 1
    for position, word in enumerate(overrides):
        option, _, value = word.partition("=")
        if option == "--trainer.devices":
            devices = value or "".join(overrides[position + 1 : position + 2])
    return str(devices) != "1"


def _run_apart(words: Sequence[str], out: Path, model: dict[str, Any]) -> Path:
    """Run one model in a process of its own, so that only its `predict` is started again for each device."""
    finished = subprocess.run([sys.executable, "-m", "mkbench", *words], check=False)
    if finished.returncode:
        raise MkbenchError(f"its process ended with exit code {finished.returncode}; see what it said above.")
    for path in out.glob("*/config.yaml"):
        used = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["init_args"]
        if all(used.get(name) == value for name, value in model.items()):
            return path.parent
    raise MkbenchError(f"Expected a bundle of {model['backbone']} in {out}, found none; run the bench again.")


def _raise_common(failures: Sequence[Exception], models: int) -> None:
    """Raise the usage error that all models ended with: then the command is wrong, not a model."""
    same = {str(error) for error in failures if isinstance(error, UsageError)}
    if len(failures) == models and len(same) == 1 and all(isinstance(error, UsageError) for error in failures):
        raise failures[0]


def report(runs: Sequence[Path], out: Path) -> None:
    """Write tables and figures of finished runs to `out`, and print the tables: one for each kind of run."""
    from mkbench.results.boost_tables import is_boost, write_boost  # noqa: PLC0415
    from mkbench.results.classifier_tables import is_accuracy, write_classifiers  # noqa: PLC0415
    from mkbench.results.compare import write_comparison  # noqa: PLC0415
    from mkbench.results.faithfulness_table import write_faithfulness  # noqa: PLC0415
    from mkbench.results.heads.segmentation_table import is_segmentation, write_segmentation  # noqa: PLC0415
    from mkbench.results.heads.tables import is_heads, write_heads  # noqa: PLC0415
    from mkbench.results.runs import read_runs  # noqa: PLC0415

    if int(os.environ.get("RANK", "0")) == 0:  # under torchrun, every process gets here
        console = Console()
        everything = read_runs(runs)
        boosts = [run for run in everything if is_boost(run.results)]
        if boosts:
            console.print(write_boost(boosts, out, width=console.width))
        heads = [run for run in everything if is_heads(run.results)]
        if heads:
            console.print(write_heads(heads, out, width=console.width))
        segmented = [run for run in everything if is_segmentation(run.results)]
        if segmented:
            console.print(write_segmentation(segmented, out, width=console.width))
        classifiers = [run for run in everything if is_accuracy(run.results)]
        if classifiers:
            console.print(write_classifiers(classifiers, out, width=console.width))
        finished = [run for run in everything if run not in boosts + heads + segmented + classifiers]
        if not finished:
            return
        console.print(write_comparison(finished, out, width=console.width))
        faithfulness = write_faithfulness(finished, out, width=console.width)
        if faithfulness is not None:
            console.print(faithfulness)
