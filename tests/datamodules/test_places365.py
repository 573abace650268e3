from pathlib import Path

import pytest
from data_trees import write_places365

from mkbench.cli.main import main
from mkbench.datamodules import Places365
from mkbench.datamodules.places365 import place_name
from mkbench.errors import DataError
from mkbench.runs.results import read_results

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "places365.yaml"
CATEGORIES = ["/a/airfield", "/a/apartment_building/outdoor", "/b/bow_window/indoor"]
LABELS = [2, 0, 1, 0, 2]


def name(*numbers):
    return tuple(f"Places365_val_{number:08d}.jpg" for number in numbers)


@pytest.fixture
def root(tmp_path):
    return write_places365(tmp_path / "places", CATEGORIES, LABELS)


def test_order_names_and_ids(root, geometry):
    data = Places365(root)
    assert data.name == "places365-val"
    assert data.class_names == ("airfield", "apartment building outdoor", "bow window indoor")
    assert [spec.sample_ids for spec in data.specs] == [name(2, 4), name(3), name(1, 5)]
    assert data.dataset(geometry, data.specs)[2].images.shape == (2, 3, 16, 16)


def test_numbers_are_the_class_order_and_lines_have_none(root):
    (root / "categories_places365.txt").write_text("/b/bow_window 2\n/a/airfield 0\n/z/zoo 1\n")
    listed = root / "places365_val.txt"
    listed.write_text("".join(sorted(listed.read_text().splitlines(keepends=True), reverse=True)))
    data = Places365(root)
    assert data.class_names == ("airfield", "zoo", "bow window")
    assert [spec.sample_ids for spec in data.specs] == [name(2, 4), name(3), name(1, 5)]


def test_names_without_the_folder_of_the_letter():
    assert place_name("/e/elevator_shaft") == "elevator shaft"
    assert place_name("/a/a_b/c_d/e") == "a b c d e"


def test_templates_are_those_of_places():
    assert Places365(Path("places")).templates == (
        "a photo taken in an {}.",
        "a photo of a {}.",
        "a scene taken in a {}.",
    )


def test_large_images(tmp_path, write_bank):
    root = write_places365(tmp_path / "places", CATEGORIES, LABELS, size="large")
    with pytest.raises(DataError, match=r"the folder of images .*val_256, found none; unpack them there or check"):
        Places365(root).specs  # noqa: B018
    large = Places365(root, small=False, bank=write_bank())
    assert [spec.sample_ids for spec in large.specs] == [name(2, 4), name(3), name(1, 5)]
    assert large.describe()["small"] is False


def test_missing_images_are_named_and_skipped(root, geometry):
    (root / "val_256" / name(4)[0]).unlink()
    data = Places365(root)
    group = data.dataset(geometry, data.specs)[0]
    assert group.sample_ids == name(2)
    assert len(group.unreadable) == 1
    assert f"{name(4)[0]}, found no such file" in group.unreadable[0]


@pytest.mark.parametrize("file", ["categories_places365.txt", "places365_val.txt"])
def test_missing_files(root, file):
    (root / file).unlink()
    with pytest.raises(
        DataError, match=rf"Expected a file .*{file}, found none; unpack filelist_places365-standard\.tar"
    ):
        Places365(root).specs  # noqa: B018


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "/a/airfield\n",
            r"a path and a number on each line of .*categories_places365\.txt, found '/a/airfield'; rest",
        ),
        ("/a/airfield 1\n/b/bow_window 2\n", r"such as /a/airfield, numbered from 0 to 1, in .*, found other lines"),
        ("/a/airfield 0\n/b/bow_window 0\n", r"numbered from 0 to 1, in .*, found other lines; restore"),
        ("/airfield 0\n", r"numbered from 0 to 0, in .*, found other lines; restore"),
    ],
)
def test_other_categories(root, text, message):
    (root / "categories_places365.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        Places365(root).specs  # noqa: B018


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "a.jpg 3",
            r"the number of a class \(0 to 2\) on each line of .*places365_val\.txt, found 'a\.jpg 3'; restore",
        ),
        ("a.jpg", r"found 'a\.jpg'; restore"),
        ("a.jpg -1", r"found 'a\.jpg -1'; restore"),
        ("../a.jpg 0", r"Expected paths below .*val_256 in .*places365_val\.txt, found '\.\./a\.jpg'; restore"),
        ("/a.jpg 0", r"Expected paths below .*, found '/a\.jpg'; restore"),
        (f"{name(1)[0]} 0", rf"different images in .*places365_val\.txt, found '{name(1)[0]}' twice; restore"),
    ],
)
def test_other_lists(root, line, message):
    with (root / "places365_val.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=message):
        Places365(root).specs  # noqa: B018


def test_category_without_images(tmp_path):
    root = write_places365(tmp_path, CATEGORIES, [0, 2])
    message = r"all 3 classes in .*places365_val\.txt, found none of /a/apartment_building/outdoor; restore"
    with pytest.raises(DataError, match=message):
        Places365(root).specs  # noqa: B018


def test_predict(root, tmp_path, write_bank, capsys):
    code = main(
        [
            "predict",
            f"--config={CONFIG}",
            "--model.backbone=critters-vit-s",
            "--model.num_language_concepts=5",
            f"--data.bank={write_bank()}",
            f"--data.root={root}",
            "--data.num_workers=0",
            "--trainer.accelerator=cpu",
            "--progress.enabled=false",
            "--figures.samples=0",
            f"--results.root={tmp_path / 'runs'}",
        ]
    )
    assert (code, capsys.readouterr().err) == (0, "")
    results = read_results(tmp_path / "runs" / "critters-vit-s")
    assert (results["data"]["name"], results["data"]["images"]) == ("places365-val", 5)
    assert [metric["n"] for metric in results["metrics"] if metric["name"] == "top1"] == [5]
