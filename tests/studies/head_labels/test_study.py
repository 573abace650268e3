from __future__ import annotations

import json
from pathlib import Path

import pytest

import mkbench
from mkbench.datamodules.critters_world import load_world
from mkbench.errors import UsageError
from mkbench.studies.head_labels.study import HeadOptions

ASSETS = Path(mkbench.__file__).parent / "assets" / "heads"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_texts": 4}, r"--num-texts of 5 or more, found 4"),
        ({"threshold": 6}, r"--threshold of 1 to 5, found 6"),
        ({"threshold": 0}, r"--threshold of 1 to 5, found 0"),
        ({"shuffles": -1}, r"--shuffles of 0 or more, found -1"),
        ({"span": "both"}, r"--span to be one of weights, data, found 'both'"),
        ({"rank": 80}, r"--rank of 1 or more, beside --span data alone, found 80"),
        ({"rank": 0, "span": "data"}, r"--rank of 1 or more, beside --span data alone, found 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        HeadOptions(**options)  # type: ignore[arg-type]


def test_texts_of_critters_are_its_descriptors_and_scenes_without_classes() -> None:
    world = load_world()
    texts = json.loads((ASSETS / "critters-descriptions.json").read_text(encoding="utf-8"))
    assert texts[: len(world.descriptors)] == [descriptor.text for descriptor in world.descriptors]
    assert len(set(texts)) == len(texts) > len(world.descriptors)
    assert not [text for text in texts for name in world.class_names if name in text]
