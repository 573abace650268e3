"""Registry of the models known by name, which are data (``assets/models.json``)."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mkbench.errors import UsageError, did_you_mean

ASSETS = Path(__file__).resolve().parents[1] / "assets"
BUNDLED = "bundled"
Family = Literal["ViT", "ResNet", "ConvNeXt", "FastViT", "ViTamin"]


@dataclass(frozen=True)
class ModelEntry:
    """Entry of a model known by name.

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
        """Folder of the weights of a bundled model."""
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
        raise UsageError(f"Expected the name of a set of models, found {name!r}; {did_you_mean(name, sets)}.")
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
