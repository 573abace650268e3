"""The house keeps its shape: arrows between rooms go down, no room is too big, no file stem stands for two ideas."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from import_graph import circle, edges, imports, modules, room, upward

PACKAGE = Path(__file__).resolve().parents[1] / "mkbench"
#: Rooms and lone modules, top to bottom: each may import those below it. docs/architecture.md draws them.
ORDER = (
    "__main__",
    "mkbench",  # the package itself: the names it offers to users
    "cli",
    "single_image",
    "report",
    "callbacks",
    "studies",
    "systems",
    "scorers",
    "datamodules",
    "baselines",
    "heads",
    "metrics",
    "concepts",
    "tables",
    "plotting",
    "runs",
    "backbones",
    "language_models",
    "text_files",
    "atomic_files",
    "progress",
    "errors",
)
#: What `mkbench/__init__.py` defines itself, free of any import.
LEAVES = ("__version__",)
#: Stems that every folder of their kind may have, and the folders that are of that kind.
FIXED = {
    "__init__": "",
    "base": "",  # what the classes of a room share
    "study": "studies/",
    "choice": "studies/",
    "scores": "studies/",
    "table": "studies/",
    "figure": "studies/",
    "write": "studies/",
    "present": "studies/",
}
#: Folders whose files are the other half of a file of the same stem one folder up.
PAIRED = {"metrics/functional": "metrics", "systems/records": "systems"}
#: Other stems in more than one folder, and the one idea that they stand for there.
ONE_IDEA = {
    "bank": "the concept bank: read, checked by the doctor, and made by a command",
    "concept_groups": "descriptors that state the same: found, and chosen for a run",
    "ground_truth": "what is known of an image: read, scored, computed",
    "head_pruning": "the effect of ablated heads, and the command",
    "head_removal": "accuracy without heads, and the command",
    "intervention": "image pairs that differ in one thing: scored, computed",
    "mined_descriptors": "what was mined from images, and the command",
    "neighbors": "the images nearest to a direction: found, and drawn",
    "progress": "the bar, and the callback that moves it",
    "sample": "an explained image: its panels, and what of a run they show",
    "segmentation": "segmentation by heads, and its metrics",
    "stability": "images explained again: scored, and the metrics of it",
}


def write(package: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return package


def repeated_stems(package: Path) -> dict[str, list[str]]:
    """Stem -> the folders that have a file of it, where they are several and no rule allows them."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in modules(package).values():
        folder = path.parent.relative_to(package).as_posix()
        if path.stem in FIXED and f"{folder}/".startswith(FIXED[path.stem]):
            continue
        paired = PAIRED.get(folder)
        if paired is None or not (package / paired / path.name).is_file():
            folders[path.stem].append(folder)
    return {stem: found for stem, found in folders.items() if len(found) > 1}


def lines(package: Path) -> Counter[str]:
    """Lines of source of each room."""
    count: Counter[str] = Counter()
    for name, path in modules(package).items():
        count[room(name)] += len(path.read_text(encoding="utf-8").splitlines())
    return count


def test_no_circle_between_rooms() -> None:
    assert circle(edges(PACKAGE, leaves=LEAVES)) == []


def test_arrows_go_down() -> None:
    wrong = upward(edges(PACKAGE, leaves=LEAVES), ORDER)
    assert [f"{each.source} imports {each.target}" for each in wrong] == []


def test_rooms_of_the_house_are_read() -> None:
    """Linked folders too, each once."""
    rooms = set(lines(PACKAGE))
    assert rooms <= set(ORDER)
    assert {"callbacks", "datamodules", "systems", "metrics"} <= rooms
    files = [path.resolve() for path in modules(PACKAGE).values()]
    assert len(files) == len(set(files)) > 200


def test_no_room_holds_more_than_a_fifth() -> None:
    sizes = lines(PACKAGE)
    assert {name: size for name, size in sizes.items() if size > sum(sizes.values()) / 5} == {}


def test_no_stem_stands_for_two_ideas() -> None:
    """A new stem in two folders is renamed, or its one idea is said above; one that is no longer repeated goes."""
    repeated = repeated_stems(PACKAGE)
    assert {stem: folders for stem, folders in repeated.items() if stem not in ONE_IDEA} == {}
    assert set(ONE_IDEA) <= set(repeated)
    assert all(ONE_IDEA.values())


# -- the checks themselves can fail ----------------------------------------------------------------------------------


def test_a_circle_is_found(tmp_path: Path) -> None:
    files = {"roof/a.py": "import house.floor.b", "floor/b.py": "from house.cellar import c", "cellar/c.py": ""}
    house = write(tmp_path / "house", files)
    assert circle(edges(house)) == []
    write(house, {"cellar/c.py": "from house.roof.a import thing"})
    assert sorted(circle(edges(house))) == ["cellar", "floor", "roof"]


@pytest.mark.parametrize(
    "text",
    [
        "from house.roof import a",
        "import house.roof.a as a",
        "from house import roof",
        "from ..roof import a",
        "from ..roof.a import thing",
        "def late():\n    from house.roof import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.roof.a import thing",
        "try:\n    import house.roof\nexcept ImportError:\n    pass",
        "from house import offered",
    ],
)
def test_an_arrow_that_goes_up_is_found(tmp_path: Path, text: str) -> None:
    house = write(tmp_path / "house", {"__init__.py": "", "roof/a.py": "", "cellar/c.py": text})
    (wrong,) = upward(edges(house), ("house", "roof", "cellar"))
    assert wrong.source == "house.cellar.c"


def test_a_linked_folder_is_read(tmp_path: Path) -> None:
    house = write(tmp_path / "house", {"roof/a.py": ""})
    linked = write(tmp_path / "cellar", {"c.py": "from house.roof import a"})
    (house / "cellar").symlink_to(linked, target_is_directory=True)
    assert [each.source for each in imports(house)] == ["house.cellar.c"]


def test_a_room_outside_the_order_and_a_leaf(tmp_path: Path) -> None:
    house = write(tmp_path / "house", {"roof/a.py": "import house.shed.d", "shed/d.py": "from house import colour"})
    assert [each.source for each in upward(edges(house, leaves=["colour"]), ("roof",))] == ["house.roof.a"]


def test_a_repeated_stem_is_found(tmp_path: Path) -> None:
    files = dict.fromkeys(
        [
            "metrics/auc.py",
            "metrics/functional/auc.py",
            "studies/one/table.py",
            "studies/two/table.py",
            "heads/base.py",
            "systems/base.py",
        ],
        "",
    )
    house = write(tmp_path / "house", files)
    assert repeated_stems(house) == {}
    write(house, dict.fromkeys(["heads/auc.py", "heads/table.py", "plotting/table.py"], ""))
    assert repeated_stems(house) == {"auc": ["heads", "metrics"], "table": ["heads", "plotting"]}
