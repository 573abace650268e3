from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest
import yaml

from mkbench.backbones import OpenClipBackbone
from mkbench.cli.doctor import resources
from mkbench.datamodules.imagenet_classes import load_imagenet_classes

CRITTERS = Path(__file__).resolve().parents[3] / "configs" / "critters"
AREAS = ["model", "class list", "bank", "data", "resources"]
#: Enough images to tell accuracy from chance, of few kinds.
SMALL = ["--data.images_per_class=4", "--data.limit_classes=6", "--data.num_workers=0", "--trainer.accelerator=cpu"]


@pytest.fixture
def doctor(command: Callable[..., Any], folder_words: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `mkbench doctor --fast` on the class folders in `photos/`."""
    monkeypatch.setenv("COLUMNS", "400")  # a sentence a line

    def run(*words: str) -> Any:
        return command("doctor", *folder_words[1:], "--fast", *words)

    return run


def findings(outcome: Any, state: str) -> list[str]:
    """The lines of one state, without symbol and state."""
    lines = [line.strip() for line in outcome.output.splitlines()]
    return [line.split(state, 1)[1].strip() for line in lines if line.split()[1:2] == [state]]


def test_a_clean_set_has_no_problem(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    outcome = command(
        "doctor", f"--config={CRITTERS / 'mutual_knowledge.yaml'}", "--model.backbone=critters-vit-s", *SMALL
    )
    assert (outcome.code, outcome.error) == (0, "")
    lines = outcome.output.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [*AREAS, "0 problems, 0 warnings"]
    assert max(map(len, lines)) <= 80
    said = " ".join(outcome.output.split())
    assert "bundled weights with 0.5 M parameters" in said
    assert "zero-shot top-1:" in said
    assert "24 images of 6 classes, 4 in each" in said
    assert "for 24 images on 1 device" in said
    assert "the largest class group (4 images) needs about" in said
    assert list(tmp_path.iterdir()) == []  # nothing is written


def test_json(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    photo_tree()
    outcome = doctor("--json")
    content = json.loads(outcome.output)
    assert (outcome.code, content["problems"]) == (0, 0)
    assert {finding["area"] for finding in content["findings"]} == set(AREAS)
    assert set(content["findings"][0]) == {"area", "state", "sentence", "model"}
    assert content["warnings"] == sum(finding["state"] == "warning" for finding in content["findings"])


def test_plain_letters_where_symbols_cannot_be_printed(
    doctor: Callable[..., Any], photo_tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo_tree()
    monkeypatch.setattr("rich.console.Console.encoding", "ascii")
    outcome = doctor("--model.pool=25")
    assert outcome.output.isascii()
    assert "\n  x problem " in outcome.output
    assert "\n  + ok " in outcome.output


# -- planted faults ----------------------------------------------------------------------------------------------------


def check_problem(outcome: Any, message: str, others: int = 0) -> None:
    """There is one problem that says so, and the other areas were checked all the same."""
    assert outcome.code == 1
    assert outcome.error == ""
    problems = findings(outcome, "problem")
    assert [problem for problem in problems if message in problem], outcome.output
    assert len(problems) == 1 + others
    assert [line for line in outcome.output.splitlines() if line in AREAS] == AREAS
    assert "Traceback" not in outcome.output


def test_wrong_activation(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    photo_tree()
    check_problem(doctor("--model.backbone=ViT-B-16,openai"), "use ViT-B-16-quickgelu,openai instead")


def test_unknown_model(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    photo_tree()
    check_problem(doctor("--model.backbone=vit-b16-openai"), "did you mean vit-b-16-openai")


def test_hub_that_cannot_be_reached(
    doctor: Callable[..., Any], photo_tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: Any, **options: Any) -> None:
        logging.warning("retrying")
        raise RuntimeError("Failed to download. Last error: An error happened. Please check your connection.")

    monkeypatch.setattr(open_clip, "create_model_from_pretrained", fail)
    photo_tree()
    outcome = doctor("--model.backbone=vit-b-16-openai")
    check_problem(outcome, "(Failed to download); without network, fetch https://huggingface.co/timm/")
    assert "open_clip_model.safetensors into a folder and load local-dir:FOLDER" in outcome.output
    assert logging.root.manager.disable == logging.NOTSET  # libraries may complain again


def test_model_with_an_unexpected_fault(
    doctor: Callable[..., Any], photo_tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: Any, **options: Any) -> None:
        raise MemoryError("no memory left")

    monkeypatch.setattr(OpenClipBackbone, "encode_image", fail)
    photo_tree()
    check_problem(doctor(), "MemoryError: no memory left")


def test_classes_of_imagenet_in_the_wrong_order(
    doctor: Callable[..., Any], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    names = dict(list(load_imagenet_classes().items())[:4])
    photo_tree(list(names))
    (tmp_path / "right.json").write_text(json.dumps(names))
    assert doctor("--data.class_names=right.json").code == 0
    first, second = list(names)[1:3]
    swapped = {**names, first: names[second], second: names[first]}
    (tmp_path / "swapped.json").write_text(json.dumps(swapped))
    outcome = doctor("--data.class_names=swapped.json")
    check_problem(outcome, f"{first} is 'goldfish' but called 'great white shark', {second} is 'great white shark' but")


def test_descriptor_that_is_too_long(
    doctor: Callable[..., Any], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    photo_tree()
    descriptors = [f"a tail of length {number}" for number in range(20)]
    (tmp_path / "long.json").write_text(json.dumps([*descriptors, "0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5"]))
    outcome = doctor("--data.bank=long.json")
    assert outcome.code == 0
    (sentence,) = [line for line in findings(outcome, "warning") if "longer than" in line]
    assert sentence.startswith("1 descriptor longer than the 16 tokens the model reads")
    assert "'0 1 2 3" in sentence


def test_unreadable_image(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    path = photo_tree() / "bee" / "1.png"
    path.write_bytes(path.read_bytes()[:60])
    check_problem(doctor(), "1 of 6 opened images cannot be read; the first: Expected a readable image at photos/bee")


def test_class_without_images(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    (photo_tree() / "dog").mkdir()
    check_problem(doctor(), "directly in the class folder photos/dog, found none")


def test_missing_data_and_wrong_model_are_both_found(doctor: Callable[..., Any]) -> None:
    outcome = doctor("--model.backbone=ViT-B-16,openai")
    assert outcome.code == 1
    model, data = findings(outcome, "problem")
    assert "use ViT-B-16-quickgelu,openai instead" in model
    assert "Expected a folder of class folders at photos, found nothing" in data
    assert "24 entries, 24 unique" in outcome.output  # the bank was checked without either


def test_bank_that_lacks_classes(doctor: Callable[..., Any], photo_tree: Callable[..., Path], tmp_path: Path) -> None:
    photo_tree()
    descriptors = [f"a tail of length {number}" for number in range(60)]
    (tmp_path / "lacking.json").write_text(json.dumps({"ant": descriptors, "owl": descriptors[:3]}))
    outcome = doctor("--data.bank=lacking.json")
    assert outcome.code == 0
    first, second = findings(outcome, "warning")
    assert first == "2 classes without descriptors of their own in the bank: 'bee', 'cat'"
    assert second == "1 class of the bank not in the list: 'owl'; are names spelt in two ways?"
    assert "63 entries, 60 unique; 3 repeats left out" in outcome.output


def test_bank_smaller_than_asked_for(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    photo_tree()
    words = ["--model.num_language_concepts=50", "--model.pool=24", "--model.backbone=nonsense"]
    message = "the bank has 24 descriptors, fewer than the 50 of --model.num_language_concepts"
    check_problem(doctor(*words), message, others=1)  # the other is the model, which is not needed for this


@pytest.mark.parametrize("content", [None, "[", "[]"])
def test_bank_that_cannot_be_read(
    doctor: Callable[..., Any], photo_tree: Callable[..., Path], tmp_path: Path, content: str | None
) -> None:
    photo_tree()
    if content is not None:
        (tmp_path / "own.json").write_text(content)
    check_problem(doctor("--data.bank=own.json"), "own.json")


def test_disk_that_is_too_small(
    doctor: Callable[..., Any], photo_tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda place: SimpleNamespace(free=1000))
    photo_tree()
    check_problem(doctor(), "where only 1.0 kB are free; free some, or name another --results.root")


def test_out_is_where_a_bench_would_write(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    photo_tree()
    assert "at elsewhere, " in doctor("--out=elsewhere").output


def test_no_device_of_that_kind(doctor: Callable[..., Any], photo_tree: Callable[..., Path]) -> None:
    photo_tree()
    check_problem(doctor("--trainer.accelerator=abacus"), "abacus")


def test_configuration_of_a_training(command: Callable[..., Any]) -> None:
    outcome = command("doctor", f"--config={CRITTERS / 'train' / 'critters-vit-s.yaml'}", "--trainer.accelerator=cpu")
    assert outcome.code == 1
    said = " ".join(outcome.output.split())
    assert (
        "Expected a system whose results can be written, such as mkbench.systems.MutualKnowledge, found Contrastive"
        in said
    )
    assert "Expected a DataModule of class groups in `data`, found CrittersCaptions" in said


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_accuracy_and_time_need_readable_images(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path]
) -> None:
    for path in photo_tree().rglob("*.png"):
        path.write_bytes(b"no image")
    outcome = command("doctor", *folder_words[1:])
    assert outcome.code == 1
    said = " ".join(outcome.output.split())
    assert "6 of 6 opened images cannot be read" in said
    assert "time and memory were not measured: that needs readable images, a concept bank and a device" in said


def test_images_without_labels(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\n")
    root = photo_tree() / "bee"
    words = [word for word in folder_words[1:] if not word.startswith(("--config", "--data.root"))]
    config = f"--config={CRITTERS.parent / 'unlabelled_folder.yaml'}"
    words = ["doctor", config, *words, f"--data.root={root}", "--data.class_names=names.txt", "--json"]
    outcome = command(*words)
    assert outcome.code == 0, outcome.output
    sentences = [finding["sentence"] for finding in json.loads(outcome.output)["findings"]]
    assert "bee: 2 images without labels" in sentences
    assert not any("zero-shot" in sentence for sentence in sentences)
    assert any("for 2 images on 1 device" in sentence for sentence in sentences)
    (root / "1.png").write_bytes(b"")
    assert "1 file without content or gone" in command(*words).output
    outcome = command(*words, "--model.scope=class")
    assert "Expected, for images without labels, --model.scope image" in outcome.output


def test_other_systems_are_not_timed(command: Callable[..., Any], tiny_model: Path) -> None:
    config = f"--config={CRITTERS / 'mutual_knowledge.yaml'}"
    system = ["--model=mkbench.systems.DescriptorZeroShot", f"--model.backbone=local-dir:{tiny_model}"]
    outcome = command("doctor", config, *system, "--json", *SMALL)
    sentences = [finding["sentence"] for finding in json.loads(outcome.output)["findings"]]
    assert "time and memory were not measured: that is for MutualKnowledge, not for DescriptorZeroShot" in sentences


def test_own_backbone_by_class_path(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    photo_tree()
    model = {
        "class_path": "mkbench.systems.MutualKnowledge",
        "init_args": {
            "backbone": {"class_path": "toy_classes.ColourBackbone", "init_args": {"width": 6}},
            "explainers": [{"class_path": "toy_classes.WholeForeground", "init_args": {"topk": 3}}],
            "num_language_concepts": 5,
            "refine": "none",
        },
    }
    data = {
        "class_path": "mkbench.datamodules.ImageFolder",
        "init_args": {"root": "photos", "bank": "bank.json", "num_workers": 0},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"model": model, "data": data}))
    outcome = command("doctor", "--config=own.yaml", "--trainer.accelerator=cpu", "--json")
    found = json.loads(outcome.output)["findings"]
    assert any("results call the model colours" in finding["sentence"] for finding in found)
    assert any("does not say how long its texts may be" in finding["sentence"] for finding in found)
    assert any("for 6 images on 1 device" in finding["sentence"] for finding in found)


def test_every_model_of_a_bench(command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> None:
    models = [f"local-dir:{tiny_model}", "nonsense", {"backbone": f"local-dir:{tiny_model}", "random_weights": True}]
    content = {"protocol": str(CRITTERS / "mutual_knowledge.yaml"), "models": models}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content))
    outcome = command("doctor", "--config=bench.yaml", "--out=runs", "--json", "--fast", *SMALL)
    assert outcome.code == 1
    found = json.loads(outcome.output)["findings"]
    (problem,) = [finding for finding in found if finding["state"] == "problem"]
    assert (problem["model"], problem["area"]) == ("nonsense", "model")
    assert sum("24 images of 6 classes" in finding["sentence"] for finding in found) == 1
    assert [finding["model"] for finding in found if "are random" in finding["sentence"]] == [f"local-dir:{tiny_model}"]


def test_time_of_a_whole_bench(command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> None:
    models = ["critters-vit-s", {"backbone": f"local-dir:{tiny_model}", "random_weights": True}]
    content = {"protocol": str(CRITTERS / "mutual_knowledge.yaml"), "models": models}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content))
    outcome = command("doctor", "--config=bench.yaml", "--model.refine=none", "--json", *SMALL)
    assert outcome.code == 0
    sentences = [finding["sentence"] for finding in json.loads(outcome.output)["findings"]]
    assert sum(sentence.endswith("for all 2 runs that were measured") for sentence in sentences) == 1
    assert sum("for 24 images on 1 device" in sentence for sentence in sentences) == 2


def test_options_that_fit_no_model(command: Callable[..., Any], tmp_path: Path) -> None:
    content = {"protocol": str(CRITTERS / "mutual_knowledge.yaml"), "models": ["critters-vit-s", "critters-vit-m"]}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content))
    outcome = command("doctor", "--config=bench.yaml", "--data.lmit_classes=2")
    assert outcome.code == 2
    assert outcome.output == ""
    assert outcome.error.startswith("mkbench: Expected options that fit")
    assert "lmit_classes" in outcome.error


def test_missing_configuration(command: Callable[..., Any]) -> None:
    outcome = command("doctor", "--config=nowhere.yaml")
    assert outcome.code == 2
    assert "nowhere.yaml" in outcome.error
    assert outcome.error.count("\n") == 1
