"""Which rooms of a package import which: read from the source, without importing anything."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One import: the module that says it, and the module or name that it asks for."""

    source: str
    target: str


def modules(package: Path) -> dict[str, Path]:
    """Dotted name -> file of every module of a package, those in linked folders once, by the name they import as."""
    found: dict[str, Path] = {}

    def walk(folder: Path, name: str) -> None:
        for path in sorted(folder.iterdir()):
            if path.is_dir() and path.name != "__pycache__":
                walk(path, f"{name}.{path.name}")
            elif path.suffix == ".py":
                found[name if path.stem == "__init__" else f"{name}.{path.stem}"] = path

    walk(package, package.name)
    return found


def imports(package: Path) -> list[Import]:
    """All imports between modules of a package: at the top, inside functions, and under TYPE_CHECKING."""
    return [
        Import(source, target)
        for source, path in modules(package).items()
        for target in _targets(path, source)
        if target.split(".")[0] == package.name
    ]


def _targets(path: Path, module: str) -> Iterator[str]:
    parent = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parent[: len(parent) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    """The first folder or module below the package; the package itself for what lies in it directly."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def edges(package: Path, *, leaves: Sequence[str] = ()) -> dict[tuple[str, str], list[Import]]:
    """(room, room it imports) -> the imports.

    A name that the package's own ``__init__`` offers counts as an import of the package.

    Args:
        package: the package's folder.
        leaves: names of the package's own ``__init__`` that it defines before it imports anything.
    """
    rooms = {room(name) for name in modules(package)}
    found: dict[tuple[str, str], list[Import]] = defaultdict(list)
    for each in imports(package):
        if each.target in {f"{package.name}.{leaf}" for leaf in leaves}:
            continue
        target = room(each.target) if room(each.target) in rooms else package.name
        if target != room(each.source):
            found[room(each.source), target].append(each)
    return dict(found)


def upward(found: Mapping[tuple[str, str], list[Import]], order: Sequence[str]) -> list[Import]:
    """The imports that go up in an order of rooms, or along a room that the order does not name."""
    height = {name: number for number, name in enumerate(order)}
    return [
        each
        for (source, target), between in found.items()
        if source not in height or target not in height or height[target] <= height[source]
        for each in between
    ]


def circle(found: Mapping[tuple[str, str], list[Import]]) -> list[str]:
    """The rooms of a circle of imports, in its order; empty if there is none."""
    below: dict[str, list[str]] = defaultdict(list)
    for source, target in found:
        below[source].append(target)

    def search(path: list[str]) -> list[str]:
        for target in below[path[-1]]:
            if target in path:
                return path[path.index(target) :]
            if target not in done and (round_trip := search([*path, target])):
                return round_trip
        done.add(path[-1])
        return []

    done: set[str] = set()
    return next((round_trip for start in sorted(below) if start not in done and (round_trip := search([start]))), [])
