from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from scipy.stats import binom

from mkbench import load_backbone
from mkbench.backbones import Backbone
from mkbench.cli.doctor.accuracy import CLASSES, IMAGES, binomial_tail, check_accuracy, draw_images
from mkbench.cli.doctor.data import list_images
from mkbench.datamodules import ImageFolder
from mkbench.datamodules.critters_world import load_world, render
from mkbench.errors import DataError

from .conftest import Listed, said, states


@pytest.mark.parametrize(("least", "draws", "chance"), [(0, 5, 0.3), (3, 32, 1 / 16), (32, 32, 0.5), (1, 1, 0.2)])
def test_binomial_tail(least: int, draws: int, chance: float) -> None:
    assert binomial_tail(least, draws, chance) == pytest.approx(binom.sf(least - 1, draws, chance))


def test_the_sample_is_spread_over_classes_and_the_same_every_time() -> None:
    names = [f"class {number}" for number in range(40)]
    data = Listed([[f"{name}/{number}" for number in range(9 if name != names[3] else 0)] for name in names], names)
    specs = draw_images(list_images(data))
    assert len(specs) == CLASSES
    assert all(len(set(spec.sample_ids)) == IMAGES // CLASSES for spec in specs)
    assert all(name.startswith(f"{names[spec.listed_under]}/") for spec in specs for name in spec.sample_ids)
    assert 3 not in {spec.class_index for spec in specs}
    assert specs == draw_images(list_images(data))
    assert specs != draw_images(list_images(data), seed=1)


def test_few_classes_give_more_images_each() -> None:
    data = Listed([["a/1", "a/2"], [f"b/{number}" for number in range(50)], []])
    assert [len(spec.sample_ids) for spec in draw_images(list_images(data))] == [2, IMAGES // 2]


@pytest.fixture(scope="module")
def critters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered images of eight kinds in folders whose names say nothing."""
    root = tmp_path_factory.mktemp("critters")
    for number, kind in enumerate(load_world().class_names[::4]):
        (root / str(number)).mkdir()
        for index in range(3):
            Image.fromarray(render(kind, index).image).save(root / str(number) / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("critters-vit-l")


def named(root: Path, names: list[str]) -> ImageFolder:
    path = root.parent / "names.txt"
    path.write_text("\n".join(names))
    return ImageFolder(root, class_names=path, templates="critters")


def test_classes_in_the_right_and_in_the_wrong_order(critters: Path, backbone: Backbone) -> None:
    names = list(load_world().class_names[::4])
    data = named(critters, names)
    (remark,) = check_accuracy(backbone, data, list_images(data))
    assert remark.state == "ok"
    assert "of 24 sampled images get their class, among 8 of the classes (chance: 3.0)" in remark.sentence
    wrong = named(critters, names[1:] + names[:1])
    (remark,) = check_accuracy(backbone, wrong, list_images(wrong))
    assert remark.state == "problem"
    assert remark.sentence.startswith("zero-shot top-1 is not above chance: ")
    assert "the class order may be wrong: compare --data.class_names" in remark.sentence


def test_images_that_cannot_be_read_do_not_count(critters: Path, backbone: Backbone, tmp_path: Path) -> None:
    data = named(critters, list(load_world().class_names[::4]))
    listing = list_images(data)
    read = data.source.read

    class Damaged(type(data.source)):  # type: ignore[misc]
        def read(self, class_index: int, sample_id: str) -> torch.Tensor:
            if sample_id.endswith("0.png") or class_index == 7:
                raise DataError("damaged")
            return read(class_index, sample_id)

    data.__dict__["source"] = Damaged(data.source.root, data.source.folders, data.source.class_names)
    (remark,) = check_accuracy(backbone, data, listing)
    assert "of 14 sampled images" in remark.sentence


def test_random_weights_are_not_tried(critters: Path) -> None:
    backbone = load_backbone("critters-vit-s", random_weights=True)
    data = named(critters, list(load_world().class_names[::4]))
    (remark,) = check_accuracy(backbone, data, list_images(data))
    assert remark == ("ok", "zero-shot accuracy was not tried: the weights are random")


def test_too_few_images_to_tell(backbone: Backbone) -> None:
    data = Listed([["a/1"], ["b/1"], []])  # two right of two happens by chance every fourth time
    assert states(check_accuracy(backbone, data, list_images(data))) == ["ok"]
    assert "2 images are too few" in said(check_accuracy(backbone, data, list_images(data)), "ok")
