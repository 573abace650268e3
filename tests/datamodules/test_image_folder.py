import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from mkbench.backbones import Geometry
from mkbench.datamodules import ImageFolder
from mkbench.datamodules.image_folder import list_class_folders
from mkbench.errors import DataError, UsageError

TINY = Path(__file__).parents[3] / "shared" / "data" / "images" / "tiny-imagenet-20x10"
OWLS_AND_BATS = {"owl": ["2.png", "1.png"], "bat": ["1.png"]}


def test_folders_are_sorted_and_name_the_classes(tree):
    data = ImageFolder(tree(OWLS_AND_BATS))
    assert data.class_names == ("bat", "owl")
    assert [spec.sample_ids for spec in data.specs] == [("bat/1.png",), ("owl/1.png", "owl/2.png")]
    assert data.name == "images"


def test_a_mapping_decides_the_class_order_and_its_images_follow(tree, tmp_path, geometry):
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
        ImageFolder(tmp_path / "images", class_names=tmp_path / "absent").specs  # noqa: B018


def test_only_visible_images_directly_in_the_folder(tree):
    root = tree({"owl": ["a.PNG", "b.jpeg", ".hidden.png", "._a.png"], "owl/deeper": ["c.png"], ".cache": ["d.png"]})
    (root / "owl" / "notes.txt").write_text("no image")
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
    (root / "owl" / "text.png").write_text("no image")
    whole = (root / "owl" / "1.png").read_bytes()
    (root / "owl" / "torn.png").write_bytes(whole[: len(whole) // 2])


def test_bad_images_are_skipped_and_named(tree, geometry):
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


def test_bad_images_stop_when_asked(tree, geometry):
    root = tree(OWLS_AND_BATS)
    spoil(root)
    data = ImageFolder(root, on_bad_image="raise")
    with pytest.raises(DataError, match=r"Expected a readable image at .*/owl/empty\.jpg, found something that is no"):
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


def test_class_folder_without_images(tree):
    root = tree({"bat": ["a.png"], "owl": [], "owl/deeper": ["a.png"]})
    with pytest.raises(
        DataError, match=r"Expected images \(\.apng, .*\.jfif, .*\) directly in the class folder .*owl, found none"
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


def write_boxes(folder, *lines):
    path = folder / "boxes.csv"
    path.write_text("\n".join(["class,file,x_min,y_min,x_max,y_max", *lines]))
    return path


def test_boxes_come_in_the_geometry_of_the_images(tree, tmp_path, geometry):
    boxes = write_boxes(tmp_path, "owl,2.png,5,3,14,8", "owl,2.png,0,0,19,11", "bat,1.png,10,0,19,5")
    data = ImageFolder(tree(OWLS_AND_BATS), boxes=boxes)
    bats, owls = (data.dataset(geometry, data.specs, with_ground_truth=True)[index] for index in (0, 1))
    # 20 x 12 pixels to 16 x 16: columns by 4/5, rows by 4/3.
    assert [found.tolist() for found in bats.ground_truth.boxes] == [[[8, 0, 15, 7]]]
    assert [found.tolist() for found in owls.ground_truth.boxes] == [[], [[4, 4, 11, 11], [0, 0, 15, 15]]]
    assert data.dataset(geometry, data.specs)[0].ground_truth is None


def test_boxes_follow_a_mapping_of_class_names(tree, tmp_path, geometry):
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"n2": "bat", "n1": "owl"}))
    root = tree({"n1": ["a.png"], "n2": ["a.png"]})
    data = ImageFolder(root, class_names=names, boxes=write_boxes(tmp_path, "n1,a.png,0,0,4,5"))
    groups = data.dataset(geometry, data.specs, with_ground_truth=True)
    assert [(groups[i].sample_ids, len(groups[i].ground_truth.boxes[0])) for i in (0, 1)] == [
        (("n2/a.png",), 0),
        (("n1/a.png",), 1),
    ]


def test_boxes_of_unknown_images_are_refused(tree, tmp_path):
    boxes = write_boxes(tmp_path, "owl,1.png,0,0,1,1", "owl,7.png,0,0,1,1", "eel,1.png,0,0,1,1")
    data = ImageFolder(tree(OWLS_AND_BATS), boxes=boxes)
    message = r"boxes\.csv to name images below .*, found 2 of 3 that are not there \(such as 'eel/1\.png'; there"
    with pytest.raises(DataError, match=message):
        data.specs  # noqa: B018


def test_other_boxes_are_another_data_set(tree, tmp_path):
    root = tree(OWLS_AND_BATS)
    bank = tmp_path / "bank.json"
    bank.write_text(json.dumps(["a beak", "a wing"]))

    def describe(*lines):
        return ImageFolder(root, bank=bank, boxes=write_boxes(tmp_path, *lines) if lines else None).describe()

    one, same, other, none = (
        describe(*lines) for lines in (("owl,1.png,0,0,1,1",), ("owl,1.png,0,0,1,1",), ("owl,1.png,0,0,2,1",), ())
    )
    assert one == same != other
    assert one == none | {"boxes_sha256": one["boxes_sha256"]}


@pytest.mark.parametrize("resize", ["squash", "model"])
@pytest.mark.parametrize("mode", ["shortest", "longest"])
def test_box_of_an_object_in_an_image_that_is_not_square(tree, tmp_path, mode, resize):
    root = tree({"owl": ["wide.png", "tall.png"]})
    boxes = {"wide.png": (30, 10, 59, 29), "tall.png": (5, 40, 34, 64)}
    for name, (x0, y0, x1, y1) in boxes.items():
        drawn = Image.new("RGB", (80, 40) if name == "wide.png" else (40, 100))
        drawn.paste((255, 255, 255), (x0, y0, x1 + 1, y1 + 1))
        drawn.save(root / "owl" / name)
    lines = [f"owl,{name},{','.join(map(str, box))}" for name, box in boxes.items()]
    data = ImageFolder(root, boxes=write_boxes(tmp_path, *lines), resize=resize)
    geometry = Geometry(40, (0.5,) * 3, (0.5,) * 3, "bilinear", mode)
    group = data.dataset(geometry, data.specs, with_ground_truth=True)[0]
    for image, found in zip(group.images, group.ground_truth.boxes, strict=True):
        rows, columns = (image[0] > 127).nonzero(as_tuple=True)
        bright = torch.stack([columns.min(), rows.min(), columns.max(), rows.max()])
        assert (found[0] - bright).abs().max() <= 1  # a pixel that is half covered may count or not
        assert len(found) == 1


@pytest.mark.skipif(not TINY.exists(), reason="needs ../shared/data, which may not be shipped")
def test_boxes_of_photographs(geometry):
    data = ImageFolder(TINY, boxes=TINY / "boxes.csv", limit_classes=3)
    with (TINY / "boxes.csv").open() as file:
        rows = {f"{row['class']}/{row['file']}": row for row in csv.DictReader(file)}
    group = data.dataset(geometry, data.specs, with_ground_truth=True)[2]
    assert len(group) == 10
    for sample_id, (box,) in zip(group.sample_ids, group.ground_truth.boxes, strict=True):
        # 64 pixels to 16: a corner at x comes to x / 4, give or take the rounding of half a pixel.
        expected = [int(rows[sample_id][name]) for name in ("x_min", "y_min", "x_max", "y_max")]
        for corner, exact in zip(box.tolist(), expected, strict=True):
            assert abs(corner - (exact + 0.5) / 4 + 0.5) <= 1


def test_paths_may_be_texts(tree, tmp_path):
    root = tree(OWLS_AND_BATS)
    names, bank, samples = tmp_path / "names.txt", tmp_path / "bank.txt", tmp_path / "samples.txt"
    names.write_text("bat\tfruit bat\nowl\tbarn owl\n")
    bank.write_text("large eyes\nwings\n")
    samples.write_text("owl/1.png\n")
    boxes = write_boxes(tmp_path, "owl,1.png,0,0,4,5")
    files = {"class_names": names, "bank": bank, "samples": samples, "boxes": boxes}
    texts = ImageFolder(str(root), **{name: str(path) for name, path in files.items()})
    assert texts.class_names == ("fruit bat", "barn owl")
    assert texts.describe() == ImageFolder(root, **files).describe()


@pytest.mark.parametrize(("options", "tall"), [({}, True), ({"exif_orientation": False}, False)])
def test_phone_images_are_turned_unless_told_otherwise(tmp_path, options, tall):
    (tmp_path / "owl").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "owl" / "phone.jpg", exif=exif)
    data = ImageFolder(tmp_path, **options)
    assert data.source.read(0, "owl/phone.jpg").shape == ((3, 30, 20) if tall else (3, 20, 30))
    (tmp_path / "bank.txt").write_text("a\nb\n")
    assert ImageFolder(tmp_path, bank=tmp_path / "bank.txt", **options).describe()["exif_orientation"] is tall


def test_files_that_are_no_images_are_known(tree):
    root = tree(OWLS_AND_BATS)
    (root / "owl" / "notes.txt").touch()
    assert [list(ImageFolder(root).source.other_files(index)) for index in (0, 1)] == [[], ["owl/notes.txt"]]


def test_thin_images_are_left_out_by_name(tree):
    root = tree({"owl": ["1.png"]})
    Image.new("RGB", (20_000, 2)).save(root / "owl" / "line.png")
    data = ImageFolder(root, resize="model")
    geometry = Geometry(16, (0.5,) * 3, (0.5,) * 3, "bicubic", "shortest")
    group = data.dataset(geometry, data.specs)[0]
    assert group.sample_ids == ("owl/1.png",)
    assert group.unreadable[0].startswith("owl/line.png: Expected an image at most 100 times as long as wide")
