from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_descriptions import (
    BLUISH_ROSE,
    LEAF,
    RED_ROSE,
    SKY,
    TEMPLATE,
    VEINS,
    colour_data,
    evaluate,
    word_system,
    write_colours,
    write_mined,
)

from mkbench.datamodules import ImageFolder, UnlabelledFolder
from mkbench.errors import UsageError
from mkbench.systems.provenance import system_name

#: What Lightning says on its own account; the command line silences it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*LeafSpec", "ignore:predict returned None", "ignore:Total length of"
)
EVALUATED = {"leaf": {"0.png": LEAF}, "rose": {"0.png": RED_ROSE, "1.png": BLUISH_ROSE}, "sky": {"0.png": SKY}}


@pytest.fixture
def test_data(tmp_path: Path) -> ImageFolder:
    return colour_data(write_colours(tmp_path / "test", EVALUATED))


@pytest.fixture
def mined(tmp_path: Path) -> Path:
    """A run over other images that found "veins" in leaves, and nothing in roses and sky."""
    colours = {label: {"0.png": LEAF, "1.png": LEAF} for label in EVALUATED}
    data = colour_data(write_colours(tmp_path / "mining", colours))
    return write_mined(tmp_path / "runs" / "mining" / "words", data, {"leaf": [VEINS]})


def hold_out(tmp_path: Path, mined: Path, roses: dict[str, tuple[int, int, int]], name: str = "held") -> Path:
    data = colour_data(write_colours(tmp_path / name, {"leaf": {"9.png": LEAF}, "rose": roses, "sky": {"9.png": SKY}}))
    return evaluate(word_system(mined_from=mined), data, tmp_path / "runs" / name)


def results_of(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "results.json").read_text(encoding="utf-8"))
    return content


def metrics_of(run: Path) -> dict[str, float]:
    """Top-1 of all ways but the controls."""
    metrics = {metric["name"]: metric["value"] for metric in results_of(run)["metrics"]}
    return {name: metrics[name] for name in ("top1", "top1_descriptors", "top1_mined") if name in metrics}


def test_vectors_are_those_worked_out_by_hand(test_data: ImageFolder, mined: Path) -> None:
    system = word_system(mined_from=mined)
    system.prepare(test_data)
    known = system.known
    assert known.own == [(1,), (2,), (0, 1)]  # leaf: veins, rose: petals, sky: clouds and veins
    assert known.neighbors.tolist() == [[1, 2], [0, 2], [0, 1]]
    assert known.mined == [(), (VEINS,), ()]
    half = 0.5**0.5
    own = [[0, 1, 0], [1, 0, 0], [0, half / 2, (1 + half) / 2]]
    np.testing.assert_allclose(known.vectors["base"].numpy(), np.eye(3)[[1, 0, 2]], atol=1e-7)
    np.testing.assert_allclose(known.vectors["descriptors"].numpy(), own, atol=1e-7)
    own[1] = [(1 + half) / 2, half / 2, 0]
    np.testing.assert_allclose(known.vectors["mined"].numpy(), own, atol=1e-7)


def test_without_a_choice_every_class_uses_what_was_mined(tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
    run = evaluate(word_system(mined_from=mined), test_data, tmp_path / "runs")
    assert metrics_of(run) == {"top1": 0.75, "top1_descriptors": 1.0, "top1_mined": 0.75}
    results = results_of(run)
    # By its prompt the bluish rose is sky; by own descriptors it is a rose; with "veins" it is sky again.
    values = {
        (entry["metric"], entry["minus"]): entry["value"]
        for entry in results["differences"]
        if entry["metric"] in ("top1_descriptors", "top1_mined")
    }
    assert values == {
        ("top1_descriptors", "top1"): 0.25,
        ("top1_mined", "top1"): 0.0,
        ("top1_mined", "top1_descriptors"): -0.25,
    }
    assert all(entry["interval"][0] <= entry["value"] <= entry["interval"][1] for entry in results["differences"])
    assert results["settings"]["chosen"] is False
    assert results["fallbacks"]["descriptions"] == {"no_descriptors": 0, "nothing_mined": 2, "hurt": 0}
    rose = {"name": "rose", "neighbors": ["leaf", "sky"], "mined": ["veins"], "kept": True}
    assert results["mining"]["classes"][1] == rose


def test_class_that_is_hurt_on_held_out_images_keeps_its_own(
    tmp_path: Path, test_data: ImageFolder, mined: Path
) -> None:
    held_out = hold_out(tmp_path, mined, {"8.png": RED_ROSE, "9.png": BLUISH_ROSE})
    run = evaluate(word_system(mined_from=mined, held_out_from=held_out), test_data, tmp_path / "runs")
    assert metrics_of(run) == {"top1": 0.75, "top1_descriptors": 1.0, "top1_mined": 1.0}
    results = results_of(run)
    assert [entry["kept"] for entry in results["mining"]["classes"]] == [True, False, True]
    assert results["fallbacks"]["descriptions"]["hurt"] == 1
    assert results["settings"]["chosen"] is True
    assert results["mining"]["seen"] == {"mined_from": 0, "held_out_from": 0}


def test_class_as_accurate_as_before_keeps_what_was_mined(tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
    held_out = hold_out(tmp_path, mined, {"9.png": RED_ROSE})
    run = evaluate(word_system(mined_from=mined, held_out_from=held_out), test_data, tmp_path / "runs")
    assert metrics_of(run)["top1_mined"] == 0.75


def test_images_that_were_mined_from_do_not_decide(tmp_path: Path, test_data: ImageFolder) -> None:
    # Both runs are over the same folder, in which the mining run saw the bluish rose only.
    data = colour_data(
        write_colours(tmp_path / "train", {**EVALUATED, "rose": {"0.png": BLUISH_ROSE, "1.png": RED_ROSE}})
    )
    data.limit_images_per_class = 1
    mined = write_mined(tmp_path / "runs" / "mining" / "words", data, {"leaf": [VEINS]})
    whole = colour_data(tmp_path / "train")
    held_out = evaluate(word_system(mined_from=mined), whole, tmp_path / "runs" / "held")
    assert results_of(held_out)["mining"]["seen"] == {"mined_from": 3}
    system = word_system(mined_from=mined, held_out_from=held_out)
    system.prepare(test_data)
    assert system.known.kept.all()


def test_choice_without_an_image_that_was_not_mined_from_is_refused(tmp_path: Path, test_data: ImageFolder) -> None:
    data = colour_data(write_colours(tmp_path / "train", EVALUATED))
    mined = write_mined(tmp_path / "runs" / "mining" / "words", data, {"leaf": [VEINS]})
    held_out = evaluate(word_system(mined_from=mined), colour_data(tmp_path / "train"), tmp_path / "runs" / "held")
    with pytest.raises(UsageError, match="that were not mined from, found none; hold out others"):
        word_system(mined_from=mined, held_out_from=held_out).prepare(test_data)


def test_paper_mines_chooses_and_evaluates_on_the_same_images(tmp_path: Path, test_data: ImageFolder) -> None:
    mined = write_mined(tmp_path / "runs" / "mining" / "words", test_data, {"leaf": [VEINS]})
    held_out = evaluate(word_system(mined_from=mined, split="paper"), test_data, tmp_path / "runs" / "held")
    system = word_system(mined_from=mined, held_out_from=held_out, split="paper")
    run = evaluate(system, test_data, tmp_path / "runs")
    assert metrics_of(run) == {"top1": 0.75, "top1_descriptors": 1.0, "top1_mined": 1.0}
    results = results_of(run)
    assert results["settings"]["split"] == "paper"
    assert results["mining"]["seen"] == {"mined_from": 4, "held_out_from": 4}


@pytest.mark.parametrize("leaked", ["mined_from", "held_out_from"])
def test_train_refuses_images_that_were_seen(tmp_path: Path, test_data: ImageFolder, mined: Path, leaked: str) -> None:
    if leaked == "mined_from":
        mined = write_mined(tmp_path / "runs" / "leaked" / "words", test_data, {"leaf": [VEINS]})
        held_out = hold_out(tmp_path, mined, {"9.png": RED_ROSE})
    else:
        held_out = evaluate(word_system(mined_from=mined), test_data, tmp_path / "runs" / "held")
    system = word_system(mined_from=mined, held_out_from=held_out)
    with pytest.raises(
        UsageError, match=rf"run of --model.{leaked} has not seen, found 4 of 4 seen there, such as 'leaf/0.png'"
    ):
        evaluate(system, test_data, tmp_path / "runs")
    assert not (tmp_path / "runs" / "words").exists()


def test_paper_refuses_other_images(tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
    with pytest.raises(UsageError, match=r"the images of --model.mined_from, found 6 of 6 that are not evaluated"):
        word_system(mined_from=mined, split="paper").prepare(test_data)


def test_without_mining_there_are_two_ways(tmp_path: Path, test_data: ImageFolder) -> None:
    run = evaluate(word_system(), test_data, tmp_path / "runs")
    assert metrics_of(run) == {"top1": 0.75, "top1_descriptors": 1.0}
    results = results_of(run)
    assert results["settings"]["mined_from"] is None
    assert "mining" not in results
    assert results["fallbacks"] == {"descriptions": {"no_descriptors": 0}, "text": {"truncated": 0}}


def test_controls_take_the_place_of_own_descriptors(tmp_path: Path, test_data: ImageFolder) -> None:
    system = word_system()
    system.prepare(test_data)
    shuffled = system.known.vectors["shuffled"]
    assert not torch.equal(shuffled, system.known.vectors["descriptors"])
    # Rose has veins or clouds in the place of petals, at 45 degrees to its name.
    assert float(shuffled[1, 0]) == pytest.approx(0.5**0.5)
    again = word_system(control_seed=1)
    again.prepare(test_data)
    assert not torch.equal(again.known.vectors["random"], system.known.vectors["random"])
    assert again.settings() != system.settings()
    names = {metric["name"] for metric in results_of(evaluate(word_system(), test_data, tmp_path / "runs"))["metrics"]}
    assert names == {f"top1{way}" for way in ("", "_descriptors", "_shuffled", "_random")}  # three classes


def test_class_that_the_bank_lacks_is_compared_by_its_prompt(
    tmp_path: Path, mined: Path, test_data: ImageFolder
) -> None:
    own = {"leaf": ["veins"], "Sky": ["clouds"]}
    data = colour_data(tmp_path / "test", own)
    mining = colour_data(tmp_path / "mining", own)
    mined = write_mined(mined, mining, {"leaf": [0], "sky": [1], "rose": [1]})
    system = word_system(mined_from=mined)
    system.prepare(data)
    assert system.known.own == [(0,), (), (1,)]
    assert system.known.mined == [(1,), (), (0,)]  # nothing for rose, whose prompt stays
    for variant in ("descriptors", "mined"):
        assert system.known.vectors[variant][1].tolist() == [1, 0, 0]
    run = evaluate(word_system(mined_from=mined), data, tmp_path / "runs")
    assert results_of(run)["fallbacks"]["descriptions"]["no_descriptors"] == 1


@pytest.mark.parametrize(
    ("bank", "message"),
    [
        (["petals", "veins"], r"descriptors of each class, found a list in .*test.json; give JSON \{class"),
        ({"tulip": ["petals"], "tree": ["veins"]}, "such as 'leaf' in .*found none of the 3 classes .*'tulip'"),
    ],
)
def test_bank_that_does_not_describe_the_classes_is_refused(tmp_path: Path, bank: Any, message: str) -> None:
    data = colour_data(write_colours(tmp_path / "test", EVALUATED), bank)
    with pytest.raises(UsageError, match=message):
        word_system().prepare(data)


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("leaf\nrose\n")
    (tmp_path / "bank.json").write_text('{"leaf": ["veins"], "rose": ["petals"]}')
    write_colours(tmp_path / "all", {"mixed": {"0.png": LEAF}})
    data = UnlabelledFolder(tmp_path / "all" / "mixed", class_names=tmp_path / "names.txt", bank=tmp_path / "bank.json")
    with pytest.raises(UsageError, match="images whose class is known, found some without labels"):
        word_system().prepare(data)


class TestOtherRuns:
    """Runs that an evaluation may not rely on."""

    def test_other_model(self, test_data: ImageFolder, mined: Path) -> None:
        with pytest.raises(UsageError, match=r"differs in model.fingerprint; make it anew, or correct --model.mined_f"):
            word_system(mined_from=mined, scale=2.0).prepare(test_data)

    def test_other_classes(self, tmp_path: Path, mined: Path) -> None:
        data = colour_data(write_colours(tmp_path / "two", {"leaf": {"0.png": LEAF}, "rose": {"0.png": RED_ROSE}}))
        with pytest.raises(UsageError, match=r"same model, classes, .*differs in data.class_names_sha256"):
            word_system(mined_from=mined).prepare(data)

    def test_other_bank(self, tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
        data = colour_data(tmp_path / "test", {"leaf": ["veins"], "rose": ["petals"], "sky": ["clouds"]})
        with pytest.raises(UsageError, match=r"differs in data\.bank\.sha256"):
            word_system(mined_from=mined).prepare(data)

    def test_other_settings_of_the_held_out_run(self, tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
        held_out = hold_out(tmp_path, mined, {"9.png": RED_ROSE})
        system = word_system(mined_from=mined, held_out_from=held_out, template="a {class} with {descriptor}")
        with pytest.raises(UsageError, match=r"differs in settings.template \(.*correct --model.held_out_from"):
            system.prepare(test_data)
        system = word_system(mined_from=mined, held_out_from=held_out, mined_per_class=3)
        with pytest.raises(UsageError, match=r"differs in settings.mined_from.per_class \(10, now 3\)"):
            system.prepare(test_data)

    def test_other_explainer(self, mined: Path) -> None:
        with pytest.raises(UsageError, match="concepts of the explainer 'kmeans', found pca; name a run of"):
            word_system(mined_from=mined, mined_explainer="kmeans").settings()

    def test_run_that_explains_nothing(self, tmp_path: Path, mined: Path) -> None:
        held_out = hold_out(tmp_path, mined, {"9.png": RED_ROSE})
        with pytest.raises(UsageError, match="explainer 'pca', found a run without explainers"):
            word_system(mined_from=held_out).settings()

    def test_run_that_used_nothing_mined(self, tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
        plain = evaluate(word_system(), test_data, tmp_path / "plain")
        with pytest.raises(UsageError, match=r"with every mined descriptor .*found one that used no mined descriptors"):
            word_system(mined_from=mined, held_out_from=plain).settings()
        with pytest.raises(UsageError, match="found one that used no mined descriptors"):
            word_system(mined_from=mined, held_out_from=mined).settings()

    def test_run_that_chose_already(self, tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
        held_out = hold_out(tmp_path, mined, {"9.png": RED_ROSE})
        chosen = evaluate(word_system(mined_from=mined, held_out_from=held_out), test_data, tmp_path / "chosen")
        with pytest.raises(UsageError, match=r"with every mined descriptor .*found one that chose them"):
            word_system(mined_from=mined, held_out_from=chosen).settings()

    def test_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"folder of a finished run with results.json, found none at"):
            word_system(mined_from=tmp_path / "nowhere").settings()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mined_per_class": 0}, "--model.mined_per_class to be at least 1, found 0"),
        ({"held_out_from": Path("runs")}, "--model.mined_from beside --model.held_out_from"),
        ({"encoder_chunk": 0}, "--model.encoder_chunk to be at least 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        word_system(**options)


def test_template_without_places_is_refused() -> None:
    with pytest.raises(UsageError, match=r"exactly once each and no other braces, found 'a photo of a \{\}'"):
        word_system(template="a photo of a {}")


def test_unprepared_texts_are_reported() -> None:
    with pytest.raises(RuntimeError, match="call prepare first"):
        _ = word_system().known


def test_chunks_and_group_sizes_change_nothing(tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
    whole = results_of(evaluate(word_system(mined_from=mined), test_data, tmp_path / "whole"))
    data = colour_data(tmp_path / "test")
    data.group_size = 1
    parts = results_of(evaluate(word_system(mined_from=mined, encoder_chunk=1), data, tmp_path / "parts"))
    for entry in ("metrics", "differences", "mining", "fallbacks", "settings"):
        assert parts[entry] == whole[entry], entry


def test_unreadable_images_are_counted(tmp_path: Path, test_data: ImageFolder) -> None:
    (tmp_path / "test" / "rose" / "0.png").write_bytes(b"no image")
    (tmp_path / "test" / "leaf" / "0.png").write_bytes(b"no image")
    results = results_of(evaluate(word_system(), test_data, tmp_path / "runs"))
    assert (results["data"]["images"], len(results["data"]["unreadable"])) == (2, 2)
    assert {metric["n"] for metric in results["metrics"]} == {2}


def test_finished_run_is_taken_up_and_another_one_refused(tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
    run = evaluate(word_system(mined_from=mined), test_data, tmp_path / "runs")
    before = (run / "results.json").read_bytes()
    (run / "results.json").unlink()
    (run / "groups" / "00001-000.parquet").unlink()
    assert evaluate(word_system(mined_from=mined), colour_data(tmp_path / "test"), tmp_path / "runs") == run
    assert (run / "results.json").read_bytes() == before
    # Results that were lost after the last group are built again without any image.
    (run / "results.json").unlink()
    evaluate(word_system(mined_from=mined), colour_data(tmp_path / "test"), tmp_path / "runs")
    assert (run / "results.json").read_bytes() == before
    # What was mined is part of what a run is.
    write_mined(mined, colour_data(tmp_path / "mining"), {"leaf": [VEINS], "sky": [0]})
    with pytest.raises(UsageError, match=r"differs in settings\.mined_from\.sha256"):
        evaluate(word_system(mined_from=mined), colour_data(tmp_path / "test"), tmp_path / "runs")


def test_settings_hold_every_choice_that_changes_numbers(mined: Path) -> None:
    plain = word_system(mined_from=mined).settings()
    assert word_system(mined_from=mined, encoder_chunk=3).settings() == plain
    for options in (
        {"split": "paper"},
        {"mined_per_class": None},
        {"template": f"a {TEMPLATE}"},
        {"precision": "bf16"},
    ):
        assert word_system(mined_from=mined, **options).settings() != plain, options
    assert word_system().settings()["mined_from"] is None


def test_texts_are_taken_from_the_cache(tmp_path: Path, test_data: ImageFolder, mined: Path) -> None:
    first = word_system(mined_from=mined, text_cache=str(tmp_path / "cache"))
    first.prepare(test_data)
    second = word_system(mined_from=mined, text_cache=str(tmp_path / "cache"))
    second.backbone.encode_text = None  # type: ignore[assignment]
    second.prepare(test_data)
    for variant, vectors in first.known.vectors.items():
        assert torch.equal(vectors, second.known.vectors[variant])


def test_system_is_named_in_its_settings() -> None:
    assert system_name(word_system()) == "descriptor_zero_shot"
