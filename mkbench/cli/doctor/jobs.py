"""Jobs of a configuration: one for each run of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mkbench.cli.bench_config import list_jobs, read_config
from mkbench.cli.config_files import find_config
from mkbench.cli.trainer import MkbenchCLI
from mkbench.text_files import parse_yaml


@dataclass(frozen=True)
class Job:
    """One model in one variant, with the words of its `mkbench predict`.

    Attributes:
        label: name of the model, and of the variant if there are several; None if there is only one run.
        words: the words after ``mkbench predict``.
    """

    label: str | None
    words: tuple[str, ...]

    def parse(self) -> MkbenchCLI:
        """Parse the words; nothing is built yet.

        Raises:
            UsageError: words that do not fit.
        """
        return MkbenchCLI(list(self.words), run=False)


def find_jobs(config: Path, overrides: Sequence[str]) -> list[Job]:
    """List the runs of a `predict` configuration, or of every model and variant of a bench.

    Args:
        config: the file.
        overrides: further options of `predict`.

    Raises:
        UsageError: a bench file that is none.
    """
    config = find_config(config)
    if not _is_bench(config):
        return [Job(None, ("--config", str(config), *overrides))]
    return [Job(job.name, job.words) for job in list_jobs(read_config(config), overrides)]


def _is_bench(config: Path) -> bool:
    try:
        content = parse_yaml(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # parsing it as a configuration of `predict` says what is wrong
    return isinstance(content, dict) and "protocol" in content


def needed_descriptors(settings: Mapping[str, Any]) -> dict[str, int]:
    """Return the options of a system that ask for a number of descriptors, and the number.

    They are read from the configuration, so that a bank can be checked without the model.

    Args:
        settings: `init_args` of the system.

    >>> needed_descriptors({"num_language_concepts": 50, "pool": 500, "explainers": None})
    {'--model.num_language_concepts': 50, '--model.pool': 500}
    """
    needed = {f"--model.{name}": settings.get(name) for name in ("num_language_concepts", "pool")}
    explainers = settings.get("explainers")
    if explainers:  # each has a pool of its own, that of the run, or none
        given = [explainer.get("init_args", {}) for explainer in explainers]
        pools = [settings.get("pool") if own["pool"] is None else own["pool"] for own in given if "pool" in own]
        needed["--model.pool"] = max((pool for pool in pools if pool is not None), default=None)
    return {option: number for option, number in needed.items() if isinstance(number, int)}


def figures_of(cli: MkbenchCLI) -> int:
    """Return how many figures a run of a parsed configuration draws for each model."""
    settings = cli.config.model.get("init_args") or {}
    return int(cli.config.figures.samples) * len(settings.get("explainers") or ("pca", "kmeans")) + 1
