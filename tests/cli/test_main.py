from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mkbench import __version__
from mkbench.cli.command_table import COMMANDS, TRAINER_COMMANDS
from mkbench.cli.main import main
from mkbench.systems import MutualKnowledge

#: A process of its own has the tests' folder on its path, for the toy classes, and does its sums in one thread.
#: Over the environment at the time, whose cache is the tests' own.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]),
}


def assert_one_sentence(error: str) -> None:
    assert error.startswith("mkbench: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    assert len(error) < 500


# -- the words alone ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(command: Callable[..., Any], words: list[str]) -> None:
    outcome = command(*words)
    assert outcome.code == 0
    for name in (*COMMANDS, *TRAINER_COMMANDS):
        assert f"\n  {name} " in outcome.output, name


def test_version(command: Callable[..., Any]) -> None:
    outcome = command("--version")
    assert (outcome.code, outcome.output) == (0, f"mkbench {__version__}\n")


@pytest.mark.parametrize("name", [*COMMANDS, *TRAINER_COMMANDS])
def test_every_command_explains_its_options(command: Callable[..., Any], name: str) -> None:
    outcome = command(*name.split(), "--help")
    assert (outcome.code, outcome.error) == (0, "")
    assert name in outcome.output
    assert "--help" in outcome.output


def test_unknown_command(command: Callable[..., Any]) -> None:
    outcome = command("explode")
    assert outcome.code == 2
    assert_one_sentence(outcome.error)
    assert "found 'explode'" in outcome.error
    assert "predict" in outcome.error


def test_commands_of_two_words_are_looked_for_first(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []

    def stand_in(command: str) -> SimpleNamespace:
        def run(options: argparse.Namespace) -> int:
            heard.append((command, options.words))
            return 0

        return SimpleNamespace(HELP="", add_arguments=lambda parser: parser.add_argument("words", nargs="*"), run=run)

    monkeypatch.setattr("mkbench.cli.command_table.load_command", stand_in)
    monkeypatch.setattr("mkbench.cli.main.load_command", stand_in)
    assert command("heads", "text-neighbors", "a").code == 0
    assert command("heads", "runs", "text-neighbors").code == 0
    assert command("heads").code == 0
    assert heard == [("heads text-neighbors", ["a"]), ("heads", ["runs", "text-neighbors"]), ("heads", [])]


def test_command_lists_the_commands_below_it(command: Callable[..., Any]) -> None:
    shown = command("heads", "--help").output
    below = [name for name in COMMANDS if name.startswith("heads ")]
    assert len(below) >= 5
    for name in below:
        assert f"\n  {name} " in shown, name
    assert "\n  compare " not in shown
    assert "heads text" not in command("compare", "--help").output


@pytest.mark.parametrize("second", ["property-neighbours", "topic-segmentations", "contrastive-segment"])
def test_misspelt_second_word_is_no_folder(command: Callable[..., Any], tmp_path: Path, second: str) -> None:
    outcome = command("heads", second, "runs", "--image", "a.png")
    assert outcome.code == 2
    assert_one_sentence(outcome.error)
    assert f"found 'heads {second}'; did you mean " in outcome.error
    (tmp_path / second).mkdir()  # a folder of that name is meant
    assert "did you mean" not in command("heads", second).error


def test_words_come_from_the_process_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mkbench", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"mkbench {__version__}\n"


@pytest.mark.parametrize("words", [["models", "--sett", "x"], ["compare"], ["bench"]])
def test_commands_without_trainer_know_their_options(command: Callable[..., Any], words: list[str]) -> None:
    outcome = command(*words)
    assert outcome.code == 2
    assert f"mkbench {words[0]}: error:" in outcome.error


# -- configurations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--model.encoder_chunks=3", "Option 'encoder_chunks' is not accepted"),
        ("--trainer.devicess=3", "unrecognized arguments: --trainer.devicess=3"),
        ("--results.rot=x", "unrecognized arguments: --results.rot=x"),
        ("--model.pool=many", "Parser key \"pool\": Expected a <class 'int'>. Got value: many"),
        ("--model.estimator=foo", "Expected a typing.Literal['paper', 'shannon']. Got value: foo"),
        (
            "--model.encoder_chunk=0",
            "Expected --model.encoder_chunk to be at least 1, found 0",
        ),
        ("--data=nowhere.Data", "No module named 'nowhere'"),
        ("--trainer.accelerator=abacus", "abacus"),
        ("--data.limit_classes=0", "Expected --data.limit_classes to be at least 1, found 0"),
        ("--data.templates=nosuchset", "Expected --data.templates to be one of"),
        ("surplus", "unrecognized arguments: surplus"),
    ],
)
def test_wrong_option(command: Callable[..., Any], predict_words: list[str], option: str, message: str) -> None:
    outcome = command(*predict_words, option)
    assert outcome.code == 2
    assert_one_sentence(outcome.error)
    assert message in outcome.error
    assert not outcome.run.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model: [1, 2\n  x: }\n", "Problems parsing config"),
        ("- 1\n- 2\n", "Unexpected config"),
        ("nonsense: 1\n", "does not accept option 'nonsense'"),
        ("model:\n  class_path: mkbench.systems.MutualKnowledge\n  init_args: {backbone: x, poool: 3}\n", "'poool'"),
        ("model:\n  class_path: mkbench.systems.Nothing\n", "Nothing"),
        ("", "Unexpected config"),
    ],
)
def test_wrong_configuration(command: Callable[..., Any], tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "wrong.yaml").write_text(content)
    outcome = command("predict", "--config=wrong.yaml")
    assert outcome.code == 2
    assert_one_sentence(outcome.error)
    assert message in outcome.error


def test_missing_configuration(command: Callable[..., Any]) -> None:
    outcome = command("predict", "--config=nowhere.yaml")
    assert outcome.code == 2
    assert_one_sentence(outcome.error)
    assert "nowhere.yaml" in outcome.error


# -- models ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backbone", "code", "message"),
    [
        ("ViT-B-16x", 2, "got 'ViT-B-16x'; did you mean ViT-B-16"),
        ("critters-vit-x", 2, "did you mean critters-vit-"),
        ("ViT-B-16,openaii", 2, "Expected a tag of weights for ViT-B-16, got 'openaii'; did you mean openai"),
        ("ViT-B-16", 2, "needs weights: name one of its tags"),
        ("local-dir:nowhere", 1, "Expected a model folder with open_clip_config.json"),
    ],
)
def test_model_that_cannot_be_had(
    command: Callable[..., Any], predict_words: list[str], backbone: str, code: int, message: str
) -> None:
    outcome = command(*predict_words, f"--model.backbone={backbone}")
    assert outcome.code == code
    assert_one_sentence(outcome.error)
    assert message in outcome.error
    assert not (outcome.run.parent).exists()


# -- data --------------------------------------------------------------------------------------------------------------


def test_missing_root(command: Callable[..., Any], folder_words: list[str]) -> None:
    check_data_error(command(*folder_words), "Expected a folder of class folders at photos, found nothing")


def test_root_that_is_a_file(command: Callable[..., Any], folder_words: list[str], tmp_path: Path) -> None:
    (tmp_path / "photos").write_text("")
    check_data_error(command(*folder_words), "at photos, found a file; check --data.root")


def test_empty_root(command: Callable[..., Any], folder_words: list[str], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    check_data_error(command(*folder_words), "Expected one folder for each class in photos, found no folder")


def test_class_folder_without_images(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path]
) -> None:
    (photo_tree() / "dog").mkdir()
    check_data_error(command(*folder_words), "directly in the class folder photos/dog, found none")


def test_class_names_of_other_folders(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    photo_tree()
    (tmp_path / "names.json").write_text('{"ant": "an ant", "bee": "a bee", "owl": "an owl"}')
    check_data_error(command(*folder_words, "--data.class_names=names.json"), "folders without a name (such as 'cat')")


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 2, "Expected a concept bank (.json, .txt, .csv or .tsv) at own.json"),
        ("[", 1, "own.json is not valid JSON"),
        ("3", 1, "must be a JSON list of descriptors or an object"),
        ('{"ant": "legs"}', 1, "Class 'ant' of own.json must be a list of strings"),
        ('["legs", 5]', 1, "must hold only strings, found 5"),
        ("[]", 1, "must hold at least 2 different descriptors, found 0"),
        ('["legs", "wings", "eyes"]', 2, "Expected a bank of at least 5 descriptors, found 3"),
    ],
)
def test_wrong_bank(
    command: Callable[..., Any],
    folder_words: list[str],
    photo_tree: Callable[..., Path],
    tmp_path: Path,
    content: str | None,
    code: int,
    message: str,
) -> None:
    photo_tree()
    if content is not None:
        (tmp_path / "own.json").write_text(content)
    check_data_error(command(*folder_words, "--data.bank=own.json"), message, code)


def check_data_error(outcome: Any, message: str, code: int = 1) -> None:
    assert outcome.code == code
    assert_one_sentence(outcome.error)
    assert message in outcome.error
    assert not outcome.run.exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_truncated_image_stops_the_run_if_told_so(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], workers: int
) -> None:
    path = photo_tree() / "bee" / "1.png"
    path.write_bytes(path.read_bytes()[:60])
    outcome = command(*folder_words, "--data.on_bad_image=raise", f"--data.num_workers={workers}")
    assert outcome.code == 1
    assert_one_sentence(outcome.error)
    assert "Expected a readable image at photos/bee/1.png" in outcome.error
    assert not (outcome.run / "results.json").exists()


def test_nothing_but_unreadable_images(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path]
) -> None:
    for path in photo_tree().rglob("*.png"):
        path.write_bytes(b"no image")
    for _ in range(2):  # when asked again there is nothing left to compute, and still nothing to tell
        outcome = command(*folder_words)
        assert outcome.code == 1
        assert_one_sentence(outcome.error)
        assert "Expected images to explain, found 6 that cannot be read" in outcome.error
        assert not (outcome.run / "results.json").exists()


def test_folder_that_cannot_be_written(command: Callable[..., Any], predict_words: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder would be")
    outcome = command(*predict_words)
    assert outcome.code == 1
    assert_one_sentence(outcome.error)
    assert "runs" in outcome.error


def test_interrupt_keeps_what_is_finished(
    command: Callable[..., Any], predict_words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = MutualKnowledge.explain_group

    def interrupt_at_second(self: MutualKnowledge, group: Any) -> Any:
        if group.class_index == 1:
            raise KeyboardInterrupt
        return original(self, group)

    monkeypatch.setattr(MutualKnowledge, "explain_group", interrupt_at_second)
    monkeypatch.setattr(
        "lightning.pytorch.trainer.call.signal.signal", lambda *args: None
    )  # Lightning shuts Ctrl-C off
    outcome = command(*predict_words)
    assert outcome.code == 130
    assert outcome.error.endswith("mkbench: interrupted; the finished class groups are kept.\n")
    assert [path.stem for path in (outcome.run / "groups").iterdir()] == ["00000-000"]


# -- a user's own classes ----------------------------------------------------------------------------------------------


def test_own_backbone_and_explainer_by_class_path(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    photo_tree()
    model = {
        "class_path": "mkbench.systems.MutualKnowledge",
        "init_args": {
            "backbone": {"class_path": "toy_classes.ColourBackbone", "init_args": {"width": 6}},
            "explainers": [
                {"class_path": "toy_classes.WholeForeground", "init_args": {"topk": 3}},
                {"class_path": "mkbench.concepts.PartsExplainer", "init_args": {"name": "kmeans", "pool": 6}},
            ],
            "num_language_concepts": 5,
            "refine": "none",
        },
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"model": model}))
    words = [word for word in folder_words if not word.startswith("--model.")]
    outcome = command(words[0], words[1], "--config=own.yaml", *words[2:])
    assert (outcome.code, outcome.error) == (0, "")
    own = outcome.__class__(outcome.code, "", "", outcome.run.parent / "colours").results()
    assert own["model"]["name"] == "colours"
    assert own["settings"]["explainers"]["whole"] == {"topk": 3}
    assert {metric["explainer"] for metric in own["metrics"]} == {None, "whole", "kmeans"}
    assert len(own["curves"]["mutual_information"]["whole"]) == 4  # three concepts and the end


# -- processes ---------------------------------------------------------------------------------------------------------


def in_processes(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkbench", *words],
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_two_processes_give_the_results_of_one(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    # Five groups for two processes: one has three of them, the other two.
    words = [*predict_words, "--data.limit_classes=5"]
    alone = command(*words, "--results.root=alone").run.parents[1] / "alone" / "tiny"
    both = [*words, "--trainer.devices=2", "--trainer.strategy=ddp"]
    run = tmp_path / "runs" / "tiny"
    finished = in_processes(both, tmp_path)
    assert finished.returncode == 0, finished.stderr
    names = ["results.json", "manifest.json", *(f"groups/{path.name}" for path in (alone / "groups").iterdir())]
    assert len(names) == 7
    for name in names:
        assert (run / name).read_bytes() == (alone / name).read_bytes(), name
    assert not [path for path in run.rglob(".*") if path.is_file()]


def test_command_says_one_sentence_and_its_exit_code(predict_words: list[str], tmp_path: Path) -> None:
    finished = in_processes([*predict_words, "--model.backbone=ViT-B-16x"], tmp_path)
    assert finished.returncode == 2
    assert_one_sentence(finished.stderr)


def test_terminal_without_arrows_ends_no_command(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", "from mkbench.cli import main as m; m._dispatch = lambda w: print('→'); m.main([])"],
        env={**os.environ, **ENVIRONMENT, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "?\n", "")


def test_what_was_left_out_is_said_and_counted(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    root = photo_tree()
    (root / "ant" / "broken.png").write_bytes(b"no image")
    for name in ("ant/notes.txt", "bee/photo.heic", "bee/.hidden"):
        (root / name).touch()
    outcome = command(*folder_words)
    assert outcome.code == 0
    assert "1 of 7 images could not be read and are left out; the first: " in outcome.output
    assert (
        "left out beside the images, since they are no images by their suffixes: 2; `mkbench doctor`" in outcome.output
    )
    (results,) = (tmp_path / "runs").glob("*/results.json")
    assert json.loads(results.read_text())["data"]["not_images"] == 2


def test_one_class(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path
) -> None:
    photo_tree(["ant"])
    outcome = command(*folder_words)
    assert (outcome.code, outcome.error) == (0, "")
    (results,) = (tmp_path / "runs").glob("*/results.json")
    names = {metric["name"] for metric in json.loads(results.read_text())["metrics"]}
    assert {"top1", "mutual_information_auc"} <= names
    assert not [name for name in names if "excess" in name or "chance" in name]  # there is no other class
    assert "nan" not in outcome.output
