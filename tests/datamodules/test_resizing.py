import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import CenterCropOrPad, ResizeKeepRatio
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from mkbench.backbones import Geometry
from mkbench.datamodules.resizing import resize_image, resize_squash, source_pixels
from mkbench.errors import DataError

HALVES = (0.5, 0.5, 0.5)


def as_tensor(array):
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)


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


@pytest.mark.parametrize("turned", [False, True])
def test_thin_images_are_refused_before_they_grow(turned):
    # 16 pixels of the short side make 160,000 of the long one, of which 16 would be cropped.
    geometry = Geometry(16, HALVES, HALVES, "bicubic", "shortest")
    shape = (2, 20_000) if turned else (20_000, 2)
    thin = torch.zeros(3, *shape, dtype=torch.uint8)
    with pytest.raises(DataError, match=r"at most 100 times as long as wide, .* found \d+ x \d+ pixels; remove"):
        resize_image(thin, geometry, "model")
    with pytest.raises(DataError, match="at most 100 times"):
        source_pixels(shape, geometry, "model")
    assert resize_image(thin, geometry, "squash").shape == (3, 16, 16)  # nothing grows
    assert resize_image(thin[:, :200, :200], geometry, "model").shape == (3, 16, 16)


@pytest.mark.parametrize("mode", ["squash", "shortest", "longest"])
def test_images_do_not_depend_on_the_processor(noise, mode, monkeypatch):
    geometry = Geometry(size=24, mean=HALVES, std=HALVES, interpolation="bilinear", resize_mode=mode)
    here = resize_image(as_tensor(noise), geometry, "model")
    for capability in ("AVX2", "DEFAULT"):  # torchvision chooses its arithmetic by it
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        assert torch.equal(resize_image(as_tensor(noise), geometry, "model"), here)
