import struct

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import CenterCropOrPad, ResizeKeepRatio
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from mkbench.backbones import Geometry
from mkbench.datamodules.images import (
    decode_image,
    is_image_name,
    read_image,
    resize_image,
    resize_squash,
)
from mkbench.errors import DataError

HALVES = (0.5, 0.5, 0.5)


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
    monkeypatch.setattr("mkbench.datamodules.images._to_rgb", fail)
    with pytest.raises(DataError, match=r"owl\.png, found one that cannot be decoded \(unpack requires"):
        read_image(path)


def test_floating_point_pixels_are_refused(tmp_path):
    path = save(tmp_path / "heights.tif", np.ones((4, 4), np.float32))
    with pytest.raises(DataError, match=r"heights\.tif, found one that cannot be decoded \(floating-point"):
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


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.b.Png", "a.TIFF", "a.webp"])
def test_image_names(name):
    assert is_image_name(name)


@pytest.mark.parametrize("name", [".a.jpg", "._a.jpg", "a.txt", "a", ".jpg", "jpg", "a.jpg~", "Thumbs.db"])
def test_other_names(name):
    assert not is_image_name(name)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("mode", ["squash", "shortest", "longest"])
def test_model_resize_is_that_of_open_clip(noise, mode, interpolation, turned):
    image = np.ascontiguousarray(noise.transpose(1, 0, 2)) if turned else noise
    kind = InterpolationMode(interpolation)
    reference = {
        "squash": [transforms.Resize((24, 24), interpolation=kind)],
        "shortest": [transforms.Resize(24, interpolation=kind), transforms.CenterCrop(24)],
        "longest": [ResizeKeepRatio(24, longest=1, interpolation=kind), CenterCropOrPad(24)],
    }[mode]
    expected = transforms.Compose(reference)(Image.fromarray(image))
    geometry = Geometry(size=24, mean=HALVES, std=HALVES, interpolation=interpolation, resize_mode=mode)
    resized = resize_image(as_tensor(image), geometry, "model")
    assert resized.dtype == torch.uint8
    assert resized.shape == (3, 24, 24)
    # Tensors and PIL images are resampled with fixed-point weights of different precision.
    assert (resized.int() - as_tensor(expected).int()).abs().max() <= 2


def test_model_resize_is_the_whole_transform_of_the_weights(noise):
    transform = open_clip.image_transform(
        32, is_train=False, mean=HALVES, std=HALVES, interpolation="bicubic", resize_mode="shortest"
    )
    expected = transform(Image.fromarray(noise))  # normalised: (x / 255 - 0.5) / 0.5
    resized = resize_image(as_tensor(noise), Geometry(size=32, mean=HALVES, std=HALVES), "model")
    assert ((resized / 255 - 0.5) / 0.5 - expected).abs().max() <= 2 / 255 / 0.5 + 1e-6


def test_squash_ignores_the_geometry_of_the_weights(noise):
    geometry = Geometry(size=24, mean=HALVES, std=HALVES, interpolation="bicubic", resize_mode="shortest")
    resized = resize_image(as_tensor(noise), geometry, "squash")
    expected = Image.fromarray(noise).resize((24, 24), Image.Resampling.BILINEAR)
    assert (resized.int() - as_tensor(expected).int()).abs().max() <= 1
    assert torch.equal(resized, resize_squash(as_tensor(noise), 24))


@pytest.mark.parametrize("mode", ["squash", "shortest", "longest"])
def test_small_and_thin_images(mode):
    geometry = Geometry(size=8, mean=HALVES, std=HALVES, resize_mode=mode)
    for shape in ((1, 1), (1, 30), (30, 1)):
        resized = resize_image(torch.full((3, *shape), 200, dtype=torch.uint8), geometry, "model")
        assert resized.shape == (3, 8, 8)
        assert resized.max() == 200


def test_longest_pads_with_black():
    geometry = Geometry(size=8, mean=HALVES, std=HALVES, resize_mode="longest")
    resized = resize_image(torch.full((3, 10, 20), 255, dtype=torch.uint8), geometry, "model")
    # 20 x 10 becomes 8 x 4: two black rows above and two below.
    assert resized[0, :, 0].tolist() == [0, 0, 255, 255, 255, 255, 0, 0]


def test_unknown_resize(geometry):
    with pytest.raises(ValueError, match=r"Expected resize to be one of .*'squash', 'model'.*, got 'crop'"):
        resize_image(torch.zeros(3, 4, 4, dtype=torch.uint8), geometry, "crop")


def test_bytes_are_decoded_as_the_file_is(tmp_path, noise):
    path = save(tmp_path / "owl.jpg", noise)
    assert torch.equal(decode_image(path.read_bytes(), "row 7"), read_image(path))
    with pytest.raises(DataError, match="Expected a readable image at row 7, found something that is no image"):
        decode_image(b"", "row 7")
