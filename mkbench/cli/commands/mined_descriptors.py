"""`mkbench mined-descriptors`: descriptor zero-shot classification with mined descriptors, model by model."""

import argparse
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from mkbench.cli.bench_config import option_word, options_of, overwrite_words, read_models, read_yaml, shown_name
from mkbench.cli.config_files import find_config
from mkbench.cli.model_folders import refuse_collisions
from mkbench.cli.run_jobs import report_outcome, run_jobs, run_predict, starts_processes
from mkbench.errors import UsageError

HELP = "tell whether mined descriptors raise zero-shot accuracy. Options such as --data.root go on to every `predict`."

#: The runs of a model, in their order.
PHASES = ("mining", "held_out", "evaluation")
_SYSTEM = "mkbench.systems.DescriptorZeroShot"
#: Runs on other images than those evaluated, and runs on the same ones.
_SPLITS = {"train": PHASES, "paper": ("evaluation",)}


@dataclass(frozen=True)
class MiningConfig:
    """Configuration of `mkbench mined-descriptors`.

    Attributes:
        split: ``train`` or ``paper``, see :class:`mkbench.systems.DescriptorZeroShot`.
        protocol: configuration of `mkbench predict` that descriptors are mined with; its data set is that of all runs.
        images: phase -> options of its data set that differ from the protocol's, or a whole `class_path`.
        descriptions: options of ``DescriptorZeroShot``.
        models: options of `--model` for each model; at least `backbone`.
    """

    split: str
    protocol: Path
    images: Mapping[str, dict[str, Any]]
    descriptions: Mapping[str, Any]
    models: tuple[dict[str, Any], ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="YAML with `split`, `protocol` (a predict config), the images of each run, and `models`",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/mined_descriptors"), help="folder of the run folders and tables"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="compute again what an earlier run in --out has finished"
    )
    parser.set_defaults(overrides=[])


def run(options: argparse.Namespace) -> int:
    """Run all models and print the table; exit code 1 if any of them failed."""
    config = read_mining(options.config)
    return run_mining(config, options.out, overrides=options.overrides, overwrite=options.overwrite)


def read_mining(path: Path) -> MiningConfig:
    """Read a configuration of `mkbench mined-descriptors`; `protocol` is a path relative to it.

    Raises:
        UsageError: the file does not exist, or an entry is missing, unknown or of the wrong type.
    """
    path = find_config(path)
    content = read_yaml(path, kind="a configuration of `mkbench mined-descriptors`")
    split = content.get("split") if isinstance(content, dict) else None
    if split not in _SPLITS:
        raise UsageError(f"Expected `split` in {path} to be one of {', '.join(_SPLITS)}, found {split!r}.")
    required = {"split", "protocol", "models", *(phase for phase in _SPLITS[split] if phase != "evaluation")}
    allowed = required | {"evaluation", "descriptions"}
    if not required <= set(content) <= allowed:
        raise UsageError(
            f"Expected {path}, for split {split}, to have the entries {', '.join(sorted(required))}, and none beside "
            f"them but {', '.join(sorted(allowed - required))}, found {', '.join(map(str, content))}."
        )
    sections = {name: content.get(name) or {} for name in (*PHASES, "descriptions")}
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise UsageError(f"Expected `{name}` in {path} to be a mapping of options, found {section!r}.")
    descriptions = sections.pop("descriptions")
    if split == "paper":
        sections = dict.fromkeys(PHASES, sections["evaluation"])
    models = read_models(content["models"], path)
    return MiningConfig(split, find_config(Path(str(content["protocol"])), beside=path), sections, descriptions, models)


def compose(config: MiningConfig) -> dict[str, dict[str, Any]]:
    """Return the configuration of `mkbench predict` for every phase.

    Raises:
        UsageError: the protocol does not exist, or is no configuration of `mkbench predict`.
    """
    content = read_yaml(config.protocol, kind="a configuration of `mkbench predict`")
    sections = [content.get(name) for name in ("model", "data")] if isinstance(content, dict) else [None]
    if not all(isinstance(section, dict) and "class_path" in section for section in sections):
        raise UsageError(
            f"Expected {config.protocol} to have `model` and `data` with a `class_path` each, found something else."
        )
    shared = {name: content[name] for name in content if name not in ("model", "data", "results", "figures")}
    own = {
        **_shared_with_zero_shot(content["model"].get("init_args") or {}),
        **config.descriptions,
        "split": config.split,
    }
    described = {"class_path": _SYSTEM, "init_args": own}
    return {
        phase: {
            "model": content["model"] if phase == "mining" else described,
            "data": _with_options(content["data"], config.images[phase]),
            **shared,
        }
        for phase in PHASES
    }


def _with_options(data: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    if "class_path" in options:
        return dict(options)
    return {**data, "init_args": {**(data.get("init_args") or {}), **options}}


def _parameters() -> tuple[set[str], set[str]]:
    """Names of the options of the system that mines, and of the one that classifies."""
    from mkbench.systems import DescriptorZeroShot, MutualKnowledge  # noqa: PLC0415 - torch takes seconds to import

    mining, describing = (
        {name for kind in system.__mro__ for name in _own_parameters(kind)}
        for system in (MutualKnowledge, DescriptorZeroShot)
    )
    return mining, describing


def _own_parameters(kind: type) -> list[str]:
    """Names of the options that a class of the package adds to those of its base class."""
    if not kind.__module__.startswith("mkbench.") or "__init__" not in vars(kind):
        return []
    parameters = inspect.signature(vars(kind)["__init__"]).parameters.values()
    return [one.name for one in parameters if one.name != "self" and one.kind is not one.VAR_KEYWORD]


def _shared_with_zero_shot(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options of the system that mines which the other one has as well."""
    _, describing = _parameters()
    return {name: value for name, value in options.items() if name in describing}


def options_of_phase(overrides: Sequence[str], phase: str) -> list[str]:
    """Return the words of the command line that a phase takes; options of `--model` go to the systems that have them.

    >>> options_of_phase(["--data.root", "photos", "--model.pool=9", "--model.precision=bf16"], "evaluation")
    ['--data.root', 'photos', '--model.precision=bf16']
    """
    mining, describing = _parameters()
    foreign = describing - mining if phase == "mining" else None
    words: list[str] = []
    takes = True
    for word in overrides:
        if word.startswith("--"):
            name = word.partition("=")[0].removeprefix("--model.").removeprefix("init_args.").partition(".")[0]
            of_model = word.startswith("--model.")
            takes = not of_model or (name not in foreign if foreign is not None else name in describing)
        words += [word] if takes else []
    return words


def run_mining(config: MiningConfig, out: Path, *, overrides: Sequence[str] = (), overwrite: bool = False) -> int:
    """Mine, decide and evaluate with every model; one that fails never costs the others.

    The folders of the runs that came before lie in ``mining/`` and ``held_out/`` below `out`, their configurations
    beside the tables.

    Returns:
        0, or 1 if a model failed.

    Raises:
        UsageError: the same one for every model, such as an unknown option.
        OSError: the disk is full.
    """
    from mkbench.runs.run_folder import write_text_atomically  # noqa: PLC0415 - pyarrow takes a second to import

    for phase, content in compose(config).items():
        write_text_atomically(out / f"{phase}.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    roots = {"mining": out / "mining", "held_out": out / "held_out", "evaluation": out}
    apart = starts_processes(out / "mining.yaml", overrides)
    refuse_collisions([("", model) for model in config.models])

    def evaluate(model: dict[str, Any]) -> Path | None:
        sources: list[str] = []
        folder = None
        for phase in PHASES:
            words = ["predict", "--config", str(out / f"{phase}.yaml"), *options_of_phase(overrides, phase)]
            words += [f"--{name}={option_word(value)}" for name, value in options_of(model).items()]
            words += [*sources, f"--results.root={roots[phase]}", *overwrite_words(overwrite)]
            folder = run_predict(words, roots[phase], model, apart=apart)
            sources.append(f"--model.{'mined_from' if phase == 'mining' else 'held_out_from'}={folder}")
        return folder

    return report_outcome(run_jobs([(shown_name(model), partial(evaluate, model)) for model in config.models]), out)
