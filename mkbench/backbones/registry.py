"""Registry of the models known by name, which are data (``assets/models.json``)."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mkbench.errors import UsageError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
BUNDLED = "bundled"
Family = Literal["ViT", "ResNet", "ConvNeXt", "FastViT", "ViTamin"]
NUM_SHOWN = 20


@dataclass(frozen=True)
class ModelEntry:
    """A model known by name.

    Attributes:
        name: the name to load it by.
        label: how tables call it; of a row of a published table, the name in that table.
        architecture: open_clip's name of the architecture; of a bundled model, its own name.
        pretrained: open_clip's tag of the weights, or ``"bundled"`` for weights that come with the package.
        family: kind of image tower.
        sets: the published tables, or other lists of models, that it belongs to.
        note: what is worth knowing about it; may be empty.
    """

    name: str
    label: str
    architecture: str
    pretrained: str
    family: Family
    sets: tuple[str, ...]
    note: str = ""

    @property
    def bundled(self) -> bool:
        """Whether the weights come with the package, in ``folder``."""
        return self.pretrained == BUNDLED

    @property
    def folder(self) -> Path:
        """Where the weights of a bundled model lie."""
        return ASSETS / "critters" / self.name


@lru_cache(maxsize=1)
def model_entries() -> tuple[ModelEntry, ...]:
    """List all models known by name, in the order of the published tables.

    >>> [entry.label for entry in model_entries() if "mutual-knowledge-table3" in entry.sets][:2]
    ['ViT-B/32', 'ViT-B/16']
    """
    rows = json.loads((ASSETS / "models.json").read_text(encoding="utf-8"))["models"]
    return tuple(ModelEntry(**{**row, "sets": tuple(row["sets"])}) for row in rows)


def model_set(name: str) -> tuple[ModelEntry, ...]:
    """List the models of a set, in the order of the published table.

    Raises:
        UsageError: for an unknown set.

    >>> len(model_set("mutual-knowledge-table3"))
    13
    """
    sets = list(dict.fromkeys(name for entry in model_entries() for name in entry.sets))
    if name not in sets:
        raise UsageError(f"Expected the name of a set of models out of {', '.join(sets)}, found {name!r}.")
    return tuple(entry for entry in model_entries() if name in entry.sets)


def find_model(name: str) -> ModelEntry:
    """Find a model by its name.

    Raises:
        UsageError: for an unknown name, with the nearest known ones.

    >>> find_model("vit-b-16-dfn2b").architecture
    'ViT-B-16-quickgelu'
    """
    entries = {entry.name: entry for entry in model_entries()}
    if name not in entries:
        raise UsageError(f"Expected the name of a model, got {name!r}; {did_you_mean(name, list(entries))}.")
    return entries[name]


def did_you_mean(name: str, known: list[str]) -> str:
    """Phrase the advice after an unknown name: the nearest known ones, or the first few when none is near.

    >>> did_you_mean("vit-b16", ["ViT-B-16", "RN50"])
    'did you mean ViT-B-16'
    >>> did_you_mean("?", ["b", "a"])
    'known are b, a'
    """
    folded = {candidate.lower(): candidate for candidate in reversed(known)}
    nearest = [folded[match] for match in get_close_matches(name.lower(), list(folded), n=3)]
    if nearest:
        return f"did you mean {' or '.join(nearest)}"
    rest = f" and {len(known) - NUM_SHOWN} more" if len(known) > NUM_SHOWN else ""
    return f"known are {', '.join(known[:NUM_SHOWN])}{rest}"
