from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import torch
from PIL import Image
from toy_classes import ColourBackbone
from toy_data import DESCRIPTORS

import mkbench
from mkbench.backbones import load_backbone
from mkbench.datamodules.critters_world import load_world, render
from mkbench.errors import DataError, UsageError

NAMES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def explainer(tiny_model: Path) -> mkbench.ImageExplainer:
    return mkbench.ImageExplainer(f"local-dir:{tiny_model}", class_names=NAMES, bank=DESCRIPTORS, refine="components")


@pytest.fixture
def photo() -> torch.Tensor:
    torch.manual_seed(3)
    return torch.randint(0, 256, (3, 4, 5), dtype=torch.uint8).repeat_interleave(10, 1).repeat_interleave(8, 2)


def test_explanation_is_consistent(explainer: mkbench.ImageExplainer, photo: torch.Tensor) -> None:
    found = explainer(photo)
    assert sorted(found.predictions) == NAMES
    named = {concept.text for concept in found.concepts}
    assert named <= set(DESCRIPTORS)
    assert {text for part in found.parts for text in part.descriptors} == named
    assert [concept.mutual for concept in found.concepts] == [c.text in found.language for c in found.concepts]
    importance = [concept.importance for concept in found.concepts]
    assert importance == sorted(importance, reverse=True)
    assert all(part.mask.shape == (32, 32) and part.mask.any() for part in found.parts)
    assert found.chance_auc <= found.mutual_information >= found.auc


def test_any_form_of_an_image_gives_the_same(
    explainer: mkbench.ImageExplainer, photo: torch.Tensor, tmp_path: Path
) -> None:
    opened = Image.fromarray(photo.permute(1, 2, 0).numpy())
    opened.save(tmp_path / "a.png")
    texts = [str(explainer(form)) for form in (photo, opened, tmp_path / "a.png", str(tmp_path / "a.png"))]
    assert len(set(texts)) == 1
    assert texts[0].startswith("predicted: ")


def test_stability_is_said_and_no_chance_without_another_class(photo: torch.Tensor) -> None:
    found = mkbench.explain(photo, ColourBackbone(), class_names=NAMES[:1], bank=DESCRIPTORS)
    assert 0 <= found.kept <= len(found.concepts)
    assert f"{found.kept} of {len(found.concepts)} concepts stay" in str(found)
    assert "chance" not in str(found)
    assert "nan" not in str(found)
    assert "(chance " in str(mkbench.explain(photo, ColourBackbone(), class_names=NAMES, bank=DESCRIPTORS))


def test_a_backbone_by_its_class_path(photo: torch.Tensor) -> None:
    options: Any = {"class_names": NAMES, "bank": DESCRIPTORS}
    by_path = mkbench.explain(photo, "toy_classes.ColourBackbone", **options)
    assert str(by_path) == str(mkbench.explain(photo, ColourBackbone(), **options))


def test_names_and_bank_from_files(tiny_model: Path, photo: torch.Tensor, tmp_path: Path, write_bank: Any) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    backbone = load_backbone(f"local-dir:{tiny_model}")
    by_files = mkbench.explain(photo, backbone, class_names=tmp_path / "names.txt", bank=write_bank())
    by_lists = mkbench.explain(photo, backbone, class_names=NAMES, bank=DESCRIPTORS)
    by_texts = mkbench.explain(photo, backbone, class_names=str(tmp_path / "names.txt"), bank=str(write_bank()))
    assert str(by_files) == str(by_lists) == str(by_texts)


def test_phone_images_are_turned(explainer: mkbench.ImageExplainer, photo: torch.Tensor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the first row is seen at the right
    stored = Image.fromarray(photo.rot90(1, (1, 2)).permute(1, 2, 0).contiguous().numpy())
    stored.save(tmp_path / "phone.png", exif=exif)
    with Image.open(tmp_path / "phone.png") as opened:
        texts = [str(explainer(form)) for form in (photo, tmp_path / "phone.png", opened)]
    assert len(set(texts)) == 1
    assert str(explainer(stored)) != texts[0]


def test_published_numbers_are_shares_of_a_small_bank(explainer: mkbench.ImageExplainer) -> None:
    assert len(DESCRIPTORS) == 24
    assert explainer.system.num_language_concepts == 1  # a twentieth
    assert explainer.system.explainers[0].settings()["pool"] == 6  # a quarter


def test_plot_is_saved(explainer: mkbench.ImageExplainer, photo: torch.Tensor, tmp_path: Path) -> None:
    found = explainer(photo)
    assert found.plot() is not None
    found.plot(tmp_path / "new" / "figure.png")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["figure.pdf", "figure.png"]
    assert matplotlib.image.imread(tmp_path / "new" / "figure.png").std() > 0.05


def test_bundled_model_knows_its_kinds() -> None:
    kind = load_world().class_names[3]
    found = mkbench.explain(torch.from_numpy(render(kind, 0).image).permute(2, 0, 1), explainer="kmeans")
    assert found.predictions[0] == kind
    assert any(concept.mutual for concept in found.concepts)


@pytest.mark.parametrize(
    ("options", "missing"),
    [({"class_names": NAMES}, "found no bank of descriptors"), ({"bank": DESCRIPTORS}, "found no class names")],
)
def test_other_models_need_names_and_bank(tiny_model: Path, options: dict[str, Any], missing: str) -> None:
    with pytest.raises(UsageError, match=missing):
        mkbench.ImageExplainer(f"local-dir:{tiny_model}", **options)


def test_images_that_are_none(explainer: mkbench.ImageExplainer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected a uint8 image \(3, H, W\), found torch.float32 \(3, 4, 4\)"):
        explainer(torch.zeros(3, 4, 4))
    with pytest.raises(DataError, match="found no such file"):
        explainer(tmp_path / "none.png")


def test_command_prints_and_draws(command: Callable[..., Any], photo: torch.Tensor, tmp_path: Path) -> None:
    Image.fromarray(photo.permute(1, 2, 0).numpy()).save(tmp_path / "a.png")
    outcome = command("explain", "a.png", "--model=critters-vit-s", "--out=figures/a.png")
    assert outcome.code == 0
    assert outcome.error.startswith("mkbench: critters-vit-s knows rendered animals alone; for photographs name ")
    assert "predicted: " in outcome.output
    assert outcome.output.endswith("figure: figures/a.png\n")
    assert (tmp_path / "figures" / "a.png").is_file()
    assert command("explain", "none.png", "--model=critters-vit-s").code == 1


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3), dtype=np.uint8), "found ndarray; for an array .* give PIL.Image.fromarray"),
        (torch.zeros(3, 0, 4, dtype=torch.uint8), r"Expected an image with pixels, found one of shape \(3, 0, 4\)"),
        (Image.new("RGB", (4, 0)), "Expected an image with pixels"),
    ],
)
def test_what_is_no_image(explainer: mkbench.ImageExplainer, image: Any, message: str) -> None:
    with pytest.raises((UsageError, ValueError), match=message):
        explainer(image)


@pytest.mark.parametrize("options", [{"class_names": [], "bank": DESCRIPTORS}, {"class_names": NAMES, "bank": []}])
def test_empty_lists_are_refused(tiny_model: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="found an empty list"):
        mkbench.ImageExplainer(f"local-dir:{tiny_model}", **options)


def test_notebook_shows_figure_and_text(explainer: mkbench.ImageExplainer, photo: torch.Tensor) -> None:
    found = explainer(photo)
    shown = found._repr_html_()
    encoded = shown.partition("base64,")[2].partition('"')[0]
    assert base64.b64decode(encoded).startswith(b"\x89PNG")
    assert "<pre>predicted: " in shown
