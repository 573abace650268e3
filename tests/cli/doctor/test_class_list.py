from __future__ import annotations

from pathlib import Path

import pytest

from mkbench import load_backbone
from mkbench.cli.doctor.class_list import (
    check_against_bank,
    check_names,
    check_order,
    check_prompts,
    misplaced_names,
    name_by_folder,
)
from mkbench.cli.doctor.data import Listing, list_images
from mkbench.concepts import ConceptBank
from mkbench.datamodules.imagenet_classes import load_imagenet_classes

from .conftest import Listed, said, states

IMAGENET = load_imagenet_classes()


def listing_of(names: dict[str, str]) -> Listing:
    """A listing with one image in each folder."""
    return Listing(tuple(names.values()), tuple((f"{folder}/1.jpg",) for folder in names), {})


def test_names_and_prompts_are_shown() -> None:
    (remark,) = check_names(["owl", "bat"], ["a photo of a {}.", "art of the {}."])
    assert remark == ("ok", "2 classes, 'owl' to 'bat', in 2 prompts such as 'a photo of a owl.'")


def test_names_that_repeat_are_allowed() -> None:
    remarks = list(check_names(["crane", "owl", "crane"], ["{}"]))
    assert states(remarks) == ["ok", "warning"]
    assert "1 name of more than one class, as in some published lists: 'crane'" in remarks[1].sentence


def test_the_packaged_list_is_in_order() -> None:
    assert states(check_names(list(IMAGENET.values()), ["{}"])) == ["ok", "warning"]  # two names occur twice in it
    assert states(check_order(listing_of(dict(IMAGENET)))) == ["ok"]


def test_wordnet_ids_are_no_names() -> None:
    remarks = list(check_names(["n01440764", "goldfish"], ["{}"]))
    assert "WordNet ids in the place of 1 class name: 'n01440764'" in said(remarks, "problem")


def test_two_classes_of_imagenet_in_the_wrong_order() -> None:
    names = dict(list(IMAGENET.items())[:20])
    names["n01443537"], names["n01484850"] = names["n01484850"], names["n01443537"]
    (remark,) = check_order(listing_of(names))
    assert remark.state == "problem"
    assert "2 folders have the name of another (by the packaged names of ImageNet)" in remark.sentence
    assert "n01443537 is 'goldfish' but called 'great white shark'" in remark.sentence
    assert "n01484850 is 'great white shark' but called 'goldfish'" in remark.sentence


def test_names_of_classes_that_are_not_there() -> None:
    # The first names of the list, given to other folders in order: no folder of those names is in the data.
    folders = list(IMAGENET)[500:510]
    names = dict(zip(folders, list(IMAGENET.values())[:10], strict=True))
    (remark,) = check_order(listing_of(names))
    assert remark.state == "problem"
    assert remark.sentence.startswith("the class order is wrong: 10 folders")


def test_other_names_for_the_same_classes_are_no_wrong_order() -> None:
    names = {"n01440764": "Tinca tinca", "n01443537": "Goldfish", "n03773504": "missile", "n04008634": "projectile"}
    assert states(check_order(listing_of(names))) == ["ok"]


def test_one_strange_name_is_a_warning() -> None:
    assert states(check_order(listing_of({"n01440764": "goldfish", "n01484850": "great white shark"}))) == ["warning"]


def test_folders_that_speak_for_themselves() -> None:
    right = {"apple_pie": "Apple pie", "baby-back-ribs": "baby back ribs", "waffles": "waffles"}
    assert states(check_order(listing_of(right))) == ["ok"]
    wrong = {**right, "apple_pie": "baby back ribs", "baby-back-ribs": "apple pie"}
    (remark,) = check_order(listing_of(wrong))
    assert remark.state == "problem"
    assert "apple_pie is 'apple pie' but called 'baby back ribs'" in remark.sentence


def test_images_without_folders_tell_nothing() -> None:
    data = Listed([["1.jpg"], ["2.jpg"], []])
    assert name_by_folder(list_images(data)) == {}
    assert list(check_order(list_images(data))) == []


def test_one_folder_for_all_classes_tells_nothing() -> None:
    data = Listed([["validation/1"], ["validation/2"], []])
    assert name_by_folder(list_images(data)) == {}


def test_classes_that_a_limit_leaves_out_are_not_compared() -> None:
    listing = Listing(("owl", "bat"), (("owl/1.jpg",),), {})
    assert name_by_folder(listing) == {"owl": "owl"}


@pytest.mark.parametrize(
    ("given", "misplaced"),
    [
        ({"a": "x", "b": "y"}, []),
        ({"a": "y", "b": "x"}, ["a", "b"]),
        ({"a": "y", "b": "y"}, []),  # two classes share a name
        ({"a": "y", "b": "other"}, ["a"]),
        ({"a": "Z"}, ["a"]),
    ],
)
def test_misplaced_names(given: dict[str, str], misplaced: list[str]) -> None:
    assert misplaced_names(given, {"a": "x", "b": "y", "c": "z"}) == misplaced


def bank_of(*classes: str) -> ConceptBank:
    return ConceptBank(("wings", "eyes"), dict.fromkeys(classes, (0,)) if classes else None, "bank.json", "")


def test_a_bank_of_the_same_classes() -> None:
    assert states(check_against_bank(["owl", "bat"], bank_of("bat", "owl"))) == ["ok"]


def test_a_bank_without_classes() -> None:
    assert states(check_against_bank(["owl"], bank_of())) == ["ok"]


def test_a_bank_that_lacks_classes() -> None:
    remarks = list(check_against_bank(["owl", "bat", "bee", "ant", "cat"], bank_of("cat", "Owl")))
    assert states(remarks) == ["warning", "warning"]
    assert "4 classes without descriptors of their own in the bank: 'owl', 'bat', 'bee' and 1 more" in said(
        remarks, "warning"
    )
    assert "1 class of the bank not in the list: 'Owl'; are names spelt in two ways?" in said(remarks, "warning")


def test_a_bank_of_more_classes_is_fine() -> None:
    assert states(check_against_bank(["owl"], bank_of("owl", "bat"))) == ["ok"]


def test_prompts_longer_than_the_context(tiny_model: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    assert list(check_prompts(backbone, ["owl"], ["a photo of a {}."])) == []
    (remark,) = check_prompts(backbone, ["owl", "0 1 2 3 4 5 6 7 8 9 0 1 2 3 4"], ["{}", "the {}"])
    assert remark.state == "warning"
    assert remark.sentence.startswith("2 class prompts longer than the 16 tokens the model reads: '0 1 2")
