"""Matching of a list of class names, which has an order alone, with the folders or labels of a data set."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mkbench.datamodules.imagenet_classes import load_imagenet_classes
from mkbench.errors import DataError


def own_names(folders: Sequence[str]) -> tuple[Mapping[str, str], str]:
    """Return folder -> the name it stands for itself, and where that is known from.

    What a folder is called tells which class it is: by the packaged list if it is a WordNet id of ImageNet, and
    otherwise by its own words.

    >>> own_names(["barn_owl", "bat"])
    ({'barn_owl': 'barn owl', 'bat': 'bat'}, 'by the names of the folders')
    """
    imagenet = load_imagenet_classes()
    if not imagenet.keys().isdisjoint(folders):
        return imagenet, "by the packaged names of ImageNet"
    return {folder: _words(folder) for folder in folders}, "by the names of the folders"


def _words(name: str) -> str:
    return re.sub(r"[_\W]+", " ", name)


def misplaced_names(given: Mapping[str, str], own: Mapping[str, str]) -> list[str]:
    """Return the folders whose given name is another folder's own, while that one is not called so itself.

    Two classes may share a name ("missile"), and lists may differ in a few names; neither is a wrong order.

    Args:
        given: folder -> the name it is given.
        own: folder -> the name it stands for, of these folders and maybe of others.

    >>> misplaced_names({"n1": "owl", "n2": "bat", "n3": "a bee"}, {"n1": "bat", "n2": "owl", "n3": "bee"})
    ['n1', 'n2']
    """
    owners: dict[str, set[str]] = {}
    for folder, name in own.items():
        owners.setdefault(name.casefold(), set()).add(folder)
    misplaced = []
    for folder, name in given.items():
        others = owners.get(name.casefold(), set())
        rightly = any(given.get(other, "").casefold() == name.casefold() for other in others)
        if others and folder not in others and not rightly:
            misplaced.append(folder)
    return misplaced


def match_name_list(folders: Sequence[str], names: Sequence[str], path: Path, *, kind: str) -> dict[str, str]:
    """Return folder -> name: by name where the names are the folders' own in any order, by place otherwise.

    Args:
        folders: the class folders, sorted, or labels in their order.
        names: a name for each.
        path: where the names are from, for the message.
        kind: what to call a folder in the message.

    Returns:
        A mapping in the order of the names.

    Raises:
        DataError: the number of names differs; the folders are numbers that are not sorted as such, so that either
            order may be meant; or several names are those of other folders, so that the order is wrong.

    >>> match_name_list(["barn_owl", "bat"], ["bat", "barn owl"], Path("names.txt"), kind="folder")
    {'bat': 'bat', 'barn_owl': 'barn owl'}
    >>> match_name_list(["n01", "n02"], ["owl", "bat"], Path("names.txt"), kind="folder")
    {'n01': 'owl', 'n02': 'bat'}
    """
    if len(names) != len(folders):
        raise DataError(
            f"Expected a name for each of the {len(folders)} class {kind}s, found {len(names)} names in {path}; "
            f"give as many names as {kind}s, or a mapping from {kind} to name."
        )
    known, _ = own_names(folders)
    for own in ({folder: folder for folder in folders}, known):
        matched = _match_own(names, {folder: own[folder] for folder in folders if folder in own})
        if matched is not None:
            return matched
    _require_numeric_order(folders, path, kind)
    given = dict(zip(folders, names, strict=True))
    _require_own_places(given, known, path, kind)
    return given


def _match_own(names: Sequence[str], own: Mapping[str, str]) -> dict[str, str] | None:
    """Return folder -> name if the names are the folders' own, each of them once."""
    folders = {_words(name).casefold(): folder for folder, name in own.items()}
    keys = [_words(name).casefold() for name in names]
    if len(folders) < len(names) or sorted(folders) != sorted(keys):
        return None
    return {folders[key]: name for key, name in zip(keys, names, strict=True)}


def _require_numeric_order(folders: Sequence[str], path: Path, kind: str) -> None:
    if all(folder.isdecimal() for folder in folders) and list(folders) != sorted(folders, key=int):
        raise DataError(
            f"Expected a mapping for {kind}s that are numbers but not sorted as such ({', '.join(folders[:4])}, ...), "
            f"found a list of names in {path}, which may be in either order; write {kind}<TAB>name on every line, or "
            f"JSON {{{kind}: name}}."
        )


def _require_own_places(given: Mapping[str, str], own: Mapping[str, str], path: Path, kind: str) -> None:
    """A single name may be a synonym; several that belong elsewhere are another order."""
    misplaced = misplaced_names({folder: name for folder, name in given.items() if folder in own}, own)
    if len(misplaced) > 1:
        found = " and ".join(f"{given[folder]!r} for the {kind} {folder!r}" for folder in misplaced[:2])
        raise DataError(
            f"Expected the names in {path} in the order of the {kind}s, found the name of another at {len(misplaced)} "
            f"of {len(given)}, such as {found}; put them into that order, or write {kind}<TAB>name on every line."
        )
