from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from toy_classes import ColourBackbone

from mkbench.concepts import bank_embeddings
from mkbench.datamodules import ClassGroupDataModule, Critters, ImageFolder, UnlabelledFolder
from mkbench.errors import UsageError
from mkbench.systems.features import CachedFeatures
from mkbench.systems.features.cached_features import attached_features


def critters(**options: Any) -> Critters:
    return Critters(images_per_class=2, limit_classes=3, num_workers=0, **options)


def cached(train: ClassGroupDataModule, test: ClassGroupDataModule, **options: Any) -> CachedFeatures:
    data = CachedFeatures(ColourBackbone(), train, test, cache="off", **options)
    data.prepare_data()
    return data


@pytest.fixture
def data() -> CachedFeatures:
    features = cached(critters(split="train"), critters(), batch_size=4)
    features.setup("fit")
    return features


def test_loaders(data: CachedFeatures) -> None:
    torch.manual_seed(0)
    epochs = [[batch.target.tolist() for batch in data.train_dataloader()] for _ in range(2)]
    assert [len(batch) for batch in epochs[0]] == [4]  # two images do not fill a batch
    assert epochs[0] != epochs[1]
    assert [batch.target.tolist() for batch in data.val_dataloader()] == [[0, 0, 1, 1], [2, 2]]


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    data = cached(critters(split="train"), critters(), batch_size=64)
    data.setup("fit")
    assert [len(batch.target) for batch in data.train_dataloader()] == [6]


def test_inputs(data: CachedFeatures) -> None:
    inputs, images = data.inputs, data.images["train"]
    texts = images.bank.descriptors
    torch.testing.assert_close(inputs.concepts, bank_embeddings(ColourBackbone(), texts, "a photo showing {}"))
    listed = images.bank.by_class or {}
    assert [row.nonzero().flatten().tolist() for row in inputs.class_concepts] == [
        sorted(listed[name]) for name in images.class_names
    ]
    torch.testing.assert_close(inputs.feature_mean, data.sets["train"].statistics().feature_mean)
    assert inputs.grid == (4, 4)


def test_nearest_descriptors_stand_in_for_those_of_a_bank_without_classes(
    photo_tree: Callable[..., Path], write_bank: Callable[[], Path]
) -> None:
    bank = write_bank()
    folders = [ImageFolder(photo_tree(name=name), bank=bank, num_workers=0) for name in ("one", "two")]
    data = cached(*folders, num_language_concepts=5)
    data.setup("fit")
    assert data.inputs.class_concepts.sum(dim=1).tolist() == [5, 5, 5]


def test_record(data: CachedFeatures) -> None:
    record, described = data.record, data.images["train"].describe()
    assert record["backbone"] == {
        "name": "colours",
        "fingerprint": data.backbone.fingerprint,
        "features": "tokens",
        "random_weights": False,
    }
    assert record["bank"] == described["bank"]
    assert record["classes"] == {"number": 32, "sha256": described["class_names_sha256"]}
    assert (record["data"]["train"]["name"], record["data"]["test"]["name"]) == ("critters-train", "critters-test")


def test_inputs_before_setup() -> None:
    with pytest.raises(RuntimeError, match="Expected features, found none; call setup first"):
        _ = CachedFeatures(ColourBackbone(), critters(split="train"), critters()).inputs


def test_same_images_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Expected other images in --data.test than in --data.train, found the same"):
        cached(critters(), critters())


def test_classes_and_bank_must_be_one(photo_tree: Callable[..., Path], write_bank: Callable[[], Path]) -> None:
    folders = [
        ImageFolder(photo_tree(classes, name=name), bank=write_bank(), num_workers=0)
        for name, classes in (("one", ("ant", "bee")), ("two", ("ant", "cat")))
    ]
    with pytest.raises(UsageError, match=r"Expected one class list in --data.train and --data.test, found two"):
        cached(*folders)
    bank = write_bank().with_name("other.txt")
    bank.write_text("a tail\nan ear\n", encoding="utf-8")
    other = ImageFolder(folders[0].root, bank=bank, num_workers=0)
    with pytest.raises(UsageError, match="Expected one concept bank"):
        cached(folders[0], other)


def test_images_without_labels_are_refused(photo_tree: Callable[..., Path], write_bank: Callable[[], Path]) -> None:
    names = write_bank().with_name("names.txt")
    names.write_text("ant\nbee\n", encoding="utf-8")
    unlabelled = UnlabelledFolder(photo_tree() / "ant", bank=write_bank(), class_names=names)
    with pytest.raises(UsageError, match="Expected images with labels to train and test on"):
        cached(critters(), unlabelled)


def test_one_training_image_is_too_few() -> None:
    data = cached(Critters(split="train", images_per_class=1, limit_classes=1, num_workers=0), critters())
    with pytest.raises(UsageError, match="Expected at least 2 training images, found 1"):
        data.setup("fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "Expected --data.batch_size to be at least 2, found 1"),
        ({"num_language_concepts": 0}, "Expected --data.num_language_concepts to be at least 1"),
        ({"encoder_chunk": 0}, "Expected --data.encoder_chunk to be at least 1"),
    ],
)
def test_numbers_are_checked(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CachedFeatures(ColourBackbone(), critters(), critters(), **options)  # type: ignore[arg-type]


def test_another_data_module_is_refused() -> None:
    trainer: Any = SimpleNamespace(datamodule=critters())
    with pytest.raises(UsageError, match=r"CachedFeatures to train a baseline on, found Critters"):
        attached_features(trainer)
