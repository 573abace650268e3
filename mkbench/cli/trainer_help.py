"""Help of `mkbench predict` and `mkbench fit`: mkbench's own options, one a line; Lightning's on request."""

import re
import shutil
import textwrap
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from mkbench.callbacks import GroupProgress, ResultWriter, Visualiser
from mkbench.cli.config_files import with_found_configs
from mkbench.errors import UsageError
from mkbench.text_files import parse_yaml

_HEADLINES = {
    "predict": "Evaluate one model on one data set. After a stop, the same command goes on from what is finished.",
    "fit": "Train a model, or a baseline that explainers read, by a configuration.",
}
#: Classes of `model` and `data` whose options are shown where no configuration names others.
_DEFAULT = {"predict": ("mkbench.systems.MutualKnowledge", "mkbench.datamodules.ImageFolder"), "fit": (None, None)}
GENERAL_OPTIONS = {
    "--config FILE": "YAML; `mkbench configs` lists those that come with the package",
    "--seed_everything N": "the seed of the run (0); --model.seed is the same one",
    "--plugins FILE.py": "a file of your own classes, for a class_path FILE.Class",
    "--print_config": "print the whole configuration that would run",
}
TRAINER_OPTIONS = {
    "--trainer.accelerator NAME": "auto, cpu, gpu",
    "--trainer.devices N": "how many devices share the work",
    "--trainer.fast_dev_run true": "smoke test: one batch, of which nothing is kept",
    "--help-all": "every option, those of Lightning's trainer too",
}


#: Texts of options that say to look at the base class, and markup of docstrings.
_REFERS, _ROLE = re.compile(r"as there|see :class:"), re.compile(r":\w+:`~?([^`]*)`")


def show_help(words: Sequence[str]) -> None:
    """Print the help of the command that the words begin with, for the classes of their configuration.

    Raises:
        UsageError: a configuration whose classes cannot be found.
    """
    command = words[0]
    model, data = _classes(with_found_configs(words))
    shown = [f"usage: mkbench {command} --config FILE [options]", "", _HEADLINES[command]]
    shown += _section("general", GENERAL_OPTIONS.items())
    for part, class_path in (("model", model), ("data", data)):
        if class_path is None:
            shown += ["", f"{part}: the options of its class, which `mkbench {command} --config FILE --help` lists"]
        else:
            title = f"{part}: {class_path} (--{part}.help CLASS explains another)"
            shown += _section(title, list_options(class_path, part))
    if command == "predict":
        own = (("results", ResultWriter), ("progress", GroupProgress), ("figures", Visualiser))
        shown += _section("results", [row for part, kind in own for row in list_options(kind, part)])
    shown += _section("trainer", TRAINER_OPTIONS.items())
    print("\n".join(shown))


def _classes(words: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the class paths of model and data: the last that the words or their configuration name."""
    model, data = _DEFAULT[words[0]]
    found = {"model": model, "data": data}
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        given = value if equals else "".join(words[place + 1 : place + 2])
        if option in ("--model", "--data"):
            found[option[2:]] = given
        elif option in ("--config", "-c") and Path(given).is_file():
            found |= _class_paths(Path(given))
    return found["model"], found["data"]


def _class_paths(config: Path) -> dict[str, str]:
    try:
        content = parse_yaml(config.read_text(encoding="utf-8"))
    except ValueError:
        return {}  # running it says what is wrong
    sections = content if isinstance(content, dict) else {}
    return {
        part: sections[part]["class_path"]
        for part in ("model", "data")
        if isinstance(sections.get(part), dict) and isinstance(sections[part].get("class_path"), str)
    }


def list_options(kind: str | type, part: str) -> list[tuple[str, str]]:
    """List the options of a class with what they mean and their defaults."""
    parser = ArgumentParser()
    try:
        found_class = _import_class(kind) if isinstance(kind, str) else kind
        parser.add_class_arguments(found_class, part, fail_untyped=False)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"Expected a class that can be imported for {part}, found {kind}: {error}.") from error
    found: dict[str, Any] = {}
    for action in parser._actions:
        names = [name for name in action.option_strings if name.startswith(f"--{part}.") and not name.endswith("+")]
        if names and not names[0].endswith(".help"):
            found[names[0]] = action
    refers = any(_REFERS.match(action.help or "") for action in found.values())
    base = dict(list_options(found_class.__mro__[1], part)) if refers else {}
    return [(name, _meaning(action, base.get(name, ""))) for name, action in found.items()]


def _import_class(path: str) -> type:
    module, _, name = path.rpartition(".")
    found: type = getattr(import_module(module), name)
    return found


def _meaning(action: Any, of_base: str) -> str:
    """Return what an option means and its default; where its text refers to the base class, what is said there."""
    if _REFERS.match(action.help or ""):
        return of_base
    said = _ROLE.sub(r"\1", " ".join((action.help or "").replace("%%", "%").split()))
    known = action.default is not None and isinstance(action.default, (str, int, float, Path))
    return f"{said} ({action.default})" if known else said


def _section(title: str, options: Any) -> list[str]:
    """Return lines of a section: an option in each, cut to the width of the terminal."""
    rows = list(options)
    width = max((len(name) for name, _ in rows), default=0)
    room = max(shutil.get_terminal_size().columns - width - 4, 20)
    return [
        "",
        title,
        *(f"  {name:<{width}} {textwrap.shorten(text, room, placeholder=' ...')}" for name, text in rows),
    ]
