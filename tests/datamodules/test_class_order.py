import random
from pathlib import Path

import pytest

from mkbench.datamodules.class_order import match_name_list, own_names
from mkbench.datamodules.imagenet_classes import load_imagenet_classes
from mkbench.errors import DataError

NAMES = Path("names.txt")


def match(folders, names, kind="folder"):
    return match_name_list(folders, names, NAMES, kind=kind)


def test_names_of_the_folders_in_another_order_are_matched_by_name():
    folders = ["bat", "eel", "owl"]
    assert list(match(folders, ["owl", "bat", "eel"]).items()) == [("owl", "owl"), ("bat", "bat"), ("eel", "eel")]


def test_underscores_and_capitals_do_not_hide_a_name():
    assert match(["barn_owl", "fruit-bat"], ["Fruit bat", "barn owl"]) == {
        "fruit-bat": "Fruit bat",
        "barn_owl": "barn owl",
    }


def test_numbers_without_padding_have_two_orders():
    folders = sorted(map(str, range(12)))  # 0 1 10 11 2 ...
    for kind in ("folder", "label"):
        with pytest.raises(DataError, match=rf"numbers but not sorted as such \(0, 1, 10, 11, .*write {kind}<TAB>name"):
            match(folders, [f"kind {letter}" for letter in "abcdefghijkl"], kind)
    assert match(folders, list(map(str, range(12)))) == {str(number): str(number) for number in range(12)}


def test_numbers_with_padding_have_one():
    folders = [f"{number:02}" for number in range(12)]
    names = [f"kind {letter}" for letter in "abcdefghijkl"]
    assert match(folders, names) == dict(zip(folders, names, strict=True))


def test_names_of_other_folders_are_refused_even_if_the_list_has_others_too():
    with pytest.raises(DataError, match=r"the name of another at 2 of 3, such as 'owl' for the folder 'bat' and 'bat'"):
        match(["bat", "eel", "owl"], ["owl", "an eel", "bat"])
    with pytest.raises(DataError, match="the name of another at 2 of 3"):
        match(["0", "1", "2"], ["1", "2", "3"])


def test_a_single_synonym_is_none_of_our_business():
    folders = ["crane", "crane_bird"]
    assert match(folders, ["construction crane", "crane"]) == dict(
        zip(folders, ["construction crane", "crane"], strict=True)
    )


def test_the_packaged_names_of_imagenet_are_the_folders_own():
    classes = load_imagenet_classes()
    folders = list(classes)[:40]
    names = [classes[folder] for folder in folders]
    shuffled = random.Random(0).sample(names, len(names))
    assert match(folders, shuffled) == dict(zip(folders, names, strict=True))
    everything = list(classes.values())  # two names occur twice, so that names alone do not tell
    assert match(list(classes), everything) == classes
    with pytest.raises(DataError, match="the name of another at"):
        match(list(classes), everything[::-1])


def test_another_published_list_of_imagenet_is_no_wrong_order():
    categories = pytest.importorskip("torchvision.models._meta")._IMAGENET_CATEGORIES
    wnids = list(load_imagenet_classes())
    assert match(wnids, categories) == dict(zip(wnids, categories, strict=True))


def test_where_own_names_are_known_from():
    assert own_names(["n01440764", "x"])[1] == "by the packaged names of ImageNet"
