"""Doctor checks of class names: order, repeats, prompts, and agreement with the bank."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from mkbench.backbones import Backbone
from mkbench.cli.doctor.bank import too_long
from mkbench.cli.doctor.data import Listing
from mkbench.cli.doctor.findings import Remark, counted, examples, ok, problem, warning
from mkbench.concepts import ConceptBank
from mkbench.datamodules.class_order import misplaced_names, own_names

_WNID = re.compile(r"n\d{8}")


def check_names(names: Sequence[str], templates: Sequence[str]) -> Iterator[Remark]:
    """Remark on the class names alone.

    Args:
        names: in class order.
        templates: class prompts.
    """
    ends = f"{names[0]!r} to {names[-1]!r}" if len(names) > 1 else repr(names[0])
    yield ok(
        f"{counted(len(names), 'class', 'classes')}, {ends}, in {counted(len(templates), 'prompt')} such as "
        f"{templates[0].replace('{}', names[0])!r}"
    )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        yield warning(
            f"{counted(len(repeated), 'name')} of more than one class, as in some published lists: "
            f"{examples(repeated)}; the model cannot tell such classes apart"
        )
    ids = wordnet_ids(names)
    if ids:
        yield problem(
            f"WordNet ids in the place of {counted(len(ids), 'class name')}: {examples(ids)}; no model knows them as "
            "words: give names with --data.class_names"
        )


def wordnet_ids(names: Sequence[str]) -> list[str]:
    """Return the names that are numbers of WordNet and no words.

    >>> wordnet_ids(["n01440764", "tench"])
    ['n01440764']
    """
    return [name for name in names if _WNID.fullmatch(name)]


def check_order(listing: Listing) -> Iterator[Remark]:
    """Remark on names that belong to the folder of another class.

    What a folder is called tells which class it is: by the packaged list if it is a WordNet id of ImageNet, and
    otherwise by its own words.
    """
    given = name_by_folder(listing)
    own, how = own_names(list(given))
    known = {folder: name for folder, name in given.items() if folder in own}
    if not known:
        return
    misplaced = misplaced_names(known, own)
    described = [f"{folder} is {own[folder]!r} but called {given[folder]!r}" for folder in misplaced]
    if len(misplaced) > 1:
        yield problem(
            f"the class order is wrong: {counted(len(misplaced), 'folder')} have the name of another ({how}), such as "
            f"{described[0]}, {described[1]}; put --data.class_names into the order of the folders, or write "
            "folder<TAB>name on every line"
        )
    elif misplaced:
        yield warning(f"a class may have the name of another ({how}): {described[0]}; look at --data.class_names")
    else:
        yield ok(f"no class has the name of another class's folder ({how})")


def name_by_folder(listing: Listing) -> dict[str, str]:
    """Return folder -> class name, where every class has a folder of its own and the ids of its images name it."""
    named: dict[str, str] = {}
    for name, ids in zip(listing.class_names, listing.sample_ids, strict=False):  # a limit leaves classes out
        folder = PurePosixPath(ids[0]).parent.name if ids else ""
        if folder in named:
            return {}
        if folder:
            named[folder] = name
    return named


def check_against_bank(names: Sequence[str], bank: ConceptBank) -> Iterator[Remark]:
    """Remark on classes that the bank has no descriptors of, and on its classes that are not in the list."""
    if bank.by_class is None:
        yield ok("the bank has no classes, so that there is nothing to compare the names with")
        return
    absent = [name for name in dict.fromkeys(names) if name not in bank.by_class]
    surplus = [name for name in bank.by_class if name not in set(names)]
    if absent:
        yield warning(
            f"{counted(len(absent), 'class', 'classes')} without descriptors of their own in the bank: "
            f"{examples(absent)}"
        )
    if surplus:
        found = f"{counted(len(surplus), 'class', 'classes')} of the bank not in the list: {examples(surplus)}"
        yield warning(f"{found}; are names spelt in two ways?") if absent else ok(found)
    if not absent and not surplus:
        yield ok("the bank has descriptors of every class and of no other")


def check_prompts(backbone: Backbone, names: Sequence[str], templates: Sequence[str]) -> Iterator[Remark]:
    """Remark on class prompts that the text encoder would cut short."""
    texts = [template.replace("{}", name) for name in names for template in templates]
    long = too_long(backbone, {text: text for text in texts})
    if long:
        yield warning(
            f"{counted(len(long), 'class prompt')} longer than the {backbone.context_length} tokens the model reads: "
            f"{examples(list(long), 1)}; shorten names or templates"
        )
