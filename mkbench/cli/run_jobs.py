"""Runner of many jobs, one after another; one that fails never costs the others."""

import errno
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mkbench.cli.bench_config import read_yaml, shown_name
from mkbench.cli.failures import describe_failure, is_debugging
from mkbench.cli.plugins import plugin_words
from mkbench.cli.stopping import (
    INTERRUPTED,
    TERMINATED,
    Terminated,
    raise_if_stopping,
    silent_environment,
    stop_before_faults,
    stop_words,
)
from mkbench.errors import MkbenchError, UsageError


class JobsOutcome(NamedTuple):
    """Folders and failures of jobs.

    Attributes:
        finished: folders of the finished runs, in the order of the jobs.
        failures: name of a job and what it failed with.
    """

    finished: list[Path]
    failures: list[tuple[str, Exception]]


def run_jobs(jobs: Sequence[tuple[str, Callable[[], Path | None]]]) -> JobsOutcome:
    """Run jobs, each of which returns its run folder; one that fails never costs the others.

    Args:
        jobs: name, for messages, and what to call.

    Raises:
        UsageError: the same one from every job, such as an unknown option.
        OSError: the disk is full.
    """
    finished: list[Path] = []
    failures: list[tuple[str, Exception]] = []
    for name, job in jobs:
        raise_if_stopping()
        try:
            with stop_before_faults():
                folder = job()
        except Exception as error:  # memory that ran out, a fault of one architecture: the others still run
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise  # a full disk stops every model
            failures.append((name, error))
            if is_debugging():
                traceback.print_exc()
        else:
            finished += [folder] if folder is not None else []
    _raise_common([error for _, error in failures], len(jobs))
    return JobsOutcome(finished, failures)


def report_outcome(outcome: JobsOutcome, out: Path) -> int:
    """Write and print the tables of the finished runs, say what failed, and return 0, or 1 if something did.

    Args:
        outcome: of ``run_jobs``.
        out: folder of tables and figures.
    """
    if outcome.finished:
        report(outcome.finished, out)
    for name, reason in outcome.failures:
        print(f"mkbench: {name} failed: {describe_failure(reason)}", file=sys.stderr)
    return 1 if outcome.failures else 0


def _raise_common(failures: Sequence[Exception], models: int) -> None:
    """Raise the usage error that all models ended with: then the command is wrong, not a model."""
    same = {str(error) for error in failures if isinstance(error, UsageError)}
    if len(failures) == models and len(same) == 1 and all(isinstance(error, UsageError) for error in failures):
        raise failures[0]


def run_predict(words: Sequence[str], root: Path, model: dict[str, Any], *, apart: bool) -> Path | None:
    """Run `predict` for one model; return its run folder.

    Args:
        words: the words of the command, beginning with `predict`.
        root: parent of the run folders, as in `words`.
        model: options of `--model`, as in `words`.
        apart: run it in a process of its own.
    """
    from mkbench.cli.trainer import run_trainer  # noqa: PLC0415 - torch and Lightning take seconds to import

    return _run_apart(words, root, model) if apart else run_trainer(list(words))


def starts_processes(protocol: Path, overrides: Sequence[str]) -> bool:
    """Tell whether Lightning will start a process for each device by running this whole command again in each."""
    if "WORLD_SIZE" in os.environ:  # torchrun or a cluster has started them
        return False
    content = read_yaml(protocol, kind="a configuration of `mkbench predict`") if protocol.is_file() else {}
    trainer = content.get("trainer") if isinstance(content, dict) else {"devices": 1}
    devices = trainer.get("devices", "auto") if isinstance(trainer, dict) else "auto"
    for position, word in enumerate(overrides):
        option, _, value = word.partition("=")
        if option == "--trainer.devices":
            devices = value or "".join(overrides[position + 1 : position + 2])
    return str(devices) != "1"


def _run_apart(words: Sequence[str], out: Path, model: dict[str, Any]) -> Path:
    """Run one model in a process of its own, so that only its `predict` is started again for each device."""
    from mkbench.cli.trainer import with_absolute_paths  # noqa: PLC0415 - torch and Lightning take seconds to import

    exit_code = run_process([sys.executable, "-m", "mkbench", *words, *plugin_words(), *stop_words()])
    if exit_code in (INTERRUPTED, TERMINATED):
        raise KeyboardInterrupt if exit_code == INTERRUPTED else Terminated
    if exit_code:
        raise MkbenchError(f"its process ended with exit code {exit_code}; see what it said above.")
    for path in out.glob("*/config.yaml"):
        content = read_yaml(path, kind="the configuration of a run")
        used = content["model"]["init_args"] | {"name": content["results"]["name"]}
        if all(used.get(name) == value for name, value in with_absolute_paths(model).items()):
            return path.parent
    raise MkbenchError(f"Expected a run folder of {shown_name(model)} in {out}, found none; run the bench again.")


def is_first_process() -> bool:
    """Tell whether this process speaks for the command: under torchrun, every process runs all of it.

    >>> is_first_process()
    True
    """
    return int(os.environ.get("RANK", "0")) == 0


def run_process(words: Sequence[str]) -> int:
    """Run a process without its standard output, and end it when this one is stopped; return its exit code.

    >>> run_process([sys.executable, "-c", "raise SystemExit(3)"])
    3
    """
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, env=silent_environment()) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise


def report(runs: Sequence[Path], out: Path) -> None:
    """Write tables, figures and the page of finished runs to `out`; print the tables, one for each kind of run."""
    from mkbench.cli.run_summary import show_bench  # noqa: PLC0415 - takes seconds to import

    if is_first_process():
        show_bench(runs, out)
