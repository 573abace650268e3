from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from mkbench.backbones import Geometry
from mkbench.datamodules import Critters, ImageFolder
from mkbench.datamodules.image_files import read_image
from mkbench.datamodules.resizing import resize_image
from mkbench.errors import DataError, UsageError
from mkbench.studies.head_queries.query_images import RunImages

GEOMETRY = Geometry(size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bicubic", resize_mode="shortest")


@pytest.fixture
def photos(photo_tree: Callable[..., Path]) -> Path:
    return photo_tree()


@pytest.mark.parametrize("resize", ["squash", "model"])
def test_sample_ids_and_files_go_the_same_way(photos: Path, tmp_path: Path, resize: str) -> None:
    images = RunImages(ImageFolder(photos, resize=resize), GEOMETRY)  # type: ignore[arg-type]
    expected = resize_image(read_image(photos / "bee" / "1.png"), GEOMETRY, resize)  # type: ignore[arg-type]
    shutil.copy(photos / "bee" / "1.png", tmp_path / "elsewhere.png")
    by_id, by_file = images.find("bee/1.png"), images.find(str(tmp_path / "elsewhere.png"))
    assert torch.equal(by_id.pixels, expected)
    assert torch.equal(by_file.pixels, expected)
    assert torch.equal(images.read(["ant/0.png", "bee/1.png"])[1], expected)
    assert images.read([]).shape == (0, 3, 16, 16)
    assert (by_id.name, by_id.sha256) == ("bee/1.png", None)
    assert by_file.name == str(tmp_path / "elsewhere.png")
    assert by_file.sha256 is not None


def test_file_of_the_data_is_known_again(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = RunImages(ImageFolder(photos), GEOMETRY)
    monkeypatch.chdir(photos / "bee")
    for name in ("1.png", str(photos / "bee" / "1.png"), "../bee/1.png"):
        assert (images.find(name).name, images.find(name).sha256) == ("bee/1.png", None)
    (tmp_path / "copy" / "bee").mkdir(parents=True)
    other = tmp_path / "copy" / "bee" / "1.png"
    Image.new("RGB", (40, 48)).save(other)  # the path ends alike, the image is another
    assert images.find(str(other)).name == str(other)


def test_images_of_the_same_pixels_have_one_hash(tmp_path: Path) -> None:
    images = RunImages(Critters(images_per_class=1, limit_classes=1), GEOMETRY)
    for name, size in (("a.png", (6, 4)), ("b.bmp", (6, 4)), ("c.png", (4, 6))):
        Image.new("RGB", size, "red").save(tmp_path / name)
    one, same, other = (images.find(str(tmp_path / name)).sha256 for name in ("a.png", "b.bmp", "c.png"))
    assert one == same != other


def test_what_is_no_image_is_refused(photos: Path, tmp_path: Path) -> None:
    images = RunImages(ImageFolder(photos), GEOMETRY)
    with pytest.raises(
        UsageError, match=r"sample id of photos, found 'bee/2.png', which is neither; did you mean bee/"
    ):
        images.find("bee/2.png")
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match="found something that is no image"):
        images.find(str(tmp_path / "notes.txt"))
    with pytest.raises(DataError, match="Expected a readable image at"):
        images.find(str(tmp_path))
    (photos / "bee" / "1.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="found something that is no image"):
        images.read(["bee/1.png"])
