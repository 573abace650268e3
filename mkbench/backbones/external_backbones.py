"""Backbones outside the package: entry points of other distributions, and class paths."""

import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from mkbench.backbones.base import Backbone
from mkbench.errors import BackboneError, UsageError

GROUP = "mkbench.backbones"
_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


class Plugin(NamedTuple):
    """Backbone that is not the package's own.

    Attributes:
        name: how it was asked for.
        origin: where it was found, as errors say it.
        load: returns a callable without arguments that makes it.
    """

    name: str
    origin: str
    load: Callable[[], Callable[[], Any]]


def published_names() -> list[str]:
    """List the backbones that other distributions publish.

    >>> isinstance(published_names(), list)
    True
    """
    return [entry.name for entry in entry_points(group=GROUP)]


def find_plugin(name: str) -> Plugin | None:
    """Find a backbone outside the package, without importing anything.

    Args:
        name: of an entry point, or a class path; no other name is ever imported.

    >>> find_plugin("my.module.Mine").origin, find_plugin("ViT-B-16") is None
    ('a class path', True)
    """
    published = next((entry for entry in entry_points(group=GROUP) if entry.name == name), None)
    if published is not None:
        return Plugin(name, f"the group {GROUP}", published.load)
    if _CLASS_PATH.fullmatch(name):
        return Plugin(name, "a class path", partial(_import_class, name))
    return None


def load_plugin(plugin: Plugin) -> Backbone:
    """Import a plugin and make its backbone, in evaluation mode and frozen.

    Raises:
        UsageError: if its module is not there.
        BackboneError: if it cannot be made, or is no Backbone.
    """
    try:
        backbone = plugin.load()()
    except BackboneError:
        raise
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The backbone {plugin.name} of {plugin.origin} cannot be loaded: {error}; on the command line, name the "
            "file of your own class with --plugins FILE.py."
        ) from error
    except Exception as error:  # whatever its module or its constructor stumbles over
        raise BackboneError(f"The backbone {plugin.name} of {plugin.origin} cannot be loaded: {error}.") from error
    if not isinstance(backbone, Backbone):
        raise BackboneError(
            f"Expected the backbone {plugin.name} of {plugin.origin} to be a Backbone, got {type(backbone).__name__}."
        )
    return backbone.eval().requires_grad_(False)


def _import_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, Backbone)):
        raise BackboneError(f"Expected {path} to be a subclass of mkbench.backbones.Backbone, got {found!r}.")
    return found
