"""Configuration of `mkbench bench`, and the list of jobs that follows from it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mkbench.backbones.known_models import model_set
from mkbench.cli.config_files import find_config
from mkbench.errors import UsageError
from mkbench.text_files import parse_yaml

#: Begins an option of every training.
TRAINING = "--train."


@dataclass(frozen=True)
class BenchConfig:
    """Configuration of a bench.

    Attributes:
        protocol: configuration of `mkbench predict` that every model is evaluated with.
        models: options of `--model` for each model, at least `backbone`; and maybe `name`, what results call it.
        variants: name -> options that override the protocol's; every model is evaluated in each, in a folder by the
            variant's name. The entry `models` of a variant, if there is one, says which models those are.
        train: configurations of `mkbench fit` to be trained before, unless that is done already, with options that
            override theirs.
    """

    protocol: Path
    models: tuple[dict[str, Any], ...]
    variants: Mapping[str, dict[str, Any]] = field(default_factory=lambda: {"": {}})
    train: Mapping[Path, dict[str, Any]] = field(default_factory=dict)


class BenchJob(NamedTuple):
    """One model in one variant, with the words of its `mkbench predict`.

    Attributes:
        name: for messages.
        model: as in ``BenchConfig.models``.
        folder: of the variant, within that of the bench; empty where there is only one.
        words: those of `mkbench predict`, but for where results go.
    """

    name: str
    model: dict[str, Any]
    folder: str
    words: tuple[str, ...]


def read_config(path: Path) -> BenchConfig:
    """Read a bench configuration; `protocol` is a path relative to it, or that of a packaged configuration.

    Raises:
        UsageError: the file does not exist, or an entry is missing, unknown or of the wrong type.
    """
    path = find_config(path)
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
        find_config(Path(str(content["protocol"])), beside=path),
        read_models(content["models"], path),
        _read_variants(content.get("variants", {"": {}}), path),
        {find_config(Path(str(recipe)), beside=path): options for recipe, options in recipes.items()},
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
        raise UsageError(f"Expected {kind} at {path}, found none; check --config, or take one of `mkbench configs`.")
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"Expected YAML in {path}, found something else: {error}; correct the file.") from error


def read_models(models: Any, path: Path) -> tuple[dict[str, Any], ...]:
    """Return the options of `--model` for each model of an entry `models`.

    Args:
        models: a list of names or of mappings with `backbone`, or the name of a set of models.
        path: the file it stands in, for messages.

    Raises:
        UsageError: something else, or a name that is no text.

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
    if isinstance(entry, dict) and "backbone" in entry and isinstance(entry.get("name", ""), str):
        return entry
    raise UsageError(f"Expected a model in {path} to be a name or a mapping with `backbone`, found {entry!r}.")


def list_jobs(config: BenchConfig, overrides: Sequence[str] = ()) -> list[BenchJob]:
    """List what a bench runs, variant by variant.

    >>> config = BenchConfig(Path("p.yaml"), ({"backbone": "a"},), {"saliency: pca": {"model.saliency": "pca"}})
    >>> [(job.name, job.folder, job.words[2:]) for job in list_jobs(config)]
    [('a (saliency: pca)', 'saliency-pca', ('--model.backbone=a', '--model.saliency=pca'))]
    """
    jobs = []
    overrides = [word for word in overrides if not word.startswith(TRAINING)]
    for variant, options_of_variant in config.variants.items():
        changes = {name: value for name, value in options_of_variant.items() if name != "models"}
        models = read_models(options_of_variant.get("models", list(config.models)), config.protocol)
        for model in models:
            options = {**options_of(model), **changes}
            words = [f"--{name}={option_word(value)}" for name, value in options.items()]
            name = f"{shown_name(model)} ({variant})" if variant else shown_name(model)
            jobs.append(BenchJob(name, model, _slug(variant), ("--config", str(config.protocol), *overrides, *words)))
    return jobs


def options_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `mkbench predict` for an entry of `models`.

    >>> options_of({"backbone": "a", "name": "epoch 3"})
    {'model.backbone': 'a', 'results.name': 'epoch 3'}
    """
    return {"results.name" if name == "name" else f"model.{name}": value for name, value in model.items()}


def shown_name(model: Mapping[str, Any]) -> str:
    """Return what messages call an entry of `models`."""
    return str(model.get("name", model["backbone"]))


def _slug(variant: str) -> str:
    """Return a variant's name as a folder name.

    >>> _slug("saliency: pca, keys")
    'saliency-pca-keys'
    """
    return re.sub(r"[^\w.]+", "-", variant).strip("-.")


def option_word(value: Any) -> str:
    """Return a value as the command line takes it.

    >>> option_word(["ring", "blur"])
    '["ring", "blur"]'
    """
    return value if isinstance(value, str) else json.dumps(value)


def overwrite_words(overwrite: bool) -> list[str]:
    """Return what lets `mkbench predict` compute finished groups again; nothing leaves that to the user's own words.

    >>> overwrite_words(True), overwrite_words(False)
    (['--results.overwrite=true'], [])
    """
    return ["--results.overwrite=true"] if overwrite else []
