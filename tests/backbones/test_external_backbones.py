from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mkbench
from mkbench.backbones import Backbone, external_backbones
from mkbench.errors import BackboneError, UsageError

from .test_base import MeanColour


class Published:
    """An entry point."""

    def __init__(self, name: str, target: Any) -> None:
        self.name = name
        self.target = target

    def load(self) -> Any:
        return self.target


@pytest.mark.usefixtures("downloads")
def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Backbone:
        raise RuntimeError("no licence")

    points = [
        Published("mean-colour", MeanColour),
        Published("wrong", SimpleNamespace),
        Published("broken", broken),
        Published("vit-b-16-openai", MeanColour),
    ]
    monkeypatch.setattr(
        external_backbones, "entry_points", lambda group: points if group == "mkbench.backbones" else []
    )
    backbone = mkbench.load_backbone("mean-colour")
    assert isinstance(backbone, MeanColour)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    with pytest.raises(UsageError, match=r"mean-colour .* takes neither pretrained nor random_weights"):
        mkbench.load_backbone("mean-colour", random_weights=True)
    with pytest.raises(BackboneError, match=r"wrong .* to be a Backbone, got SimpleNamespace"):
        mkbench.load_backbone("wrong")
    with pytest.raises(BackboneError, match=r"broken .* cannot be loaded: no licence"):
        mkbench.load_backbone("broken")
    with pytest.raises(UsageError, match="did you mean mean-colour"):
        mkbench.load_backbone("mean-color")
    with pytest.raises(BackboneError, match="weights openai of ViT-B-16-quickgelu"):  # a known name is not taken over
        mkbench.load_backbone("vit-b-16-openai")


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that can be imported, with a backbone and things that are none; its name."""
    (tmp_path / "own_models.py").write_text(
        "import torch\nfrom backbones.test_base import MeanColour\nclass Mine(MeanColour): pass\n"
        "class Stranger: pass\nclass Broken(MeanColour):\n    def __init__(self): raise RuntimeError('no licence')\n"
        "class Damaged(MeanColour):\n    def __init__(self):\n        super().__init__()\n"
        "        self.scale = torch.nn.Parameter(torch.tensor([1.0, float('nan')]))\n".replace(
            "backbones.test_base", MeanColour.__module__
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, MeanColour.__module__, sys.modules[MeanColour.__module__])
    monkeypatch.delitem(sys.modules, "own_models", raising=False)
    return "own_models"


def test_class_paths(own_module: str) -> None:
    backbone = mkbench.load_backbone(f"{own_module}.Mine")
    assert type(backbone).__name__ == "Mine"
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    with pytest.raises(UsageError, match=r"own_models.Mine of a class path takes neither pretrained nor"):
        mkbench.load_backbone(f"{own_module}.Mine", random_weights=True)
    with pytest.raises(BackboneError, match=r"own_models.Stranger to be a subclass of mkbench.backbones.Backbone"):
        mkbench.load_backbone(f"{own_module}.Stranger")
    with pytest.raises(BackboneError, match=r"own_models.Broken of a class path cannot be loaded: no licence"):
        mkbench.load_backbone(f"{own_module}.Broken")
    with pytest.raises(BackboneError, match=r"own_models.Nothing of a class path cannot be loaded: module 'own"):
        mkbench.load_backbone(f"{own_module}.Nothing")


def test_weights_that_are_not_finite_are_refused_with_the_name_of_the_model(own_module: str) -> None:
    with pytest.raises(BackboneError, match=r"Expected finite weights of mean colour, found NaN or infinity in scale;"):
        mkbench.load_backbone(f"{own_module}.Damaged")


@pytest.mark.parametrize("name", ["own_models", "./own_models.Mine", "own_models.Mine()", "own-models.Mine", ".Mine"])
def test_nothing_is_imported_for_other_names(own_module: str, name: str) -> None:
    with pytest.raises(UsageError, match="Expected the name of a model"):
        mkbench.load_backbone(name)
    assert own_module not in sys.modules
