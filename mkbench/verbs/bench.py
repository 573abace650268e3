"""`mkbench bench`: many models, one protocol."""

import argparse
import errno
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from mkbench.backbones.registry import model_set
from mkbench.errors import MkbenchError, UsageError, sentence

HELP = "evaluate a list of models by one protocol. Options such as --data.root go on to every `predict`."


@dataclass(frozen=True)
class BenchConfig:
    """What a bench runs.

    Attributes:
        protocol: configuration of `mkbench predict` that every model is evaluated with.
        models: options of `--model` for each model; at least `backbone`.
    """

    protocol: Path
    models: tuple[dict[str, Any], ...]


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
    if not path.is_file():
        raise UsageError(f"Expected a bench configuration at {path}, found none; check --config.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"Expected YAML in {path}, found something else: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict) or set(content) != {"protocol", "models"}:
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise UsageError(f"Expected {path} to have exactly the entries `protocol` and `models`, found {found}.")
    models = tuple(_model_options(entry, path) for entry in _list_models(content["models"], path))
    return BenchConfig(path.parent / str(content["protocol"]), models)


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
    """Evaluate every model; one that fails never costs the others.

    Returns:
        0, or 1 if a model failed.

    Raises:
        UsageError: the same one for every model, such as an unknown option.
        OSError: the disk is full.
    """
    from mkbench.cli import run_trainer  # noqa: PLC0415 - the command line imports the verbs

    apart = _starts_processes(config.protocol, overrides)
    finished: list[Path] = []
    failures: dict[str, Exception] = {}
    for model in config.models:
        words = ["predict", "--config", str(config.protocol), *overrides]
        words += [f"--model.{name}={value}" for name, value in model.items()]
        words += [f"--results.root={out}", f"--results.overwrite={overwrite}".lower()]
        try:
            folder = _run_apart(words, out, model) if apart else run_trainer(words)
        except Exception as error:  # memory that ran out, a fault of one architecture: the others still run
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise  # a full disk stops every model
            failures[str(model["backbone"])] = error
            if not isinstance(error, MkbenchError):
                traceback.print_exc()
        else:
            finished += [folder] if folder is not None else []
    _raise_common(list(failures.values()), len(config.models))
    if finished:
        report(finished, out)
    for name, reason in failures.items():
        print(f"mkbench: {name} failed: {sentence(reason)}", file=sys.stderr)
    return 1 if failures else 0


def _starts_processes(protocol: Path, overrides: Sequence[str]) -> bool:
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
    """Write tables and figures of finished runs to `out`, and print the table."""
    from mkbench.results.compare import write_comparison  # noqa: PLC0415
    from mkbench.results.runs import read_runs  # noqa: PLC0415

    if int(os.environ.get("RANK", "0")) == 0:  # under torchrun, every process gets here
        console = Console()
        console.print(write_comparison(read_runs(runs), out, width=console.width))
