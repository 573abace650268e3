"""Images from a phone: turned in data of one's own, read as they are stored in published data sets."""

from pathlib import Path

import pytest
from packed_images import write_tar
from PIL import Image

from mkbench.datamodules import Food101, HuggingFace, ImageFolder, ImageNet, Places365, UnlabelledFolder, WebDataset
from mkbench.errors import DataError

STORED, TURNED = (3, 20, 30), (3, 30, 20)


def write_phone_image(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    return path


def write_list(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path


def image_folder(folder, **options):
    write_phone_image(folder / "owl" / "1.jpg")
    return ImageFolder(folder, **options)


def unlabelled_folder(folder, **options):
    write_phone_image(folder / "images" / "1.jpg")
    return UnlabelledFolder(folder / "images", class_names=write_list(folder / "names.txt", "owl", "bat"), **options)


def webdataset(folder, **options):
    encoded = write_phone_image(folder / "1.jpg").read_bytes()
    write_tar(folder / "0.tar", [("1.jpg", encoded), ("1.cls", b"0")])
    return WebDataset(folder / "0.tar", class_names=write_list(folder / "names.txt", "owl", "bat"), **options)


def saved_table(folder):
    datasets = pytest.importorskip("datasets", reason="needs pip install 'mkbench[data]'")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["owl"])})
    rows = {"image": [str(write_phone_image(folder / "1.jpg"))], "label": [0]}
    datasets.Dataset.from_dict(rows, features=features, split="validation").save_to_disk(folder / "saved")
    return folder / "saved"


def table(folder, **options):
    return HuggingFace(saved_table(folder), **options)


def stream(folder, **options):
    return HuggingFace(saved_table(folder), streaming=True, cache=folder / "cache", **options)


OWN = [image_folder, unlabelled_folder, webdataset, table, stream]


def first_image(data):
    return data.source.read(0, data.source.sample_ids(0)[0])


@pytest.mark.parametrize("make", OWN)
def test_own_images_are_turned_unless_told_otherwise(tmp_path: Path, make):
    assert first_image(make(tmp_path / "a")).shape == TURNED
    assert first_image(make(tmp_path / "b", exif_orientation=False)).shape == STORED


@pytest.mark.parametrize("make", OWN)
def test_whether_they_are_turned_identifies_the_data(tmp_path: Path, make):
    bank = write_list(tmp_path / "bank.txt", "large eyes", "wings")
    turned, stored = (
        make(tmp_path / str(flag), bank=bank, exif_orientation=flag).describe()["exif_orientation"]
        for flag in (True, False)
    )
    assert (turned, stored) == (True, False)


@pytest.mark.parametrize("make", OWN)
def test_large_images_are_refused_by_the_option(tmp_path: Path, make):
    with pytest.raises(DataError, match="30 x 20 pixels, more than the 599 of max_pixels"):
        first_image(make(tmp_path, max_pixels=599))


def imagenet(folder):
    write_phone_image(folder / "n01440764" / "1.jpg")
    return ImageNet(folder, allow_missing_classes=True)


def places365(folder):
    write_phone_image(folder / "val_256" / "1.jpg")
    write_list(folder / "categories_places365.txt", "/a/airfield 0")
    write_list(folder / "places365_val.txt", "1.jpg 0")
    return Places365(folder)


def food101(folder):
    write_phone_image(folder / "images" / "pie" / "1.jpg")
    for name, line in (("classes.txt", "pie"), ("labels.txt", "Pie"), ("test.txt", "pie/1")):
        write_list(folder / "meta" / name, line)
    return Food101(folder)


@pytest.mark.parametrize("make", [imagenet, places365, food101])
def test_published_data_are_read_as_they_are_stored(tmp_path: Path, make):
    assert first_image(make(tmp_path)).shape == STORED


@pytest.mark.parametrize("make", [imagenet, places365, food101])
def test_published_data_have_no_option_to_turn_them(make):
    kind = {imagenet: ImageNet, places365: Places365, food101: Food101}[make]
    with pytest.raises(TypeError, match="exif_orientation"):
        kind("data", exif_orientation=True)
