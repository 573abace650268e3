from __future__ import annotations

import open_clip
import pytest

from mkbench.backbones import find_model, model_entries
from mkbench.backbones.known_models import model_set
from mkbench.backbones.open_clip_pairs import tower_family
from mkbench.backbones.openclip import check_activation
from mkbench.errors import UsageError, did_you_mean

# The rows of Table 3 of arXiv 2410.13016, in its order of kinds.
TABLE3 = [
    "ViT-B/32",
    "ViT-B/16",
    "ViT-B/32-dcp",
    "ViT-B/16-dcp",
    "ViT-L/14",
    "ViT-L/14@336",
    "ViT-B/16-dfn",
    "RN-50",
    "RN-101",
    "RN-50x4",
    "RN-50x16",
    "CNeXt-B1",
    "CNeXt-B2",
]
HEADS = {
    ("ViT-B-32", "openai"),
    ("ViT-B-16", "openai"),
    ("ViT-L-14", "openai"),
    ("ViT-B-16", "laion2b_s34b_b88k"),
    ("ViT-L-14", "laion2b_s32b_b82k"),
    ("ViT-B-32", "datacomp_m_s128m_b4k"),
}


def test_names_are_unique() -> None:
    names = [entry.name for entry in model_entries()]
    assert len(set(names)) == len(names) == 27


def test_sets_are_those_of_the_papers() -> None:
    assert [entry.label for entry in model_entries() if "mutual-knowledge-table3" in entry.sets] == TABLE3
    heads = {(e.architecture.removesuffix("-quickgelu"), e.pretrained) for e in model_entries() if "heads" in e.sets}
    assert heads == HEADS


@pytest.mark.parametrize("entry", [e for e in model_entries() if not e.bundled], ids=lambda e: e.name)
def test_open_clip_knows_every_pair(entry: object) -> None:
    found = find_model(entry.name)  # type: ignore[attr-defined]
    assert (found.architecture, found.pretrained) in open_clip.list_pretrained()
    check_activation(found.architecture, found.pretrained)
    assert found.family == tower_family(open_clip.get_model_config(found.architecture))


MODERN = {
    "ViT-B-16-SigLIP2",
    "PE-Core-B-16",
    "MobileCLIP2-B",
    "MobileCLIP2-S4",
    "ViT-H-14-worldwide-quickgelu",
    "ViT-L-14-quickgelu",
    "EVA02-L-14",
}


def test_modern_models() -> None:
    assert {entry.architecture for entry in model_set("modern")} == MODERN


def test_bundled_models_lie_in_the_package() -> None:
    bundled = [entry for entry in model_entries() if entry.bundled]
    assert [entry.name for entry in bundled] == ["critters-vit-s", "critters-vit-m", "critters-vit-l", "critters-rn"]
    assert {entry.sets for entry in bundled} == {("critters",)}
    assert bundled[0].folder.parts[-4:] == ("mkbench", "assets", "critters", "critters-vit-s")


def test_unknown_names_get_advice() -> None:
    with pytest.raises(UsageError, match="got 'vit-b16-openai'; did you mean vit-b-16-openai"):
        find_model("vit-b16-openai")


def test_long_lists_are_cut() -> None:
    assert did_you_mean("?", [f"m{i}" for i in range(25)]).endswith("m19 and 5 more")
