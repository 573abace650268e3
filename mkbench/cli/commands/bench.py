"""`mkbench bench`: many models, one protocol."""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mkbench.cli.bench_config import (
    TRAINING,
    BenchConfig,
    BenchJob,
    list_jobs,
    option_word,
    overwrite_words,
    read_config,
    read_yaml,
)
from mkbench.cli.model_folders import refuse_collisions
from mkbench.cli.run_jobs import JobsOutcome, report_outcome, run_jobs, run_predict, starts_processes
from mkbench.errors import UsageError

HELP = (
    "evaluate a list of models by one protocol. Options such as --data.root=DIR go on to every `predict`, and those "
    "such as --train.data.batch_size=32 to every `fit`."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="YAML with `protocol` (a predict config) and `models` (a list, or a set that `mkbench models` names)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the run folders and tables")
    parser.add_argument(
        "--overwrite", action="store_true", help="compute again what an earlier run in --out has finished"
    )
    parser.set_defaults(overrides=[])


def run(options: argparse.Namespace) -> int:
    """Evaluate all models and print the table; exit code 1 if any of them failed."""
    return run_bench(read_config(options.config), options.out, overrides=options.overrides, overwrite=options.overwrite)


def run_bench(config: BenchConfig, out: Path, *, overrides: Sequence[str] = (), overwrite: bool = False) -> int:
    """Evaluate a bench as ``evaluate_bench`` does, print its tables, and return 0, or 1 if a model failed.

    Raises:
        UsageError: the same one for every model, such as an unknown option.
        OSError: the disk is full.
    """
    return report_outcome(evaluate_bench(config, out, overrides=overrides, overwrite=overwrite), out)


def evaluate_bench(
    config: BenchConfig, out: Path, *, overrides: Sequence[str] = (), overwrite: bool = False
) -> JobsOutcome:
    """Train what the protocol needs, and evaluate every model in every variant; one that fails never costs the others.

    Raises:
        UsageError: the same one for every model, such as an unknown option.
        OSError: the disk is full.
    """
    trained = [f"--{word.removeprefix(TRAINING)}" for word in overrides if word.startswith(TRAINING)]
    apart = starts_processes(config.protocol, overrides)

    def evaluate(job: BenchJob) -> Path | None:
        root = out / job.folder
        results = [f"--results.root={root}", *overwrite_words(overwrite)]
        return run_predict(["predict", *job.words, *results], root, job.model, apart=apart)

    jobs = list_jobs(config, overrides)
    refuse_collisions([(job.folder, job.model) for job in jobs])
    for recipe, options in config.train.items():
        train(recipe, options, trained, again=overwrite)
    return run_jobs([(job.name, partial(evaluate, job)) for job in jobs])


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
    from mkbench.cli.trainer import run_trainer  # noqa: PLC0415 - torch and Lightning take seconds to import

    content = read_yaml(recipe, kind="a configuration of `mkbench fit`")
    callbacks = content.get("trainer", {}).get("callbacks", []) if isinstance(content, dict) else []
    files = [Path(callback["init_args"]["file"]) for callback in callbacks if "file" in callback.get("init_args", {})]
    if not files:
        raise UsageError(
            f"Expected a callback with a `file` to write in {recipe}, found none; see `train` of the bench."
        )
    if again or not all(file.is_file() for file in files):
        words = [f"--{name}={option_word(value)}" for name, value in options.items()]
        run_trainer(["fit", "--config", str(recipe), *words, *overrides])
