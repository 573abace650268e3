from pathlib import Path

import pytest
from data_trees import write_food101

from mkbench.cli.main import main
from mkbench.datamodules import Food101
from mkbench.errors import DataError
from mkbench.runs.results import read_results

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "food101.yaml"
CLASSES = ["apple_pie", "baby_back_ribs", "waffles"]


@pytest.fixture
def root(tmp_path):
    return write_food101(tmp_path / "data", CLASSES)


def test_order_names_and_ids(root, geometry):
    data = Food101(root)
    assert data.name == "food101-test"
    assert data.class_names == ("Apple pie", "Baby back ribs", "Waffles")
    assert [spec.sample_ids for spec in data.specs] == [
        ("apple_pie/0.jpg", "apple_pie/7.jpg"),
        ("baby_back_ribs/1000.jpg", "baby_back_ribs/1007.jpg"),
        ("waffles/2000.jpg", "waffles/2007.jpg"),
    ]
    assert data.dataset(geometry, data.specs)[2].images.shape == (2, 3, 16, 16)


def test_training_split(root):
    data = Food101(root, split="train")
    assert data.name == "food101-train"
    assert data.specs[0].sample_ids == ("apple_pie/14.jpg", "apple_pie/21.jpg")


def test_root_may_be_the_folder_itself(root):
    assert Food101(root / "food-101").specs == Food101(root).specs


def test_json_lists_stand_in_for_text_in_any_order(root):
    specs = Food101(root).specs
    meta = root / "food-101" / "meta"
    (meta / "test.txt").unlink()
    assert Food101(root).specs == specs
    (meta / "test.json").write_text(
        '{"waffles": ["waffles/2007", "waffles/2000"], "apple_pie": ["apple_pie/0", "apple_pie/7"], '
        '"baby_back_ribs": ["baby_back_ribs/1007", "baby_back_ribs/1000"]}'
    )
    assert Food101(root).specs == specs


def test_templates_are_those_of_dishes():
    assert Food101(Path("data")).templates == ("a photo of {}, a type of food.",)


@pytest.mark.parametrize("file", ["classes.txt", "labels.txt", "test.txt"])
def test_missing_files(root, file):
    (root / "food-101" / "meta" / file).unlink()
    (root / "food-101" / "meta" / "test.json").unlink()
    with pytest.raises(
        DataError, match=rf"Expected a file .*meta.{file}, found none; unpack food-101\.tar\.gz there, or"
    ):
        Food101(root).specs  # noqa: B018


def test_missing_images(root):
    (root / "food-101" / "images").rename(root / "images")
    with pytest.raises(DataError, match=r"the folder of images .*food-101.images, found none; unpack"):
        Food101(root).specs  # noqa: B018


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("labels.txt", "Apple pie\nWaffles\n", r"3 lines \(3 different\) and 2 names"),
        ("classes.txt", "apple_pie\nwaffles\nwaffles\n", r"3 lines \(2 different\) and 3 names"),
    ],
)
def test_classes_and_names_that_do_not_fit(root, file, text, found):
    (root / "food-101" / "meta" / file).write_text(text)
    with pytest.raises(
        DataError, match=rf"different classes in .*classes\.txt and a name for each .*, found {found}; rest"
    ):
        Food101(root).specs  # noqa: B018


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pizza/1", r"with a class of classes\.txt, in .*test\.txt, found 'pizza/1'; restore"),
        ("waffles", r"Expected images as class/image, .*, found 'waffles'; restore"),
        ("waffles/../../1", r"Expected paths below .*images in .*test\.txt, found 'waffles/\.\./\.\./1\.jpg'; restore"),
        ("waffles/2000", r"different images in .*test\.txt, found 'waffles/2000\.jpg' twice; restore"),
    ],
)
def test_other_lists(root, line, message):
    with (root / "food-101" / "meta" / "test.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=message):
        Food101(root).specs  # noqa: B018


@pytest.mark.parametrize("text", ["", "3", '{"waffles": 3}', '{"waffles": [3]}', '["waffles/2000"]'])
def test_json_that_is_no_list_of_images(root, text):
    (root / "food-101" / "meta" / "test.txt").unlink()
    (root / "food-101" / "meta" / "test.json").write_text(text)
    with pytest.raises(
        DataError, match=r"mapping from class to images as JSON in .*test\.json, found something else \("
    ):
        Food101(root).specs  # noqa: B018


def test_class_without_images(root):
    (root / "food-101" / "meta" / "test.txt").write_text("apple_pie/0\n")
    with pytest.raises(
        DataError, match=r"all 3 classes in .*test\.txt, found none of baby_back_ribs, waffles; restore"
    ):
        Food101(root).specs  # noqa: B018


def test_predict(root, tmp_path, write_bank, capsys):
    code = main(
        [
            "predict",
            f"--config={CONFIG}",
            "--model.backbone=critters-vit-s",
            "--model.num_language_concepts=5",
            f"--data.bank={write_bank()}",
            f"--data.root={root}",
            "--data.split=train",
            "--data.num_workers=0",
            "--trainer.accelerator=cpu",
            "--progress.enabled=false",
            "--figures.samples=0",
            f"--results.root={tmp_path / 'runs'}",
        ]
    )
    assert (code, capsys.readouterr().err) == (0, "")
    results = read_results(tmp_path / "runs" / "critters-vit-s")
    assert (results["data"]["name"], results["data"]["images"]) == ("food101-train", 6)
    assert [metric["n"] for metric in results["metrics"] if metric["name"] == "top1"] == [6]
