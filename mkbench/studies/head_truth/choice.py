"""Choice of the factors that are changed, and of the labels that name them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.critters import Critters
from mkbench.datamodules.critters_interventions import REMOVED_PART
from mkbench.errors import UsageError
from mkbench.heads.labels import normalise_label
from mkbench.metrics.functional.intervention import FACTORS


@dataclass(frozen=True)
class TruthOptions:
    """Options of heads with ground truth.

    Attributes:
        images_per_class: change the first images of each class only; None takes all of the run. An image costs a
            forward pass for each factor.

    Raises:
        UsageError: no image.

    >>> TruthOptions().images_per_class
    3
    """

    images_per_class: int | None = 3

    def __post_init__(self) -> None:
        if self.images_per_class is not None and self.images_per_class < 1:
            raise UsageError(f"Expected --images-per-class of 1 or more, found {self.images_per_class}.")


def changing_data(data: ClassGroupDataModule) -> ClassGroupDataModule:
    """Return the data of a run with images of which one thing is changed at a time.

    Critters change every attribute and the ground, unless the run says what; data of another kind is taken as it is,
    and needs such images in its ground truth.

    Args:
        data: that of the run.

    >>> changing_data(Critters(intervention=["tail"])).intervention, len(changing_data(Critters()).intervention)
    (('tail',), 10)
    """
    if not isinstance(data, Critters) or data.intervention:
        return data
    return data.with_intervention([factor for factor in FACTORS if factor != REMOVED_PART])


@lru_cache(maxsize=1)
def load_factor_labels() -> dict[str, tuple[str, ...]]:
    """Read which labels name each factor of Critters; one may name several, as fur has a colour and a pattern.

    >>> load_factor_labels()["horns"]
    ('horn', 'antler')
    """
    path = resources.files("mkbench") / "assets" / "heads" / "critters-factors.json"
    return {factor: tuple(labels) for factor, labels in json.loads(path.read_text(encoding="utf-8")).items()}


def named_factors(label: str | None, factors: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the factors that a label names; none for one of something that is not changed, and for no label.

    Args:
        label: in any spelling.
        factors: the labels of each factor, which names itself too.

    >>> named_factors("Antlers", load_factor_labels()), named_factors("sky", load_factor_labels())
    (('horns',), ())
    """
    name = None if label is None else normalise_label(label)
    return tuple(
        factor for factor, labels in factors.items() if name in {normalise_label(each) for each in (factor, *labels)}
    )
