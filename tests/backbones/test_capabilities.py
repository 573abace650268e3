from __future__ import annotations

import open_clip
import pytest
import torch

from mkbench.backbones import load_backbone
from mkbench.backbones.capabilities import entry_capabilities, find_capabilities
from mkbench.backbones.known_models import model_entries
from mkbench.errors import BackboneError
from mkbench.heads import decompose

#: Of each kind of tower one that is small enough to build.
SMALL = ["ViT-S-32-alt", "PE-Core-T-16-384", "ViTamin-S"]


@pytest.mark.parametrize("name", ["critters-vit-s", "critters-rn", *SMALL])
def test_what_is_promised_can_be_done(name: str) -> None:
    bundled = {entry.name: entry for entry in model_entries() if entry.bundled}
    backbone = load_backbone(name, random_weights=name not in bundled)
    if name in bundled:
        found = entry_capabilities(bundled[name])
    else:
        found = find_capabilities(open_clip.get_model_config(name))
    assert (found.image_size, found.grid) == (backbone.image_size, backbone.grid)
    assert found.class_token == ("class_token" in backbone.capabilities)
    pixels = torch.zeros(1, 3, backbone.image_size, backbone.image_size, dtype=torch.uint8)
    doing = {
        "keys": lambda: backbone.patch_features(pixels, "keys"),
        "attention": lambda: backbone.embed_with_attention(pixels),
        "heads": lambda: decompose(backbone, pixels, layers=[0]),
    }
    for promise, act in doing.items():
        if getattr(found, promise):
            act()
        else:
            with pytest.raises(BackboneError):
                act()


def test_towers_of_an_unknown_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mkbench.backbones.towers.patch_readers.READERS", {})
    with pytest.raises(BackboneError, match="Expected an image tower of"):
        find_capabilities(open_clip.get_model_config("ViT-S-32-alt"))
