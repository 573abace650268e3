"""Check of a run folder's ``config.yaml``: it may name classes of mkbench and nothing else, or it builds nothing."""

import os
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mkbench.backbones.external_backbones import published_names
from mkbench.cli.plugins import OPTION, loaded
from mkbench.errors import UsageError
from mkbench.text_files import parse_yaml

#: The option by which a user says that a run's configuration may import and build anything.
TRUST_OPTION = "--trust-config"
#: Annotations of values that are never built from a class path.
_PLAIN = (str, int, float, bool, NoneType, Path, list, tuple, dict)
_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_ENTRIES = {"class_path", "init_args"}


def require_own_classes(section: Any, base: type, *, place: str, run: Path) -> None:
    """Refuse a section of a run's configuration by which its parser would import or build a foreign class.

    What is checked is the parsed YAML, the parent before what is below it; only modules of mkbench are imported, and
    nothing is built. Classes of a file that ``--plugins`` has imported count as the package's own.

    Args:
        section: the parsed YAML of `model` or `data`.
        base: class that the section must be of.
        place: name of the section.
        run: the run folder, for messages.

    Raises:
        UsageError: a class, function, plug-in or nested configuration file that is not mkbench's own.

    >>> from mkbench.errors import MkbenchError
    >>> require_own_classes({"class_path": "mkbench.errors.UsageError"}, MkbenchError, place="model", run=Path("r"))
    >>> require_own_classes({"class_path": "os.system"}, MkbenchError, place="model", run=Path("r"))
    Traceback (most recent call last):
        ...
    mkbench.errors.UsageError: Expected classes of mkbench alone in r/config.yaml, found 'os.system' at ...
    """
    reason = _fault(section, (base,), place)
    if reason is not None:
        raise UsageError(
            f"Expected classes of mkbench alone in {run / 'config.yaml'}, found {reason}; add {TRUST_OPTION} if you "
            f"trust whoever made the run, or {OPTION} FILE.py for a class of your own file."
        )


def _fault(value: Any, kinds: tuple[Any, ...], place: str) -> str | None:
    """Say what a value of an argument names that is not mkbench's own; None where there is nothing.

    Args:
        value: parsed YAML.
        kinds: the annotations of the argument, unions and containers taken apart.
        place: dotted path of the argument.
    """
    buildable = tuple(kind for kind in kinds if kind not in _PLAIN)
    if isinstance(value, Mapping) and "class_path" in value:
        return _class_fault(value, buildable, place)
    if isinstance(value, (Mapping, list)):
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        return next(filter(None, (_fault(entry, kinds, f"{place}.{name}") for name, entry in entries)), None)
    if isinstance(value, str) and buildable and _may_be_read_as_class(value, plain=str in kinds):
        return f"{value[:80]!r} at {place}"
    return None


def _class_fault(value: Mapping[Any, Any], bases: tuple[Any, ...], place: str) -> str | None:
    """Check a class path, then the arguments of its class by their annotations."""
    found = _own_class(value["class_path"])
    if found is None or not any(_is_a(found, base) for base in bases):
        return f"{str(value['class_path'])[:80]!r} at {place}.class_path"
    foreign = sorted(map(str, set(value) - _ENTRIES))
    if foreign:
        return f"the entry {foreign[0]!r} at {place}"
    arguments = value.get("init_args") or {}
    if not isinstance(arguments, Mapping):
        return f"{str(arguments)[:80]!r} at {place}.init_args"
    for name, argument in arguments.items():
        kinds = _kinds_of(found, name)
        if not kinds:
            return f"the argument {name!r} at {place}, which {found.__name__} does not have"
        reason = _fault(argument, kinds, f"{place}.{name}")
        if reason is not None:
            return reason
    return None


def _is_a(found: type, base: Any) -> bool:
    """Tell whether a class fits an annotation; that of a protocol, which any class with its members fits, always."""
    if not isinstance(base, type):
        return False
    return bool(getattr(base, "_is_protocol", False)) or issubclass(found, base)


def _own_class(path: Any) -> type | None:
    """Return the class of mkbench, or of a file of ``--plugins``, that a class path names; None for any other."""
    if not isinstance(path, str) or not _CLASS_PATH.fullmatch(path) or any(p.startswith("_") for p in path.split(".")):
        return None
    package, (module, _, name) = path.partition(".")[0], path.rpartition(".")
    if package != "mkbench" and package not in loaded:
        return None
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return None
    # A module's own imports can be reached through it, and are not its own.
    return found if isinstance(found, type) and found.__module__.partition(".")[0] == package else None


def _kinds_of(owner: type, name: Any) -> tuple[Any, ...]:
    """Return the annotations of an argument of a class, its own or one that it passes on to a base class."""
    for each in owner.__mro__:
        maker = vars(each).get("__init__")
        hints = get_type_hints(maker) if maker is not None and each is not object else {}
        if name in hints:
            return tuple(_taken_apart(hints[name]))
    return ()


def _taken_apart(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Literal:
        yield str
    elif origin is None:
        yield annotation
    else:
        for each in get_args(annotation):
            yield from _taken_apart(each)


def _may_be_read_as_class(text: str, *, plain: bool) -> bool:
    """Tell whether a parser would take a text for a class, or for a file or a YAML text that names one.

    Args:
        text: value of an argument that takes an object.
        plain: whether the argument takes texts, too.
    """
    if not plain or text in published_names() or _is_file(text):
        return True
    if _CLASS_PATH.fullmatch(text):
        return _own_class(text) is None and _is_importable(text.partition(".")[0])
    try:
        return not isinstance(parse_yaml(text), str)
    except ValueError:
        return False


def _is_file(text: str) -> bool:
    try:
        return Path(os.path.expanduser(text)).is_file()
    except (OSError, ValueError, RuntimeError):  # a text that cannot be a path
        return False


def _is_importable(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # one that is imported already and does not say from where
        return True
