from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from toy_classes import ColourBackbone

from mkbench.backbones import PatchFeatures
from mkbench.datamodules import Critters, ImageFolder
from mkbench.errors import BackboneError, DataError, UsageError
from mkbench.systems.features.feature_cache import FeatureCache
from mkbench.systems.features.feature_set import FeatureSet


class CountingBackbone(ColourBackbone):
    """Counts the images that it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def patch_features(self, pixels: torch.Tensor, kind: str = "tokens") -> PatchFeatures:
        self.seen += len(pixels)
        return super().patch_features(pixels, kind)


@pytest.fixture
def photos(photo_tree: Callable[..., Path], write_bank: Callable[[], Path]) -> Callable[..., ImageFolder]:
    root = photo_tree()

    def make(**options: Any) -> ImageFolder:
        return ImageFolder(root, bank=write_bank(), num_workers=0, **options)

    return make


def encode(folder: Path | None, backbone: CountingBackbone, data: ImageFolder) -> FeatureSet:
    return FeatureCache(folder).features(backbone, data, "tokens")


def require_equal(one: FeatureSet, other: FeatureSet) -> None:
    everything = [features.__getitems__(range(len(features))) for features in (one, other)]
    for left, right in zip(*everything, strict=True):
        assert torch.equal(left, right)
    assert [chunk.sample_ids for chunk in one.chunks] == [chunk.sample_ids for chunk in other.chunks]


def test_features_are_those_of_the_backbone(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    backbone, data = CountingBackbone(), photos()
    features = encode(tmp_path / "cache", backbone, data)
    group = data.dataset(backbone.geometry, data.specs)[1]
    expected = backbone.patch_features(group.images)
    batch = features.__getitems__([2, 3])
    assert batch.target.tolist() == [1, 1]
    assert features.chunks[1].sample_ids == group.sample_ids == ("bee/0.png", "bee/1.png")
    torch.testing.assert_close(batch.features, expected.features, rtol=2**-11, atol=0)  # fp16 rounds to 11 bits
    torch.testing.assert_close(batch.embedding, expected.embedding)  # encoded with gradients here, without them there


def test_images_are_encoded_once(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    first, second = CountingBackbone(), CountingBackbone()
    encoded = encode(tmp_path / "cache", first, photos())
    kept = encode(tmp_path / "cache", second, photos())
    assert (first.seen, second.seen) == (6, 0)
    require_equal(encoded, kept)
    require_equal(encoded, encode(None, second, photos()))
    assert second.seen == 6
    (folder,) = (tmp_path / "cache").iterdir()
    assert folder.name.startswith("colours-photos-")


def test_chunks_of_the_encoder_change_nothing(photos: Callable[..., ImageFolder]) -> None:
    whole = FeatureCache(None).features(CountingBackbone(), photos(), "tokens")
    require_equal(whole, FeatureCache(None, encoder_chunk=1).features(CountingBackbone(), photos(), "tokens"))


@pytest.mark.parametrize("options", [{"limit_images_per_class": 1}, {"limit_classes": 2}, {"resize": "model"}])
def test_other_options_have_a_place_of_their_own(
    options: dict[str, Any], photos: Callable[..., ImageFolder], tmp_path: Path
) -> None:
    backbone = CountingBackbone()
    encode(tmp_path / "cache", backbone, photos())
    before = backbone.seen
    encode(tmp_path / "cache", backbone, photos(**options))
    assert backbone.seen > before
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_another_bank_and_other_templates_change_no_features(
    photos: Callable[..., ImageFolder], tmp_path: Path
) -> None:
    backbone = CountingBackbone()
    encode(tmp_path / "cache", backbone, photos())
    other = photos(templates=["a {}"])
    other.bank_file = tmp_path / "other.txt"
    other.bank_file.write_text("a tail\nan ear\n", encoding="utf-8")
    encode(tmp_path / "cache", backbone, other)
    assert backbone.seen == 6


def test_other_weights_have_a_place_of_their_own(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    backbone = CountingBackbone()
    encode(tmp_path / "cache", backbone, photos())
    with torch.no_grad():
        backbone.project.add_(1)
    encode(tmp_path / "cache", backbone, photos())
    assert backbone.seen == 12


def test_seeds_of_critters_are_told_apart(tmp_path: Path) -> None:
    backbone, cache = CountingBackbone(), FeatureCache(tmp_path)
    for seed in (0, 1):
        cache.features(backbone, Critters(images_per_class=1, limit_classes=2, seed=seed, num_workers=0), "tokens")
    assert backbone.seen == 4


def test_other_images_under_the_same_names(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    backbone, data = CountingBackbone(), photos()
    encode(tmp_path / "cache", backbone, data)
    Image.new("RGB", (40, 48), "red").save(data.root / "bee" / "0.png")
    with pytest.warns(UserWarning, match="found features of other images under the same names; encoding the"):
        renewed = encode(tmp_path / "cache", backbone, photos())
    require_equal(renewed, encode(None, backbone, photos()))
    require_equal(renewed, encode(tmp_path / "cache", backbone, photos()))  # without a warning
    assert len(list((tmp_path / "cache").iterdir())) == 1


def cut_a_file(folder: Path) -> None:
    file = sorted(folder.glob("*.safetensors"))[1]
    file.write_bytes(file.read_bytes()[:-2])


def spoil_a_header(folder: Path) -> None:
    file = sorted(folder.glob("*.safetensors"))[1]
    file.write_bytes(b"\xff" * file.stat().st_size)


def lose_a_file(folder: Path) -> None:
    sorted(folder.glob("*.safetensors"))[0].unlink()


def lose_the_index(folder: Path) -> None:
    (folder / "index.json").unlink()


def take_a_foreign_index(folder: Path) -> None:
    content = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    content["identity"]["fingerprint"] = "another"
    (folder / "index.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (cut_a_file, "a damaged file 000001.safetensors"),
        (spoil_a_header, "a damaged folder"),
        (lose_a_file, "a damaged folder"),
        (lose_the_index, "a damaged folder"),
        (take_a_foreign_index, "features of another model or data set"),
    ],
)
def test_damaged_and_foreign_folders_are_made_again(
    damage: Callable[[Path], None], found: str, photos: Callable[..., ImageFolder], tmp_path: Path
) -> None:
    backbone = CountingBackbone()
    encode(tmp_path / "cache", backbone, photos())
    (folder,) = (tmp_path / "cache").iterdir()
    damage(folder)
    with pytest.warns(UserWarning, match=f"found {found}"):
        renewed = encode(tmp_path / "cache", backbone, photos())
    assert backbone.seen == 12
    require_equal(renewed, encode(tmp_path / "cache", backbone, photos()))
    assert backbone.seen == 12


def test_nothing_is_left_of_an_encoding_that_fails(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    class Failing(CountingBackbone):
        def patch_features(self, pixels: torch.Tensor, kind: str = "tokens") -> PatchFeatures:
            if self.seen:
                raise InterruptedError
            return super().patch_features(pixels, kind)

    with pytest.raises(InterruptedError):
        encode(tmp_path / "cache", Failing(), photos())
    assert list((tmp_path / "cache").iterdir()) == []


def test_features_beyond_fp16(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    class Large(CountingBackbone):
        def patch_features(self, pixels: torch.Tensor, kind: str = "tokens") -> PatchFeatures:
            found = super().patch_features(pixels, kind)
            return PatchFeatures(found.features * 1e6, found.embedding)

    with pytest.raises(BackboneError, match="Expected patch features of colours within the range of fp16"):
        encode(tmp_path / "cache", Large(), photos())


def test_unreadable_images_are_left_out_and_counted(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    data = photos()
    (data.root / "ant" / "1.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="1 images of photos were left out; the first: .*1.png"):
        features = encode(tmp_path / "cache", CountingBackbone(), data)
    assert len(features) == 5
    assert features.chunks[0].sample_ids == ("ant/0.png",)


@pytest.mark.filterwarnings("ignore:.*were left out")
def test_no_readable_image(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    data = photos()
    for file in data.root.rglob("*.png"):
        file.write_bytes(b"no image")
    with pytest.raises(DataError, match="Expected images in photos, found none that can be read"):
        encode(tmp_path / "cache", CountingBackbone(), data)


def test_a_folder_that_cannot_be_written(photos: Callable[..., ImageFolder], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(
        UsageError, match=r"Expected to keep features in .*file, found that it cannot be written \(.+\)"
    ):
        encode(tmp_path / "file", CountingBackbone(), photos())


def test_a_disk_that_is_too_small(
    photos: Callable[..., ImageFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 6 images of 16 patches, 3 channels of 2 bytes, and 8 numbers of 4 bytes: 6 * (96 + 32) = 768 bytes.
    for free, fits in ((768, True), (767, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        if fits:
            encode(tmp_path / "cache", CountingBackbone(), photos())
            shutil.rmtree(tmp_path / "cache")
        else:
            with pytest.raises(UsageError, match=r"Expected 0.0 GB in .* for the features of 6 images"):
                encode(tmp_path / "cache", CountingBackbone(), photos())


def test_progress_is_shown_if_asked_for(
    photos: Callable[..., ImageFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    FeatureCache(tmp_path / "a").features(CountingBackbone(), photos(), "tokens")
    assert capsys.readouterr() == ("", "")
    FeatureCache(tmp_path / "b", show=True).features(CountingBackbone(), photos(), "tokens")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "colours encodes photos" in shown.err
    assert "6/6" in shown.err
