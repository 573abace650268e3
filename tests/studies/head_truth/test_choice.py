from __future__ import annotations

import json
from pathlib import Path

import pytest

from mkbench.backbones import Geometry
from mkbench.datamodules import Critters
from mkbench.datamodules.critters_world import load_world
from mkbench.errors import UsageError
from mkbench.heads.labels import normalise_label
from mkbench.heads.labels.similarity import PROPERTIES
from mkbench.metrics.functional.intervention import FACTORS
from mkbench.studies.head_truth.choice import TruthOptions, changing_data, load_factor_labels, named_factors


def test_labels_of_factors_are_labels_that_heads_can_have() -> None:
    known = set(json.loads((PROPERTIES.parent / "critters-properties.json").read_text(encoding="utf-8")))
    factors = load_factor_labels()
    assert set(factors) <= set(FACTORS)
    assert set(factors) == {*load_world().attributes, "background"}  # all that a head can be asked about
    for factor, labels in factors.items():
        assert set(labels) - {factor} <= known
        assert all(normalise_label(label) == label for label in labels)


@pytest.mark.parametrize(
    ("label", "factors"),
    [
        ("fur", ("colour", "pattern")),
        ("Spikes", ("back",)),
        ("ears", ("ears",)),
        ("background", ("background",)),
        ("sky", ()),
        ("skin", ()),
        (None, ()),
    ],
)
def test_factors_that_a_label_names(label: str | None, factors: tuple[str, ...]) -> None:
    assert named_factors(label, load_factor_labels()) == factors


def test_what_is_changed() -> None:
    plain = Critters(images_per_class=1, limit_classes=1)
    changing = changing_data(plain)
    assert isinstance(changing, Critters)
    assert changing.intervention == FACTORS[:-1]  # all but a part that is left out
    assert changing.specs == plain.specs
    assert plain.intervention == ()  # which is left as it was
    own = Critters(intervention=["tail", "removed_part"])
    assert changing_data(own) is own


def test_chosen_samples_stay_chosen(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("test/blorp/0001\n", encoding="utf-8")
    changing = Critters(samples=path).with_intervention(["tail", "legs"])
    assert [spec.sample_ids for spec in changing.specs] == [("test/blorp/0001",)]
    geometry = Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    known = changing.dataset(geometry, changing.specs, with_ground_truth=True)[0].ground_truth
    assert known is not None
    assert known.factors == ("tail", "legs")


def test_options_out_of_range() -> None:
    with pytest.raises(UsageError, match="Expected --images-per-class of 1 or more, found 0"):
        TruthOptions(images_per_class=0)
