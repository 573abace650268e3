from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_features import make_record

from mkbench import load_backbone
from mkbench.backbones import Backbone
from mkbench.baselines import (
    HEADS,
    FeatureMapsExplainer,
    LFCBMExplainer,
    MMCBMExplainer,
    MMProtoSimExplainer,
    TrainedExplainer,
    save_head,
)
from mkbench.concepts import GroupContext, part_masks, render_prompts
from mkbench.datamodules import Critters
from mkbench.errors import UsageError
from mkbench.systems import MutualKnowledge
from mkbench.systems.features import CachedFeatures

EXPLAINERS: dict[str, Callable[..., TrainedExplainer[Any]]] = {
    "mm-cbm": MMCBMExplainer,
    "mm-protosim": MMProtoSimExplainer,
    "feature-maps": FeatureMapsExplainer,
}
WIDTHS = {"mm-cbm": {"width": 8}, "mm-protosim": {"width": 8}}


@pytest.fixture(scope="module")
def backbone(tiny_model: Path) -> Backbone:
    return load_backbone(f"local-dir:{tiny_model}")


@pytest.fixture(scope="module")
def files(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Heads with the weights that they begin with, on features of the tiny model."""
    images = [Critters(split="train", images_per_class=n, limit_classes=2, num_workers=0) for n in (2, 1)]
    data = CachedFeatures(backbone, *images, cache="off")
    data.prepare_data()
    data.setup("fit")
    torch.manual_seed(0)
    folder, written = tmp_path_factory.mktemp("heads"), {}
    for name, head in HEADS.items():
        written[name] = folder / f"{name}.safetensors"
        save_head(written[name], partial(head, **WIDTHS.get(name, {}))(data.inputs), data.record | {"top1": 0.25})
    return written


@pytest.fixture(scope="module")
def context(backbone: Backbone) -> GroupContext:
    """Two images, as a system sees them."""
    seen: list[GroupContext] = []

    class Watcher:
        name, max_concepts = "watcher", 1

        def settings(self) -> dict[str, object]:
            return {}

        def explain(self, context: GroupContext) -> Any:
            seen.append(context)
            raise InterruptedError

    data = Critters(images_per_class=2, limit_classes=1, num_workers=0)
    system = MutualKnowledge(backbone, explainers=[Watcher()], num_language_concepts=5, refine="components")
    system.prepare(data)
    with pytest.raises(InterruptedError):
        system.explain_group(data.dataset(backbone.geometry, data.specs)[0])
    return seen[0]


@pytest.mark.parametrize("name", EXPLAINERS)
def test_explanation_of_images(name: str, files: dict[str, Path], context: GroupContext) -> None:
    explainer = EXPLAINERS[name](files[name], num_parts=3)
    found = explainer.explain(context)
    assert (found.explainer, explainer.name, len(found)) == (name, name, 2)
    assert found.vision.ids.shape == (2, explainer.max_concepts)
    assert found.present.any()
    assert torch.equal(found.part_pixels, part_masks(found.part_labels, 3, 32))
    assert torch.equal(found.present, found.part_pixels.flatten(2).any(dim=2))
    assert torch.equal(found.present, (found.descriptor_ids >= 0).any(dim=2))
    assert found.fallbacks["no_part"] == int((~found.present.any(dim=1)).sum())
    image, part = found.present.nonzero()[0].tolist()
    prompted = render_prompts(context.images[image], found.part_pixels[image, part])
    encoded = torch.nn.functional.normalize(context.encode(prompted), dim=1).mean(dim=0)
    torch.testing.assert_close(found.part_embeddings[image, part], encoded)
    shown = found.image(image)
    assert {int(d) for part in shown.parts for d in part.descriptor_ids} == set(shown.concept_ids.tolist())


@pytest.mark.parametrize("name", EXPLAINERS)
def test_chunks_change_no_result(name: str, files: dict[str, Path], context: GroupContext) -> None:
    whole = EXPLAINERS[name](files[name]).explain(context)
    chunked = EXPLAINERS[name](files[name], chunk=1).explain(context)
    # Batches of another size differ by rounding, far less than the scores of these random patches.
    assert torch.equal(chunked.part_labels, whole.part_labels)
    torch.testing.assert_close(chunked.part_embeddings, whole.part_embeddings)


def test_image_without_part_leaves_the_rest_alone(files: dict[str, Path], context: GroupContext) -> None:
    features = context.features.clone()
    features[0] = 1.0
    found = FeatureMapsExplainer(files["feature-maps"]).explain(replace(context, features=features))
    assert found.present.any(dim=1).tolist() == [False, True]
    assert found.fallbacks["no_part"] == 1
    assert found.image(0).parts == ()
    nothing = MMCBMExplainer(files["mm-cbm"], threshold=1e9).explain(context)
    assert nothing.fallbacks == {"no_part": 2, "contour_box": 0}
    assert not nothing.part_embeddings.any()


def test_settings_tell_files_apart(files: dict[str, Path], tmp_path: Path, context: GroupContext) -> None:
    explainer = FeatureMapsExplainer(files["feature-maps"])
    assert explainer.settings()["file_sha256"] == explainer.trained.sha256
    assert explainer.settings()["top1"] == explainer.top1 == 0.25
    save_head(tmp_path / "other.safetensors", explainer.head, explainer.trained.record | {"top1": 0.5})
    assert FeatureMapsExplainer(tmp_path / "other.safetensors").settings() != explainer.settings()


def test_head_of_another_kind_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match=r"Expected a head mm-cbm in .*, found mm-protosim; choose a file of mm-cbm"):
        MMCBMExplainer(files["mm-protosim"])


def test_other_weights_are_refused(files: dict[str, Path], context: GroupContext, other_weights: Path) -> None:
    other = replace(context, backbone=load_backbone(f"local-dir:{other_weights}"))
    with pytest.raises(UsageError, match="other weights, geometry or precision"):
        MMCBMExplainer(files["mm-cbm"]).explain(other)


def test_other_descriptors_are_refused(files: dict[str, Path], context: GroupContext) -> None:
    other = replace(context, prompted_embeddings=context.prompted_embeddings.flip(0))
    with pytest.raises(UsageError, match="Expected the 247 descriptors of critters"):
        MMCBMExplainer(files["mm-cbm"]).explain(other)


def test_other_features_are_refused(files: dict[str, Path], context: GroupContext) -> None:
    other = replace(context, features=context.features.repeat(1, 1, 2))
    with pytest.raises(UsageError, match=r"Expected 4 x 4 patches of width 32, .* found 4 x 4 of width 64"):
        FeatureMapsExplainer(files["feature-maps"]).explain(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_parts": 0}, "num_parts must be at least 1, found 0"),
        ({"chunk": 0}, "chunk must be at least 1, found 0"),
        ({"prompts": ("circle",)}, "prompts must be"),
    ],
)
def test_options_are_checked(files: dict[str, Path], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MMCBMExplainer(files["mm-cbm"], **options)


def test_record_of_a_test_is_that_of_a_training(files: dict[str, Path]) -> None:
    # `make_record` stands for what training writes.
    trained = MMCBMExplainer(files["mm-cbm"]).trained.record
    assert set(make_record()) - {"test_images"} <= set(trained)
    assert set(make_record()["backbone"]) <= set(trained["backbone"])


def test_lf_cbm_runs_on_features_of_any_kind_but_on_no_other_bank(
    files: dict[str, Path], backbone: Backbone, tmp_path: Path
) -> None:
    data = Critters(images_per_class=2, limit_classes=1, num_workers=0)
    options: dict[str, Any] = {"num_language_concepts": 5, "refine": "none", "features": "keys"}
    explainer = LFCBMExplainer(files["lf-cbm"])
    system = MutualKnowledge(backbone, explainers=[explainer], **options)
    system.prepare(data)
    found = system.explain_group(data.dataset(backbone.geometry, data.specs)[0]).explained["lf-cbm"].explanation
    assert 0 < found.vision.counts.max() <= 15
    trained = explainer.trained
    record = {**trained.record, "bank": {**trained.record["bank"], "sha256": "0" * 64}}
    save_head(tmp_path / "other.safetensors", trained.head, record)
    other = MutualKnowledge(backbone, explainers=[LFCBMExplainer(tmp_path / "other.safetensors")], **options)
    with pytest.raises(UsageError, match=r"the concept bank that .*other\.safetensors was trained with"):
        other.prepare(data)
