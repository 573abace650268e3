import json
from pathlib import Path

import pytest
from PIL import Image

from mkbench.datamodules import ImageFolder
from mkbench.datamodules.image_folder import list_class_folders
from mkbench.errors import DataError, UsageError

TINY = Path(__file__).parents[3] / "shared" / "data" / "images" / "tiny-imagenet-20x10"
OWLS_AND_BATS = {"owl": ["2.png", "1.png"], "bat": ["1.png"]}


def test_folders_are_sorted_and_name_the_classes(tree):
    data = ImageFolder(tree(OWLS_AND_BATS))
    assert data.class_names == ("bat", "owl")
    assert [spec.sample_ids for spec in data.specs] == [("bat/1.png",), ("owl/1.png", "owl/2.png")]
    assert data.name == "pictures"


def test_a_mapping_decides_the_class_order_and_its_pictures_follow(tree, tmp_path, geometry):
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"n3": "eel", "n1": "owl", "n2": "bat"}))
    data = ImageFolder(tree({"n1": ["a.png"], "n2": ["a.png"], "n3": ["a.png"]}), class_names=names)
    assert data.class_names == ("eel", "owl", "bat")
    # The red of folder number i is 20 * i.
    groups = data.dataset(geometry, data.specs)
    assert [(group.sample_ids, int(group.images[0, 0, 0, 0])) for group in (groups[0], groups[1], groups[2])] == [
        (("n3/a.png",), 40),
        (("n1/a.png",), 0),
        (("n2/a.png",), 20),
    ]


def test_names_that_do_not_fit_are_refused(tree, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("owl\n")
    with pytest.raises(DataError, match=r"each of the 2 class folders, found 1 names in .*names\.txt"):
        ImageFolder(tree(OWLS_AND_BATS), class_names=names).specs  # noqa: B018
    with pytest.raises(UsageError, match="Expected a file of class names"):
        ImageFolder(tmp_path / "pictures", class_names=tmp_path / "absent").specs  # noqa: B018


def test_only_visible_pictures_directly_in_the_folder(tree):
    root = tree({"owl": ["a.PNG", "b.jpeg", ".hidden.png", "._a.png"], "owl/deeper": ["c.png"], ".cache": ["d.png"]})
    (root / "owl" / "notes.txt").write_text("no picture")
    (root / "owl" / "folder.jpg").mkdir()
    (root / "readme.md").write_text("no folder")
    data = ImageFolder(root)
    assert data.class_names == ("owl",)
    assert data.specs[0].sample_ids == ("owl/a.PNG", "owl/b.jpeg")


def test_links_are_followed_and_broken_ones_named(tree, tmp_path, geometry):
    root = tree({"owl": ["a.png"]})
    (root / "owl" / "b.png").symlink_to(root / "owl" / "a.png")
    (root / "owl" / "c.png").symlink_to(tmp_path / "gone.png")
    (root / "same").symlink_to(root / "owl")
    data = ImageFolder(root)
    assert data.class_names == ("owl", "same")
    group = data.dataset(geometry, data.specs)[1]
    assert group.sample_ids == ("same/a.png", "same/b.png")
    assert len(group.unreadable) == 1
    assert "same/c.png, found no such file" in group.unreadable[0]


def spoil(root):
    (root / "owl" / "empty.jpg").touch()
    (root / "owl" / "text.png").write_text("no picture")
    whole = (root / "owl" / "1.png").read_bytes()
    (root / "owl" / "torn.png").write_bytes(whole[: len(whole) // 2])


def test_bad_pictures_are_skipped_and_named(tree, geometry):
    root = tree(OWLS_AND_BATS)
    spoil(root)
    data = ImageFolder(root)
    group = data.dataset(geometry, data.specs)[1]
    assert group.sample_ids == ("owl/1.png", "owl/2.png")
    assert [message.split(str(root))[1].split(",")[0] for message in group.unreadable] == [
        "/owl/empty.jpg",
        "/owl/text.png",
        "/owl/torn.png",
    ]


def test_bad_pictures_stop_when_asked(tree, geometry):
    root = tree(OWLS_AND_BATS)
    spoil(root)
    data = ImageFolder(root, on_bad_image="raise")
    with pytest.raises(
        DataError, match=r"Expected a readable picture at .*/owl/empty\.jpg, found something that is no"
    ):
        data.dataset(geometry, data.specs)[1]


def test_missing_root(tmp_path):
    with pytest.raises(DataError, match=r"folder of class folders at .*absent, found nothing; check --data\.root"):
        list_class_folders(tmp_path / "absent")


def test_root_that_is_a_file(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "owl.png")
    with pytest.raises(DataError, match=r"folder of class folders at .*owl\.png, found a file; check --data\.root"):
        list_class_folders(tmp_path / "owl.png")


@pytest.mark.parametrize("file", [None, "owl.png"])
def test_root_without_class_folders(tmp_path, file):
    if file:
        Image.new("RGB", (2, 2)).save(tmp_path / file)
    with pytest.raises(
        DataError, match=r"one folder for each class in .*, found no folder; check --data\.root \(it is"
    ):
        list_class_folders(tmp_path)


def test_class_folder_without_pictures(tree):
    root = tree({"bat": ["a.png"], "owl": [], "owl/deeper": ["a.png"]})
    with pytest.raises(
        DataError, match=r"Expected pictures \(\.bmp, .*\) directly in the class folder .*owl, found none"
    ):
        ImageFolder(root).specs  # noqa: B018
    assert [spec.key for spec in ImageFolder(root, limit_classes=1).specs] == ["00000-000"]


@pytest.mark.skipif(not TINY.exists(), reason="needs ../shared/data, which may not be shipped")
def test_photographs(geometry):
    data = ImageFolder(TINY, limit_classes=2, limit_images_per_class=3)
    assert len(data.class_names) == 20
    group = data.dataset(geometry, data.specs)[1]
    assert group.images.shape == (3, 3, 16, 16)
    assert group.images.float().std() > 10
