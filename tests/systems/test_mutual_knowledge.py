from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from torch.utils.data import DataLoader
from toy_classes import ColourBackbone, WholeForeground
from toy_data import CONFIGS
from toy_features import shrink_baseline

from mkbench.backbones import PatchFeatures
from mkbench.baselines import MMCBMExplainer
from mkbench.cli.doctor.jobs import find_jobs
from mkbench.cli.main import main
from mkbench.concepts import PartsExplainer, RandomParts, WholeImage
from mkbench.datamodules import ClassGroup, Critters
from mkbench.datamodules.group_loader import take_only
from mkbench.errors import BackboneError, UsageError
from mkbench.scorers import Removal, ScorerContext, Stability
from mkbench.scorers.explained_group import ExplainedGroup, GroupResult
from mkbench.systems import MutualKnowledge, mutual_knowledge
from mkbench.systems.mutual_knowledge import group_seed

GROUP_SIZE = 9
OPTIONS: dict[str, Any] = {"num_language_concepts": 12, "pool": 62, "refine": "components"}


@pytest.fixture(scope="module")
def data(tiny_model: Path) -> Critters:
    return Critters(images_per_class=GROUP_SIZE, limit_classes=2, num_workers=0)


def make_system(tiny_model: Path, data: Critters, **options: Any) -> MutualKnowledge:
    system = MutualKnowledge(f"local-dir:{tiny_model}", **{**OPTIONS, **options})
    system.prepare_texts(data.class_names, data.bank.descriptors, data.templates)
    return system


def read_group(data: Critters, system: MutualKnowledge, index: int = 0) -> ClassGroup:
    return data.dataset(system.geometry, data.specs)[index]


def assert_equal_results(one: GroupResult, other: GroupResult) -> None:
    torch.testing.assert_close(one.ranking, other.ranking)
    for name, expected in one.explained.items():
        found = other.explained[name]
        torch.testing.assert_close(found.explanation.vision.ids, expected.explanation.vision.ids)
        torch.testing.assert_close(found.explanation.part_labels, expected.explanation.part_labels)
        for field in ("curves", "chance", "entropy"):
            torch.testing.assert_close(getattr(found, field), getattr(expected, field), rtol=0, atol=1e-6)


def test_an_image_without_a_finite_embedding_is_named(
    tiny_model: Path, data: Critters, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = make_system(tiny_model, data)
    group = read_group(data, system)
    original = system.backbone.patch_features

    def overflow(pixels: torch.Tensor, kind: Any = "tokens") -> Any:
        features, embedding = original(pixels, kind)
        embedding[4] = torch.nan
        return PatchFeatures(features, embedding)

    monkeypatch.setattr(system.backbone, "patch_features", overflow)
    with pytest.raises(BackboneError, match=f"embeddings of tiny, .* for {group.sample_ids[4]};"):
        system.explain_group(group)


@pytest.mark.parametrize("chunk", [1, 7])
def test_chunks_of_the_encoder_change_nothing(tiny_model: Path, data: Critters, chunk: int) -> None:
    whole = make_system(tiny_model, data)
    group = read_group(data, whole)
    chunked = make_system(tiny_model, data, encoder_chunk=chunk)
    assert_equal_results(whole.explain_group(group), chunked.explain_group(group))


def test_encoder_never_sees_more_than_a_chunk(
    tiny_model: Path, data: Critters, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = make_system(tiny_model, data, encoder_chunk=4)
    sizes: list[int] = []
    original = system.backbone.encode_image
    monkeypatch.setattr(
        system.backbone, "encode_image", lambda pixels: (sizes.append(len(pixels)), original(pixels))[1]
    )
    system.explain_group(read_group(data, system))
    assert max(sizes) == 4


def test_groups_are_explained_alike_in_any_order(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, data)
    groups = [read_group(data, system, index) for index in (0, 1)]
    forwards = [system.explain_group(group) for group in groups]
    torch.manual_seed(99)  # the global random state must not matter either
    backwards = [system.explain_group(group) for group in reversed(groups)]
    for one, other in zip(forwards, reversed(backwards), strict=True):
        assert_equal_results(one, other)


def test_ranking_is_by_cosine(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, data)
    group = read_group(data, system)
    image = system.backbone.encode_image(group.images).detach().numpy().astype(np.float64)
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    expected = np.argsort(-(image @ system.knowledge.classes.numpy().astype(np.float64).T), axis=1)[:, :5]
    np.testing.assert_array_equal(system.explain_group(group).ranking.numpy(), expected)


@pytest.mark.parametrize("condition_on", ["true", "predicted"])
def test_hits_are_language_concepts_of_the_conditioning_class(
    tiny_model: Path, data: Critters, condition_on: Any
) -> None:
    system = make_system(tiny_model, data, condition_on=condition_on)
    group = read_group(data, system, 1)
    result = system.explain_group(group)
    expected_class = [1] * len(group) if condition_on == "true" else result.ranking[:, 0].tolist()
    assert result.conditioning.tolist() == expected_class
    for explained in result.explained.values():
        vision = explained.explanation.vision
        for index, label in enumerate(expected_class):
            language = set(system.knowledge.language[label].tolist())
            ids = vision.ids[index, : int(vision.counts[index])].tolist()
            assert explained.hits[index, : len(ids)].tolist() == [i in language for i in ids]
            assert not explained.hits[index, len(ids) :].any()


def presence_information(vision: set[int], language: set[int], size: int) -> float:
    """Shannon information of two presence variables, from the table of counts."""
    x = np.array([i in vision for i in range(size)])
    y = np.array([i in language for i in range(size)])
    total = 0.0
    for a in (False, True):
        for b in (False, True):
            joint = np.mean((x == a) & (y == b))
            if joint:
                total += joint * np.log(joint / (np.mean(x == a) * np.mean(y == b)))
    return total


@pytest.mark.parametrize("estimator", ["paper", "shannon"])
def test_curves_follow_the_definition(tiny_model: Path, data: Critters, estimator: Any) -> None:
    system = make_system(tiny_model, data, estimator=estimator)
    result = system.explain_group(read_group(data, system))
    bank, u = len(data.bank), system.num_language_concepts
    explained = result.explained["pca"]
    vision = explained.explanation.vision
    for index in range(GROUP_SIZE):
        count = int(vision.counts[index])
        ids = vision.ids[index, :count].tolist()
        language = set(system.knowledge.language[int(result.conditioning[index])].tolist())
        for removed in range(count + 1):
            kept = ids[removed:]
            common = len(language.intersection(kept))
            if estimator == "paper":  # ln N + ln M + ln K, with N of the whole list
                expected = np.log(count) + np.log(u) + np.log(common) if common else 0.0
                assert float(explained.curves[index, removed]) == pytest.approx(expected, abs=1e-12)
            elif removed == 0:
                expected = presence_information(set(ids), language, bank)
                assert float(explained.curves[index, 0]) == pytest.approx(expected, abs=1e-12)
        assert not explained.curves[index, count:].any()


def test_chance_is_the_mean_over_other_classes(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, data)
    result = system.explain_group(read_group(data, system))
    explained = result.explained["kmeans"]
    vision, u = explained.explanation.vision, system.num_language_concepts
    count, own = int(vision.counts[0]), int(result.conditioning[0])
    ids = vision.ids[0, :count].tolist()
    others = [set(row.tolist()) for label, row in enumerate(system.knowledge.language) if label != own]
    for removed in range(count + 1):
        common = [len(language.intersection(ids[removed:])) for language in others]
        expected = np.mean([np.log(count) + np.log(u) + np.log(k) if k else 0.0 for k in common])
        assert float(explained.chance[0, removed]) == pytest.approx(expected, abs=1e-12)


def test_half_precision_keeps_the_analysis_in_full(tiny_model: Path, data: Critters) -> None:
    system = make_system(tiny_model, data, precision="bf16")
    assert system.backbone.dtype == torch.bfloat16
    for name in ("classes", "bare", "prompted"):
        assert getattr(system.knowledge, name).dtype == torch.float32
    contexts = []
    system.explainers[0].explain, original = contexts.append, system.explainers[0].explain  # type: ignore[method-assign]
    with pytest.raises(AttributeError):  # the spy returns None
        system.explain_group(read_group(data, system))
    system.explainers[0].explain = original  # type: ignore[method-assign]
    assert (contexts[0].features.dtype, contexts[0].image_embedding.dtype) == (torch.float32, torch.float32)
    norms = contexts[0].image_embedding.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=1e-6)  # rounded to bf16 it would be 4e-3 off
    explained = system.explain_group(read_group(data, system)).explained["pca"]
    assert {explained.curves.dtype, explained.chance.dtype, explained.entropy.dtype} == {torch.float64}


def coloured(*squares: tuple[int, int]) -> torch.Tensor:
    """An image of 16 x 16 pixels, blue with red patches of 4 x 4 pixels."""
    image = torch.zeros(3, 16, 16, dtype=torch.uint8)
    image[2] = 200
    for row, column in squares:
        image[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = torch.tensor([220, 10, 0]).view(3, 1, 1)
    return image


def toy_system(**options: Any) -> MutualKnowledge:
    system = MutualKnowledge(
        ColourBackbone(),
        **({"num_language_concepts": 5, "pool": 8, "num_parts": 2, "topk": 2, "refine": "none"} | options),
    )
    system.prepare_texts(["ant", "bee"], [f"descriptor {i}" for i in range(20)], ["a {}"])
    return system


def test_image_without_foreground_has_no_information_and_spoils_nothing() -> None:
    # Patches are blue or red, and red is the minority: an all-blue image has nothing prominent.
    images = torch.stack([coloured((0, 0), (0, 1)), coloured(), coloured((2, 2), (2, 3), (3, 3))])
    result = toy_system().explain_group(ClassGroup(images, 0, 0, ("a", "b", "c")))
    assert result.foreground.patches.flatten(1).sum(1).tolist() == [2, 0, 3]
    for explained in result.explained.values():
        counts = explained.explanation.vision.counts.tolist()
        assert counts[1] == 0
        assert min(counts[0], counts[2]) > 0
        assert not explained.curves[1].any()
        assert not explained.chance[1].any()
        assert float(explained.entropy[1]) == 0.0
        assert explained.explanation.fallbacks["no_foreground"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scope": "class"}, r"--model\.scope image \(unrelated .*\), found class; set it so, or give labelled"),
        ({"scope": "image", "condition_on": "true"}, r"labels, --model\.condition_on predicted \(.*\), found true"),
        ({"scope": "class", "condition_on": "true"}, r"found class; and --model\.condition_on predicted .* found true"),
    ],
)
def test_options_that_need_labels_are_refused_without(options: dict[str, Any], message: str) -> None:
    group = ClassGroup(torch.stack([coloured((0, 0))]), None, 0, ("a",))
    with pytest.raises(UsageError, match=message):
        toy_system(**options).explain_group(group)


def test_images_without_labels_are_explained_for_the_predicted_class() -> None:
    images = torch.stack([coloured((0, 0), (0, 1)), coloured((2, 2), (2, 3), (3, 3))])
    system = toy_system(scope="image")
    found = system.explain_group(ClassGroup(images, None, 0, ("a", "b")))
    expected = system.explain_group(ClassGroup(images, 1, 0, ("a", "b")))
    assert found.conditioning.tolist() == found.ranking[:, 0].tolist()
    torch.testing.assert_close(found.explained["pca"].curves, expected.explained["pca"].curves)


def test_group_of_nothing_but_background() -> None:
    images = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    result = toy_system().explain_group(ClassGroup(images, 0, 0, ("a", "b")))
    for explained in result.explained.values():
        assert explained.explanation.vision.counts.tolist() == [0, 0]
        assert not explained.curves.any()


def test_own_explainer_takes_the_place_of_the_default_ones() -> None:
    images = torch.stack([coloured((0, 0), (0, 1)), coloured()])
    result = toy_system(explainers=[WholeForeground()]).explain_group(ClassGroup(images, 1, 0, ("a", "b")))
    assert list(result.explained) == ["whole"]
    assert result.explained["whole"].explanation.vision.counts.tolist() == [2, 0]


def test_empty_group_is_passed_over() -> None:
    group = ClassGroup(torch.zeros(0, 3, 16, 16, dtype=torch.uint8), 0, 0, (), ("a: truncated",))
    assert toy_system().predict_step(group, 0) is None


def test_bank_smaller_than_the_language_concepts_is_refused() -> None:
    system = MutualKnowledge(ColourBackbone(), num_language_concepts=5)
    with pytest.raises(UsageError, match="at least 5 descriptors, found 3; use a larger bank"):
        system.prepare_texts(["ant"], ["x", "y", "z"], ["{}"])


@pytest.mark.parametrize("option", ["encoder_chunk", "num_language_concepts"])
def test_numbers_below_one_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match="to be at least 1"):
        MutualKnowledge(ColourBackbone(), **{option: 0})  # type: ignore[arg-type]


def test_unprepared_texts_are_reported() -> None:
    with pytest.raises(RuntimeError, match="call prepare_texts first"):
        _ = MutualKnowledge(ColourBackbone()).knowledge


def test_truncated_texts_are_counted_once_however_often_they_are_prepared() -> None:
    system = MutualKnowledge(ColourBackbone(), num_language_concepts=1)
    # Of the prompts "a photo showing one two" (5 words), "... one two three" (6) and the bare texts only one is long.
    for _ in range(2):
        system.prepare_texts(["ant"], ["one two", "one two three"], ["a {}"])
        assert system.backbone.truncated_texts == 1


class Recorder(L.Callback):
    """Keeps what the system returns."""

    def __init__(self) -> None:
        self.results: list[GroupResult] = []

    def on_predict_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *rest: Any, **options: Any) -> None:
        self.results.append(outputs)


def make_trainer(tmp_path: Path, **options: Any) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        **options,
    )


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
class TestInTrainer:
    def predict(self, tmp_path: Path, system: MutualKnowledge, data: Any, **options: Any) -> list[GroupResult]:
        recorder = Recorder()
        trainer = make_trainer(tmp_path, callbacks=[recorder], **options)
        trainer.predict(system, datamodule=data, return_predictions=False)
        return recorder.results

    @pytest.mark.parametrize("workers", [0, 2])
    def test_workers_change_nothing(self, tmp_path: Path, tiny_model: Path, data: Critters, workers: int) -> None:
        system = make_system(tiny_model, data)
        own = Critters(images_per_class=GROUP_SIZE, limit_classes=2, num_workers=workers)
        results = self.predict(tmp_path, system, own)
        assert [result.group.key for result in results] == ["00000-000", "00001-000"]
        for index, result in enumerate(results):
            assert_equal_results(system.explain_group(read_group(data, system, index)), result)

    def test_computed_metrics_are_means_over_all_images(self, tmp_path: Path, tiny_model: Path, data: Critters) -> None:
        system = make_system(tiny_model, data)
        results = self.predict(tmp_path, system, data)
        predicted = torch.cat([result.ranking[:, 0] for result in results])
        true = torch.tensor([0] * GROUP_SIZE + [1] * GROUP_SIZE)
        assert system.computed["top1"] == pytest.approx((predicted == true).double().mean().item(), abs=1e-6)
        for name in ("pca", "kmeans"):
            parts: list[ExplainedGroup] = [result.explained[name] for result in results]
            curves = torch.cat([part.curves for part in parts])
            assert system.computed[f"mutual_information/{name}"] == pytest.approx(curves[:, 0].mean().item())
            entropy = torch.cat([part.entropy for part in parts]).mean().item()
            assert system.computed[f"concept_entropy/{name}"] == pytest.approx(entropy)

    def test_precision_of_the_trainer_must_stay_full(self, tmp_path: Path, tiny_model: Path, data: Critters) -> None:
        with pytest.raises(
            UsageError, match=r"Expected --trainer.precision 32-true, found bf16-mixed.*--model.precision"
        ):
            self.predict(tmp_path, make_system(tiny_model, data), data, precision="bf16-mixed")

    def test_answers_do_not_pile_up_in_memory(self, tmp_path: Path, tiny_model: Path, data: Critters) -> None:
        recorder = Recorder()
        trainer = make_trainer(tmp_path, callbacks=[recorder])
        assert trainer.predict(make_system(tiny_model, data), datamodule=data) is None  # Lightning would keep them all
        assert [result.group.key for result in recorder.results] == ["00000-000", "00001-000"]
        assert trainer.predict_loop.predictions == []

    def test_data_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        groups = [ClassGroup(coloured()[None], 0, 0, ("a",))]
        loader = DataLoader(groups, collate_fn=take_only)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"found NoneType; take one of .* a subclass of mkbench.datamodules"):
            make_trainer(tmp_path).predict(toy_system(), dataloaders=loader, return_predictions=False)


def test_group_seeds_are_pinned() -> None:
    # The first six bytes of SHA-256 of "3/7/0" and of "3/unlabelled/0": a change would change every K-means part.
    for class_index, text in ((7, b"3/7/0"), (None, b"3/unlabelled/0")):
        assert group_seed(3, class_index, 0) == int.from_bytes(hashlib.sha256(text).digest()[:6], "little")


def test_group_seeds_depend_on_every_argument() -> None:
    seeds = {group_seed(*key) for key in ((0, 1, 0), (1, 1, 0), (0, 2, 0), (0, 1, 1), (1, 0, 0), (0, 0, 1))}
    assert len(seeds) == 6
    assert max(seeds) < 2**48


def test_settings_hold_every_choice_that_changes_numbers() -> None:
    plain = toy_system().settings()
    assert toy_system(encoder_chunk=3).settings() == plain
    for option, value in {
        "estimator": "shannon",
        "condition_on": "true",
        "scope": "image",
        "saliency": "pca",
        "precision": "bf16",
        "seed": 3,
        "relevance_template": "a {}",
        "descriptor_template": "see {}",
    }.items():
        assert toy_system(**{option: value}).settings() != plain, option


@pytest.mark.parametrize("option", ["num_parts", "topk", "pool"])
def test_sizes_of_a_run_are_those_of_all_explainers_that_set_none(option: str) -> None:
    listed = [PartsExplainer("pca"), PartsExplainer("kmeans", **{option: 4}), RandomParts(), WholeImage()]
    settings = toy_system(**{option: 6}, explainers=listed).settings()["explainers"]
    assert {name: own.get(option) for name, own in settings.items()} == {
        "pca": 6,
        "kmeans": 4,
        "random": 6,
        "whole-image": None,
    }


def test_listed_explainers_without_sizes_explain_as_the_default_ones() -> None:
    group = ClassGroup(torch.stack([coloured((0, 0), (0, 1)), coloured((2, 2))]), 1, 0, ("a", "b"))
    expected, found = (
        toy_system(explainers=listed).explain_group(group).explained["pca"].explanation
        for listed in (None, [PartsExplainer()])
    )
    assert found.descriptor_ids.shape == (2, 2, 2)  # images, --model.num_parts, --model.topk
    torch.testing.assert_close(found.descriptor_ids, expected.descriptor_ids, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topk": 0}, r"Expected --model.topk to be at least 1, found 0"),
        (
            {"topk": 6, "explainers": [PartsExplainer(topk=4), WholeForeground(), WholeImage()]},
            r"leaves `topk` to --model.topk=6, found only 4 of pca, 2 of whole; change it in their init_args",
        ),
    ],
)
def test_sizes_that_no_explainer_can_follow_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        toy_system(**options)


@pytest.mark.parametrize("option", ["num_parts", "topk", "pool"])
def test_sizes_on_the_command_line_reach_the_explainers_of_a_file(option: str) -> None:
    (job,) = find_jobs(CONFIGS / "critters" / "mutual_knowledge.yaml", [f"--model.{option}=2"])
    settings = job.parse().build("model").settings()["explainers"]
    assert [settings[name][option] for name in ("pca", "kmeans", "random")] == [2, 2, 2]
    assert settings["pca"] == {**PartsExplainer(pool=62).settings(), option: 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"explainers": [PartsExplainer("pca"), PartsExplainer("pca", topk=1)]}, "explainers .* found 'pca' more than"),
        ({"scorers": [Removal(), Removal(False)]}, "scorers .* found 'removal' more than once"),
    ],
)
def test_two_of_one_name_are_refused(tiny_model: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MutualKnowledge(f"local-dir:{tiny_model}", **options)


class Counting:
    """A scorer that keeps what it was asked about."""

    def __init__(self, name: str, *, needs_explanation: bool, needs_ground_truth: bool = False) -> None:
        self.name, self.needs_explanation, self.needs_ground_truth = name, needs_explanation, needs_ground_truth
        self.columns = {name: pa.int64()}
        self.asked: list[str] = []

    def settings(self) -> dict[str, object]:
        return {}

    def score(self, context: ScorerContext) -> dict[str, list[Any]]:
        self.asked.append(context.explanation.explainer)
        return {self.name: [len(self.asked)] * len(context.group)}


def test_scores_that_no_explainer_changes_are_taken_once_for_a_group() -> None:
    scorers = [Counting("each", needs_explanation=True), Counting("once", needs_explanation=False)]
    system = toy_system(scorers=scorers)
    images = torch.stack([coloured((0, 0), (0, 1)), coloured((2, 2), (2, 3), (3, 3))])
    results = [system.explain_group(ClassGroup(images, index, 0, ("a", "b"))) for index in (0, 1)]
    assert [scorer.asked for scorer in scorers] == [["pca", "kmeans"] * 2, ["pca"] * 2]
    for index, result in enumerate(results):
        found = {name: explained.measured for name, explained in result.explained.items()}
        assert found["pca"] == {"each": [2 * index + 1] * 2, "once": [index + 1] * 2}
        assert found["kmeans"] == {"each": [2 * index + 2] * 2, "once": [index + 1] * 2}


@pytest.mark.parametrize("needs_ground_truth", [False, True])
def test_ground_truth_is_read_only_if_a_scorer_needs_it(
    tiny_model: Path, data: Critters, tmp_path: Path, needs_ground_truth: bool
) -> None:
    groups: list[ClassGroup] = []

    class Watching(Counting):
        def score(self, context: ScorerContext) -> dict[str, list[Any]]:
            groups.append(context.group)
            return super().score(context)

    other = Counting("other", needs_explanation=True)
    watching = Watching("watching", needs_explanation=False, needs_ground_truth=needs_ground_truth)
    system = MutualKnowledge(f"local-dir:{tiny_model}", scorers=[other, watching], **OPTIONS)
    assert system.needs_ground_truth is needs_ground_truth
    make_trainer(tmp_path).predict(system, datamodule=data, return_predictions=False)
    assert [group.ground_truth is not None for group in groups] == [needs_ground_truth] * 2
    if needs_ground_truth:
        ground_truth = groups[0].ground_truth
        assert ground_truth is not None
        assert ground_truth.part_masks is not None
        assert ground_truth.part_masks.shape == (GROUP_SIZE, 8, 32, 32)


def test_heads_trained_on_other_features_are_refused(tiny_model: Path, data: Critters, tmp_path: Path) -> None:
    content = yaml.safe_load((CONFIGS / "critters" / "baselines" / "mm_cbm.yaml").read_text(encoding="utf-8"))
    shrink_baseline(content, model=tiny_model, cache=tmp_path / "cache")
    file = tmp_path / "mm-cbm.safetensors"
    content["trainer"]["callbacks"][0]["init_args"]["file"] = str(file)
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert main(["fit", f"--config={tmp_path / 'fit.yaml'}"]) == 0
    options = {**OPTIONS, "explainers": [MMCBMExplainer(file)]}
    MutualKnowledge(f"local-dir:{tiny_model}", **options).prepare(data)
    with pytest.raises(UsageError, match=r"kind of features that .* was trained with \(tokens\), found another \(keys"):
        MutualKnowledge(f"local-dir:{tiny_model}", features="keys", **options).prepare(data)


def test_explainer_of_ones_own_can_refuse_a_run(data: Critters) -> None:
    class Picky(WholeForeground):
        def require_run(self, description: Any, *, features: str) -> None:
            raise UsageError(f"Expected another run, found {description['name']} with {features}; choose it.")

    with pytest.raises(UsageError, match="found critters-test with keys"):
        MutualKnowledge(ColourBackbone(), features="keys", explainers=[Picky()], **OPTIONS).prepare(data)


def test_other_images_are_seen_once_for_all_explainers(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.stack([coloured((0, 0), (0, 1)), coloured((2, 2), (2, 3), (3, 3))])
    seen: list[int] = []
    original = mutual_knowledge.find_foreground

    def watch(*given: Any, **named: Any) -> Any:
        seen.append(len(given[2]))
        return original(*given, **named)

    def explain(*names: str) -> dict[str, dict[str, list[Any]]]:
        system = toy_system(explainers=[PartsExplainer(name) for name in names], scorers=[Stability()])
        result = system.explain_group(ClassGroup(images, 0, 0, ("a", "b")))
        return {name: explained.measured for name, explained in result.explained.items()}

    monkeypatch.setattr(mutual_knowledge, "find_foreground", watch)
    both = explain("pca", "kmeans")
    # The images themselves, their noisy copies, and another seed for K-means.
    assert seen == [2] * 3
    assert both == explain("pca") | explain("kmeans")
