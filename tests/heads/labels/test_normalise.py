"""Labels in one spelling."""

import pytest

from mkbench.heads.labels import normalise_label, singular


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("animals", "animal"),
        ("colours", "colour"),
        ("cities", "city"),
        ("bodies", "body"),
        ("ties", "tie"),
        ("movies", "movie"),
        ("boxes", "box"),
        ("dishes", "dish"),
        ("beaches", "beach"),
        ("dresses", "dress"),
        ("glasses", "glass"),
        ("houses", "house"),
        ("roses", "rose"),
        ("poses", "pose"),
        ("buses", "bus"),
        ("faces", "face"),
        ("shoes", "shoe"),
        ("potatoes", "potato"),
        ("leaves", "leaf"),
        ("gloves", "glove"),
        ("people", "person"),
        ("children", "child"),
        ("women", "woman"),
        ("numbers", "number"),
        ("photos", "photo"),
    ],
)
def test_plurals(plural: str, expected: str) -> None:
    assert singular(plural) == expected
    assert singular(expected) == expected  # twice changes nothing


@pytest.mark.parametrize(
    "word",
    ["glass", "focus", "emphasis", "physics", "graphics", "series", "species", "bus", "gas", "canvas", "christmas"],
)
def test_words_that_are_no_plurals(word: str) -> None:
    assert singular(word) == word


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Location", "location"),
        ("  LOCATIONS.\n", "location"),
        ('"colour"', "colour"),
        ("**Body-parts**", "body part"),
        ("body_parts", "body part"),
        ("light/shadows", "light shadow"),
        ("children's toys!", "childrens toy"),
        ("Glasses of wine", "glasses of wine"),  # the last word alone is made singular
        ("Größen", "größen"),
        ("ﬁre", "fire"),  # a ligature
        ("色", "色"),
        ("3D shapes", "3d shape"),
        ("...", ""),
        ("", ""),
        ("\x1b[31mred\x1b[0m", "31mred0m"),  # nothing is left for a terminal to obey
        ("<b>bold</b>", "bbold b"),
    ],
)
def test_labels(text: str, expected: str) -> None:
    assert normalise_label(text) == expected
    assert normalise_label(expected) == expected
