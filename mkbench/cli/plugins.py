"""Plug-ins: a user's own classes in one Python file, imported by ``--plugins FILE``."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

from mkbench.cli.global_options import take_values
from mkbench.errors import UsageError, sentence

OPTION = "--plugins"
#: Files that were imported, for processes that this one starts.
loaded: dict[str, Path] = {}


def take_plugins(words: Sequence[str]) -> list[str]:
    """Import the files that ``--plugins`` names; return the other words.

    Raises:
        UsageError: no file, no Python file, one that fails, or one by the name of an installed module.

    >>> take_plugins(["predict", "--config=a.yaml"])
    ['predict', '--config=a.yaml']
    """
    files, rest = take_values(words, OPTION)
    for file in files:
        load_plugin(Path(file))
    return rest


def load_plugin(path: Path) -> None:
    """Import one Python file under its stem, so that ``class_path: STEM.Class`` finds its classes.

    Raises:
        UsageError: as ``take_plugins``.
    """
    name, file = path.stem, path.resolve()
    if loaded.get(name) == file:
        return
    if path.suffix != ".py" or not path.is_file() or not name.isidentifier():
        raise UsageError(
            f"Expected a Python file after {OPTION}, such as my_model.py, found {str(path)!r}; correct it."
        )
    if name in sys.modules or find_spec(name) is not None:
        raise UsageError(
            f"Expected a name of its own for the plug-in {path}, found that of an installed module; rename the file."
        )
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"Expected a Python file that can be imported, found {path}; correct {OPTION}.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file raises
        del sys.modules[name]
        raise UsageError(
            f"Expected the plug-in {path} to be importable, found {type(error).__name__}: {sentence(error)}; mend it."
        ) from error
    loaded[name] = file


def plugin_words() -> list[str]:
    """Return the words by which another process imports the same files."""
    return [f"{OPTION}={path}" for path in loaded.values()]
