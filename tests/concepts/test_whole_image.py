from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mkbench.concepts import CONTROLS, Explanations, GroupContext, PartsExplainer, RandomParts, WholeImage
from mkbench.datamodules import ClassGroup, Critters
from mkbench.errors import UsageError
from mkbench.scorers import Calibration, GroundTruth, Removal, Stability
from mkbench.systems import MutualKnowledge


def make_system(tiny_model: Path, data: Critters, **options: object) -> MutualKnowledge:
    explainers = [WholeImage(), PartsExplainer("pca", pool=62), RandomParts(pool=62)]
    system = MutualKnowledge(
        f"local-dir:{tiny_model}",
        num_language_concepts=12,
        refine="components",
        explainers=explainers,
        **options,  # type: ignore[arg-type]
    )
    system.prepare(data)
    return system


@pytest.fixture(scope="module")
def data() -> Critters:
    return Critters(images_per_class=5, limit_classes=1, num_workers=0)


def read_group(data: Critters, system: MutualKnowledge) -> ClassGroup:
    return data.dataset(system.geometry, data.specs, with_ground_truth=True)[0]


def test_names_are_those_of_controls() -> None:
    assert (RandomParts().name, WholeImage().name) == CONTROLS


def test_descriptors_are_the_nearest_to_the_image_as_many_as_of_the_other(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, data)
    group = read_group(data, system)
    explained = system.explain_group(group).explained
    counts = explained["pca"].explanation.vision.counts
    vision = explained["whole-image"].explanation.vision
    image = system.backbone.encode_image(group.images).detach().double().numpy()
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    cosines = image @ system.knowledge.bare.double().numpy().T
    assert vision.counts.tolist() == counts.tolist()
    for row, count in enumerate(counts.tolist()):
        nearest = np.argsort(-cosines[row], kind="stable")[:count]
        assert vision.ids[row].tolist() == [*nearest, *[-1] * (vision.ids.shape[1] - count)]
        np.testing.assert_allclose(vision.importance[row, :count], 2.5 * cosines[row, nearest], atol=1e-6)


def test_rows_have_no_parts_and_scorers_of_parts_no_value(tiny_model: Path, data: Critters) -> None:
    scorers = [Removal(), Calibration(), GroundTruth(), Stability()]
    system = make_system(tiny_model, data, scorers=scorers)
    group = read_group(data, system)
    rows = system.record(group, system.explain_group(group), data.class_names).rows.to_pylist()
    ours = [row for row in rows if row["explainer"] == "whole-image"]
    assert len(ours) == 5
    empty = ("deletion_scores", "insertion_correct", "importance_effect", "part_iou", "concept_entropy", "reseed_auc")
    for row in ours:
        assert (row["num_parts"], row["part_descriptor_ids"]) == (0, [])
        assert [row[name] for name in empty] == [None] * 6
        assert row["curve"]
        assert row["noise_auc"] is not None
        assert (row["descriptor_precision"] is None) == (not row["descriptor_ids"])
    assert any(row["descriptor_ids"] for row in ours)
    assert any(row["deletion_scores"] for row in rows if row["explainer"] == "pca")


def context(images: int = 2, bank: int = 4) -> GroupContext:
    torch.manual_seed(0)
    unit = torch.nn.functional.normalize(torch.randn(images + bank, 6), dim=1)
    return GroupContext(
        images=torch.zeros(images, 3, 16, 16, dtype=torch.uint8),
        features=torch.randn(images, 4, 5),
        image_embedding=unit[:images],
        bare_embeddings=unit[images:],
        prompted_embeddings=unit[images:],
        foreground_patches=torch.zeros(images, 2, 2, dtype=torch.bool),
        foreground_pixels=torch.zeros(images, 16, 16, dtype=torch.bool),
        seed=0,
        encode=lambda pixels: torch.rand(len(pixels), 6),
    )


def test_nothing_found_is_nothing_named_even_of_a_bank_smaller_than_the_width() -> None:
    explanation = Explanations([PartsExplainer(), WholeImage()], context())["whole-image"]
    assert explanation.vision.ids.tolist() == [[-1] * 15] * 2
    assert explanation.vision.importance.count_nonzero() == 0
    assert explanation.image(0).parts == ()


def test_compared_explainer_must_be_there() -> None:
    with pytest.raises(UsageError, match=r"'kmeans', which .* is compared with, .* found pca, whole-image; add"):
        Explanations([PartsExplainer(), WholeImage("kmeans")], context())["whole-image"]
    with pytest.raises(UsageError, match="found none; add it"):
        WholeImage().explain(context())
    with pytest.raises(UsageError, match="found itself"):
        WholeImage("whole-image")


def test_settings_name_the_compared_explainer() -> None:
    assert WholeImage("kmeans").settings() == {"of": "kmeans"}
