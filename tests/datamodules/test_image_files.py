import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from mkbench.datamodules.image_files import (
    Decoding,
    decode_image,
    image_pixels,
    is_image_name,
    list_image_names,
    list_other_names,
    read_image,
)
from mkbench.errors import DataError


def as_tensor(array):
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif"])
def test_lossless_formats_keep_every_pixel(tmp_path, noise, suffix):
    assert torch.equal(read_image(save(tmp_path / f"owl{suffix}", noise)), as_tensor(noise))


def test_grey_levels_become_three_equal_channels(tmp_path):
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    image = read_image(save(tmp_path / "grey.png", levels))
    assert torch.equal(image, torch.from_numpy(levels).expand(3, 3, 4))


def test_black_and_white(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "bits.png")
    assert read_image(tmp_path / "bits.png")[1].tolist() == [[0, 255]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, suffix):
    # 65535 = 257 * 255, so level 257 * v is exactly v; 257 * 100 + 128 rounds down, + 129 up.
    levels = np.array([[0, 257 * 100, 257 * 100 + 128, 257 * 100 + 129, 65535]], np.uint16)
    image = read_image(save(tmp_path / f"deep{suffix}", levels))
    assert image[0].tolist() == [[0, 100, 100, 101, 255]]
    assert image.dtype == torch.uint8


def test_cmyk(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    red, green, blue = read_image(tmp_path / "print.jpg").float().mean(dim=(1, 2)).tolist()
    assert red > 250
    assert max(green, blue) < 5


def test_palette_with_transparency_is_read_without_a_warning(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.png", transparency=bytes([0, 128]))
    assert read_image(tmp_path / "palette.png").permute(1, 2, 0).tolist() == [[[10, 20, 30], [200, 100, 50]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_dropped(tmp_path, mode):
    Image.new("RGBA", (1, 1), (50, 50, 50, 0)).convert(mode).save(tmp_path / "alpha.png")
    assert read_image(tmp_path / "alpha.png").flatten().tolist() == [50, 50, 50]


def test_exif_orientation_is_ignored_as_published_loaders_do(tmp_path, noise):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    path = save(tmp_path / "phone.png", noise, exif=exif)
    assert torch.equal(read_image(path), as_tensor(noise))


def test_decoder_errors_of_any_kind_are_named(tmp_path, monkeypatch, noise):
    # Pillow's tag reader raises struct.error on some damaged headers, which is neither OSError nor ValueError.
    def fail(image):
        raise struct.error("unpack requires a buffer of 2 bytes")

    path = save(tmp_path / "owl.png", noise)
    monkeypatch.setattr("mkbench.datamodules.image_files._to_rgb", fail)
    with pytest.raises(DataError, match=r"owl\.png, found one that cannot be decoded \(unpack requires"):
        read_image(path)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (np.array([[0, 7, 255]], np.int32), [0, 7, 255]),  # 8-bit levels in 32 bits
        (np.array([[0, 257 * 7, 65535]], np.int32), [0, 7, 255]),  # 16-bit levels in 32 bits
        (np.array([[0, 255, 257 * 9]], np.uint16), [0, 1, 9]),
        (np.array([[0, 100, 200]], np.uint16), [0, 0, 1]),  # 16 bits are 16 bits, however dark
        (np.array([[0, 0.2, 1]], np.float32), [0, 51, 255]),
        (np.array([[0, 7.4, 255]], np.float32), [0, 7, 255]),
        (np.array([[0, 257 * 7, 65535]], np.float32), [0, 7, 255]),
    ],
)
def test_deep_grey_levels_are_scaled_by_type_and_values(tmp_path, levels, expected):
    image = read_image(save(tmp_path / "grey.tif", levels))
    assert image.tolist() == [[expected]] * 3


@pytest.mark.parametrize("level", [-1.0, 65536.0, np.nan, np.inf])
def test_grey_levels_of_unknown_range_are_refused(tmp_path, level):
    path = save(tmp_path / "heights.tif", np.array([[0, level]], np.float32))
    with pytest.raises(DataError, match=r"heights\.tif, found one that cannot be decoded \(grey levels from"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found something that is no image"),
        (b"hello", "found something that is no image"),
        (b"\x89PNG\r\n\x1a\n", "found something that is no image"),
        (None, "found no such file"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, content, message):
    path = tmp_path / "bad.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"Expected a readable image at .*bad\.jpg, {message}; replace or remove"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_truncated_images_are_named(tmp_path, noise, suffix):
    path = save(tmp_path / f"torn{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"torn\{suffix}, found one that cannot be decoded \(.*truncated"):
        read_image(path)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match="cannot be decoded"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPEG", "a.b.Png", "a.TIFF", "a.webp", "a.jfif", "a.gif", "a.pgm", "a.jpe", "a.tif", "a.avif"]
)
def test_image_names(name):
    assert is_image_name(name)


@pytest.mark.parametrize(
    "name", [".a.jpg", "._a.jpg", "a.txt", "a", ".jpg", "jpg", "a.jpg~", "Thumbs.db", "a.eps", "a.pdf"]
)
def test_other_names(name):
    assert not is_image_name(name)


def test_bytes_are_decoded_as_the_file_is(tmp_path, noise):
    path = save(tmp_path / "owl.jpg", noise)
    assert torch.equal(decode_image(path.read_bytes(), "row 7"), read_image(path))
    with pytest.raises(DataError, match="Expected a readable image at row 7, found something that is no image"):
        decode_image(b"", "row 7")


ORIENTATIONS = range(1, 9)
#: Where the first row and the first column of the file are seen, by the EXIF standard.
SEEN = {
    1: lambda pixels: pixels,  # top, left
    2: lambda pixels: pixels[:, ::-1],  # top, right
    3: lambda pixels: pixels[::-1, ::-1],  # bottom, right
    4: lambda pixels: pixels[::-1],  # bottom, left
    5: lambda pixels: pixels.transpose(1, 0, 2),  # left, top
    6: lambda pixels: pixels.transpose(1, 0, 2)[:, ::-1],  # right, top
    7: lambda pixels: pixels.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
    8: lambda pixels: pixels.transpose(1, 0, 2)[::-1],  # left, bottom
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_is_applied_where_asked(tmp_path, noise, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "phone.png", noise, exif=exif)
    assert torch.equal(read_image(path, Decoding(exif_orientation=True)), as_tensor(SEEN[orientation](noise)))
    assert torch.equal(decode_image(path.read_bytes(), "it"), as_tensor(noise))
    with Image.open(path) as image:
        assert torch.equal(image_pixels(image, exif_orientation=True), as_tensor(SEEN[orientation](noise)))


def test_damaged_exif_data_leave_the_pixels_as_they_are(tmp_path, noise):
    path = save(tmp_path / "phone.png", noise, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert torch.equal(read_image(path, Decoding(exif_orientation=True)), as_tensor(noise))


def test_large_images_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (300, 200)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"IDAT") + 4])  # nothing is left to decode
    with pytest.raises(DataError, match=r"bomb\.png, found .*300 x 200 pixels, more than the 59,999 of max_pixels"):
        read_image(path, Decoding(max_pixels=59_999))
    path.write_bytes(whole)
    assert read_image(path, Decoding(max_pixels=60_000)).shape == (3, 200, 300)


def test_bombs_are_named_without_a_warning(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (10_000, 9_000)).save(path)
    with pytest.raises(DataError, match=r"10000 x 9000 pixels, more than the 89,478,485"):
        read_image(path)


def test_other_formats_are_no_images_whatever_they_are_called(tmp_path, noise):
    Image.fromarray(noise).save(tmp_path / "drawing.jpg", format="EPS")
    with pytest.raises(DataError, match=r"drawing\.jpg, found something that is no image"):
        read_image(tmp_path / "drawing.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_named_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "owl.jpg")
    code = "import sys, pathlib, mkbench.datamodules.image_files as f; f.read_image(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "owl.jpg"], check=False, capture_output=True, text=True, timeout=120
    )
    assert "no regular file" in done.stderr


def test_a_circle_of_links_is_an_unreadable_image(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    assert list_image_names(tmp_path) == ["a.jpg", "b.jpg"]
    with pytest.raises(DataError, match=r"a\.jpg, found one that cannot be decoded \(.*symbolic links"):
        read_image(tmp_path / "a.jpg")


def make_file(folder, name):
    try:
        with open(os.fsencode(folder) + b"/" + name, "wb"):
            pass
    except OSError:
        pytest.skip("the file system wants UTF-8")


def test_names_that_are_not_utf8_are_named(tmp_path):
    make_file(tmp_path, b"caf\xe9.jpg")
    make_file(tmp_path, b"owl.jpg")
    with pytest.raises(DataError, match=r"names in UTF-8 in .*, found 1 of 2 .*such as caf\\udce9\.jpg") as caught:
        list_image_names(tmp_path)
    str(caught.value).encode()


def test_a_folder_that_is_not_utf8_can_be_named_in_results(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("the file system wants UTF-8")
    with pytest.raises(DataError, match="no such file") as caught:
        read_image(type(tmp_path)(folder) / "owl.jpg")
    str(caught.value).encode()


def test_files_that_are_no_images_are_listed(tmp_path):
    for name in ("a.png", "notes.txt", ".hidden", "data.csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    assert list_other_names(tmp_path) == ["data.csv", "notes.txt"]
