from __future__ import annotations

import json
from pathlib import Path

import pytest

from mkbench.errors import DataError, UsageError
from mkbench.studies.head_queries.choice import find_property, read_properties, require_head, require_words

LABELS = {(3, 0): "body part", (3, 1): "colour", (4, 0): "colour"}


def test_properties_of_the_layers_of_a_run(tmp_path: Path) -> None:
    heads = [{"layer": layer, "head": head, "label": label} for (layer, head), label in LABELS.items()]
    heads += [{"layer": 3, "head": 2, "label": None}, {"layer": 0, "head": 0, "label": "size"}]
    (tmp_path / "labels.json").write_text(json.dumps({"heads": heads}))
    assert read_properties(tmp_path, [3, 4]) == LABELS
    (tmp_path / "labels.json").write_text("[")
    with pytest.raises(DataError, match="Expected labels of heads in"):
        read_properties(tmp_path, [3, 4])


@pytest.mark.parametrize("name", ["colour", "Colours", " COLOUR. "])
def test_property_in_any_spelling(name: str) -> None:
    assert find_property(name, LABELS) == ("colour", [(3, 1), (4, 0)])


def test_unknown_properties_name_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"found 'size'; they have, with how many of them, body part \(1\), colour \(2\)"
    ):
        find_property("size", LABELS)
    with pytest.raises(UsageError, match="how many of them, none"):
        find_property("size", {})


@pytest.mark.parametrize("head", [(2, 0), (5, 0), (3, 4)])
def test_heads_outside_the_layers(head: tuple[int, int]) -> None:
    require_head((4, 3), layers=range(3, 5), num_heads=4)
    with pytest.raises(UsageError, match=f"the layers 3, 4 and the heads 0 to 3, found {head[0]}.{head[1]}"):
        require_head(head, layers=range(3, 5), num_heads=4)


@pytest.mark.parametrize("texts", [[""], ["an owl", " \t"]])
def test_empty_texts(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="found an empty one"):
        require_words(texts)
