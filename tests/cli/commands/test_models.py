from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import open_clip
import pytest

from mkbench.backbones import model_entries


def identifiers() -> set[str]:
    return {f"{entry.architecture},{entry.pretrained}" for entry in model_entries() if not entry.bundled}


@pytest.mark.parametrize("columns", ["30", "80", "200"])
def test_names_and_weights_are_never_broken(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    outcome = command("models")
    assert outcome.code == 0
    words = set(outcome.output.split())
    assert {entry.name for entry in model_entries()} | identifiers() <= words


def test_labels_and_sets_where_there_is_room(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "mutual-knowledge-table3, heads" in command("models").output
    assert "ViT-L/14@336" in command("models").output
    monkeypatch.setenv("COLUMNS", "100")
    narrow = command("models").output
    assert "ViT-L/14@336" not in narrow
    assert "mutual-knowledge-table3" not in narrow


def test_models_of_a_set(command: Callable[..., Any]) -> None:
    outcome = command("models", "--set", "critters", "--json")
    found = json.loads(outcome.output)["models"]
    assert [model["name"] for model in found] == ["critters-vit-s", "critters-vit-m", "critters-vit-l", "critters-rn"]
    assert {(model["pretrained"], *model["sets"]) for model in found} == {("bundled", "critters")}
    assert "capabilities" not in found[0]


def test_every_pair_of_open_clip(command: Callable[..., Any]) -> None:
    found = json.loads(command("models", "--all", "--json").output)["models"]
    assert [(model["architecture"], model["pretrained"]) for model in found] == open_clip.list_pretrained()
    names = [model["name"] for model in found]
    assert {entry.name for entry in model_entries() if not entry.bundled} <= set(names)
    assert "ViT-B-16-SigLIP-512,webli" in names
    notes = {model["name"]: model["note"] for model in found}
    assert "use ViT-B-32-quickgelu,openai instead" in notes["ViT-B-32,openai"]
    families = {model["name"]: model["family"] for model in found}
    assert families["RN50x64-quickgelu,openai"] == "ResNet"
    assert families["convnext_xxlarge,laion2b_s34b_b82k_augreg"] == "ConvNeXt"
    assert families["ViTamin-B,datacomp1b"] == "ViTamin"


def test_capabilities(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    modern = json.loads(command("models", "--set", "modern", "--capabilities", "--json").output)["models"]
    found = {model["name"]: model["capabilities"] for model in modern}
    assert {name for name, offers in found.items() if offers["hugging_face"]} == {
        "vit-b-16-siglip2",
        "vit-h-14-metaclip2",
    }
    assert {name for name, offers in found.items() if not offers["heads"]} == {"mobileclip2-s4"}
    assert (found["pe-core-b-16"]["image_size"], found["pe-core-b-16"]["grid"]) == (224, [14, 14])
    monkeypatch.setenv("COLUMNS", "200")
    rows = command("models", "--set", "critters", "--capabilities").output.splitlines()
    assert any("critters-rn" in row and "patches only" in row for row in rows)
    assert any("critters-vit-s" in row and "class token, keys, attention, heads" in row for row in rows)


def test_unknown_set_is_told(command: Callable[..., Any]) -> None:
    outcome = command("models", "--set", "nowhere")
    assert outcome.code == 2
    assert "mutual-knowledge-table3" in outcome.error
    assert command("models", "--set", "critters", "--all").code == 2
