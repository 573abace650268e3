"""Predict, bench and read runs from Python: the commands, called with a configuration and options, that return runs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkbench.cli.bench_config import option_word, read_config
from mkbench.errors import MkbenchError, UsageError

if TYPE_CHECKING:
    from mkbench.runs.finished_runs import Run, Runs


def predict(config: str | Path, options: Mapping[str, Any] | None = None, *, out: str | Path | None = None) -> "Run":
    """Evaluate one model by a configuration, as `mkbench predict` does.

    Args:
        config: the file, or the path of a packaged configuration such as ``configs/critters/heads.yaml``.
        options: of the command, by their names without dashes, such as ``{"model.backbone": "critters-vit-s"}``.
        out: folder of the run folders, as ``results.root``; None takes that of the configuration.

    Returns:
        The finished run; what an earlier call has finished is not computed again.

    Raises:
        MkbenchError: whatever the command would say in a sentence.

    Example:
        >>> run = predict("configs/critters/heads.yaml", {"data.limit_classes": 2})  # doctest: +SKIP
        >>> run.results["model"]["name"]  # doctest: +SKIP
        'critters-vit-l'
    """
    # These take seconds to import.
    from mkbench.cli.trainer import run_trainer  # noqa: PLC0415

    folder = run_trainer(["predict", "--config", str(config), *_words(options), *_root(out)])
    if folder is None:
        raise UsageError("Expected a run that is kept, found a smoke test; leave out trainer.fast_dev_run.")
    return read_runs([folder])[0]


def bench(config: str | Path, options: Mapping[str, Any] | None = None, *, out: str | Path) -> "Runs":
    """Evaluate the models of a bench, as `mkbench bench` does; no table is printed.

    Args:
        config: the file, or the path of a packaged configuration such as ``configs/critters/demo.yaml``.
        options: as of :func:`predict`, for every model.
        out: folder of the run folders.

    Returns:
        The runs, in the order of the bench.

    Raises:
        MkbenchError: a model failed, after the others have run; or a configuration or an option does not fit.

    Example:
        >>> runs = bench("configs/critters/demo.yaml", {"data.limit_classes": 2}, out="runs/demo")  # doctest: +SKIP
        >>> [run.label for run in runs]  # doctest: +SKIP
        ['Critters ViT-S', 'Critters ViT-M', 'Critters ViT-L', 'Critters RN']
    """
    from mkbench.cli.commands.bench import evaluate_bench  # noqa: PLC0415

    outcome = evaluate_bench(read_config(Path(config)), Path(out), overrides=_words(options))
    if outcome.failures:
        name, reason = outcome.failures[0]
        raise MkbenchError(f"{name} failed: {reason}") from reason
    return read_runs(outcome.finished)


def read_runs(folders: str | Path | Iterable[str | Path]) -> "Runs":
    """Read finished runs; results that are missing or damaged are built again from the groups first.

    Args:
        folders: of models, or of benches, which stand for the runs inside; one or several.

    Returns:
        The runs in the order given, those of a bench by name; a run that is named twice is read once.

    Raises:
        UsageError: no finished run in a folder.
        DataError: a damaged file that cannot be restored, or one of another schema version.

    Example, after ``mkbench demo``::

        import mkbench

        runs = mkbench.read_runs("runs/demo")
        metrics = runs.metrics().to_pandas()
        print(metrics[metrics.metric == "top1"][["model", "value", "low", "high"]])
        runs.samples().to_pandas().groupby("model")["concept_entropy"].mean()
    """
    from mkbench.cli.lost_results import open_runs  # noqa: PLC0415 - takes a second to import

    return open_runs(folders)


def _words(options: Mapping[str, Any] | None) -> list[str]:
    """Return options as words of the command line.

    >>> _words({"data.limit_classes": 2, "model.features": "keys"})
    ['--data.limit_classes=2', '--model.features=keys']
    """
    given = {name: str(value) if isinstance(value, Path) else value for name, value in (options or {}).items()}
    return [f"--{name}={option_word(value)}" for name, value in given.items()]


def _root(out: str | Path | None) -> list[str]:
    return [] if out is None else [f"--results.root={out}"]
