from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from asked_models import asked_model
from PIL import Image

from mkbench.datamodules import image_files
from mkbench.errors import DataError
from mkbench.report.app import uploads
from mkbench.report.app.uploads import preview_address, read_upload

IMAGES = asked_model().images


def test_an_upload_is_called_by_its_name_and_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, 20:] = 255  # dark at the left, light at the right
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise makes it upright
    Image.fromarray(pixels).save(tmp_path / "owl.png", exif=exif)
    query = read_upload(tmp_path / "owl.png", IMAGES)
    assert query.name == "owl.png"
    assert query.pixels.shape == (3, 16, 16)
    assert query.pixels[:, 0].float().mean() < 20  # dark above, light below
    assert query.pixels[:, -1].float().mean() > 235
    assert query.sha256 is not None
    with Image.open(io.BytesIO(base64.b64decode(preview_address(query).partition(",")[2]))) as shown:
        assert torch.equal(torch.from_numpy(np.array(shown)).permute(2, 0, 1), query.pixels)


def test_a_text_file_is_no_image_and_its_folder_stays_unsaid(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match=r"^Expected a readable image at notes\.txt, found something that is no image"):
        read_upload(tmp_path / "notes.txt", IMAGES)


def test_too_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (30, 30)).save(tmp_path / "owl.png")
    monkeypatch.setattr(uploads, "MOST_BYTES", 50)
    with pytest.raises(DataError, match=r"at most 50 bytes, found owl\.png with"):
        read_upload(tmp_path / "owl.png", IMAGES)


def test_too_many_pixels_are_not_decoded(tmp_path: Path) -> None:
    side = int(image_files.MOST_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(tmp_path / "huge.png")
    with pytest.raises(DataError, match=rf"huge\.png, found .*{side} x {side} pixels, more than"):
        read_upload(tmp_path / "huge.png", IMAGES)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"uploaded file owl\.png, found it deleted since; upload it again"):
        read_upload(tmp_path / "owl.png", IMAGES)
