from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from data_trees import write_food101
from toy_data import CONFIGS, DESCRIPTORS

from mkbench.cli.commands.mined_descriptors import PHASES, MiningConfig, compose, options_of_phase, read_mining
from mkbench.datamodules.critters import CrittersSource
from mkbench.errors import UsageError

SMALL = [
    "--model.refine=components",
    "--data.limit_classes=3",
    "--data.num_workers=0",
    "--trainer.accelerator=cpu",
    "--progress.enabled=false",
    "--figures.samples=0",
]
TRAIN = {
    "split": "train",
    "protocol": str(CONFIGS / "critters" / "mutual_knowledge.yaml"),
    "mining": {"split": "train", "images_per_class": 2},
    "held_out": {"split": "train", "images_per_class": 4},
    "evaluation": {"split": "test", "images_per_class": 2},
    "descriptions": {"mined_per_class": 3},
}
PAPER = {"split": "paper", "protocol": TRAIN["protocol"], "evaluation": {"images_per_class": 2}}


@pytest.fixture
def mining(command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs `mkbench mined-descriptors`, by default with the tiny model."""

    def run(content: dict[str, Any], *options: str, models: Sequence[Any] = ()) -> Any:
        listed = list(models) or [f"local-dir:{tiny_model}"]
        (tmp_path / "mined_descriptors.yaml").write_text(
            yaml.safe_dump({**content, "models": listed}), encoding="utf-8"
        )
        return command("mined-descriptors", "--config=mined_descriptors.yaml", "--out=runs", *SMALL, *options)

    return run


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the images that are rendered, in order."""
    ids: list[str] = []
    original = CrittersSource.read
    monkeypatch.setattr(
        CrittersSource, "read", lambda self, label, name: (ids.append(name), original(self, label, name))[1]
    )
    return ids


def test_train_looks_at_no_evaluated_image_before_evaluating(
    mining: Callable[..., Any], read: list[str], tmp_path: Path
) -> None:
    outcome = mining(TRAIN)
    assert (outcome.code, outcome.error) == (0, "")
    splits = [name.split("/")[0] for name in read]
    assert splits == ["train"] * (3 * 2 + 3 * 4) + ["test"] * (3 * 2)
    assert set(read[:6]) < set(read[6:18])  # held out: what was mined from and as many others
    results = outcome.results()
    assert results["data"]["name"] == "critters-test"
    assert results["mining"]["seen"] == {"mined_from": 0, "held_out_from": 0}
    # What was mined and kept does not depend on the images that are evaluated.
    again = mining({**TRAIN, "evaluation": {"split": "test", "images_per_class": 1}}, "--overwrite")
    assert again.results()["mining"] == results["mining"]
    assert again.results()["data"]["images"] == 3


def test_train_leaves_tables_and_run_folders(mining: Callable[..., Any], tmp_path: Path) -> None:
    outcome = mining(TRAIN)
    for folder in ("mining/tiny", "held_out/tiny", "tiny"):
        assert (tmp_path / "runs" / folder / "results.json").is_file()
    ways = ("", "_descriptors", "_mined", "_shuffled", "_random")
    names = {metric["name"] for metric in outcome.results()["metrics"]}
    assert names == {f"top{k}{way}" for k in (1, 5) for way in ways}
    said = " ".join(outcome.output.split())
    assert "Split train: mined and chosen with images that are not evaluated." in said
    for word in ("tiny", "base", "descriptors", "mined"):
        assert word in said
    with (tmp_path / "runs" / "descriptor_zero_shot.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["model"], row["split"], row["decided"], row["images"]) == ("tiny", "train", "true", "6")
    assert "Split train" in (tmp_path / "runs" / "descriptor_zero_shot.md").read_text()


def test_paper_uses_the_same_images_for_everything(mining: Callable[..., Any], read: list[str]) -> None:
    outcome = mining(PAPER)
    assert (outcome.code, outcome.error) == (0, "")
    assert read[:6] == read[6:12] == read[12:]
    results = outcome.results()
    assert results["settings"]["split"] == "paper"
    assert results["mining"]["seen"] == {"mined_from": 6, "held_out_from": 6}
    assert "Split paper" in outcome.output


def test_food101_under_both_protocols(mining: Callable[..., Any], tmp_path: Path) -> None:
    write_food101(tmp_path / "food", ["apple_pie", "baklava", "waffles"], images=3)
    described = {"baklava": DESCRIPTORS[:7], "apple pie": DESCRIPTORS[5:14], "waffles": DESCRIPTORS[12:]}
    (tmp_path / "bank.json").write_text(json.dumps(described), encoding="utf-8")
    options = ["--data.root=food", "--data.bank=bank.json", "--model.num_language_concepts=5", "--model.pool=6"]
    train = yaml.safe_load((CONFIGS / "food101_mined_descriptors.yaml").read_text(encoding="utf-8"))
    train |= {"protocol": str(CONFIGS / "food101.yaml"), "mining": {"split": "train", "limit_images_per_class": 2}}
    outcome = mining(train, *options)
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert (results["data"]["name"], results["data"]["images"]) == ("food101-test", 9)
    assert results["settings"]["mined_from"]["data"] == "food101-train"
    assert results["fallbacks"]["descriptions"]["no_descriptors"] == 0  # whatever the case of the names
    assert any(entry["mined"] for entry in results["mining"]["classes"])
    outcome = mining({"split": "paper", "protocol": train["protocol"]}, *options, "--overwrite")
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.results()["mining"]["seen"] == {"mined_from": 9, "held_out_from": 9}


def test_finished_runs_are_not_computed_again(mining: Callable[..., Any], read: list[str]) -> None:
    assert mining(TRAIN).code == 0
    read.clear()
    assert mining(TRAIN).code == 0
    assert read == []


def test_evaluated_images_that_were_seen_are_refused(mining: Callable[..., Any]) -> None:
    outcome = mining({**TRAIN, "evaluation": TRAIN["held_out"]})
    assert outcome.code == 2
    assert "Expected images that the run of --model.mined_from has not seen, found 6 of 12" in outcome.error
    assert not (outcome.run / "results.json").exists()


def test_failing_model_costs_no_other(mining: Callable[..., Any], tiny_model: Path) -> None:
    outcome = mining(PAPER, models=["local-dir:nowhere", f"local-dir:{tiny_model}"])
    assert outcome.code == 1
    assert "mkbench: local-dir:nowhere failed: Expected a model folder" in outcome.error
    assert "Traceback" not in outcome.error
    assert (outcome.run / "results.json").is_file()


def test_misspelt_option_is_told_once(mining: Callable[..., Any]) -> None:
    for option in ("--data.lmit_classes=2", "--model.mined_pr_class=2"):
        outcome = mining(PAPER, option)
        assert (outcome.code, outcome.error.count("\n")) == (2, 1), option
        assert option.partition("=")[0].rpartition(".")[2] in outcome.error


def test_precision_goes_to_all_runs_and_other_options_to_whom_they_concern(mining: Callable[..., Any]) -> None:
    outcome = mining(PAPER, "--model.precision=bf16", "--model.pool", "20", "--model.mined_per_class", "1")
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert (results["model"]["precision"], results["settings"]["mined_from"]["per_class"]) == ("bf16", 1)


def test_finished_runs_are_compared_in_their_own_table(mining: Callable[..., Any], command: Callable[..., Any]) -> None:
    mining(PAPER)
    outcome = command("compare", "runs", "runs/mining", "--out=table")
    assert (outcome.code, outcome.error) == (0, "")
    assert "Split paper" in outcome.output
    assert "excess" in outcome.output  # the run that explained the images is in the other table
    assert (outcome.run.parents[1] / "table" / "descriptor_zero_shot.csv").is_file()
    outcome = command("verify", "runs/tiny", "--against=mutual-knowledge-table2")
    assert outcome.code == 3
    assert "data set critters-test, published of imagenet-val" in " ".join(outcome.output.split())


@pytest.mark.parametrize(
    ("words", "mining", "evaluation"),
    [
        (["--data.root", "a", "b"], ["--data.root", "a", "b"], ["--data.root", "a", "b"]),
        (
            ["--model.pool=9", "--trainer.devices", "2"],
            ["--model.pool=9", "--trainer.devices", "2"],
            ["--trainer.devices", "2"],
        ),
        (
            ["--model.init_args.template", "x", "--data.a=1"],
            ["--data.a=1"],
            ["--model.init_args.template", "x", "--data.a=1"],
        ),
        (["--model.precision", "bf16"], ["--model.precision", "bf16"], ["--model.precision", "bf16"]),
    ],
)
def test_words_go_where_they_belong(words: list[str], mining: list[str], evaluation: list[str]) -> None:
    assert options_of_phase(words, "mining") == mining
    assert options_of_phase(words, "held_out") == options_of_phase(words, "evaluation") == evaluation


def written(tmp_path: Path, content: Any) -> MiningConfig:
    (tmp_path / "mined_descriptors.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return read_mining(tmp_path / "mined_descriptors.yaml")


def test_every_run_has_its_images_and_the_systems_what_they_know(tmp_path: Path) -> None:
    protocol = {
        "model": {"class_path": "a.MutualKnowledge", "init_args": {"backbone": "b", "pool": 3, "precision": "bf16"}},
        "data": {"class_path": "a.Critters", "init_args": {"seed": 4, "images_per_class": 9}},
        "trainer": {"devices": 2},
        "results": {"root": "elsewhere"},
        "figures": {"samples": 3},
    }
    (tmp_path / "protocol.yaml").write_text(yaml.safe_dump(protocol), encoding="utf-8")
    other = {"class_path": "a.Others", "init_args": {"root": "there"}}
    content = {**TRAIN, "protocol": "protocol.yaml", "models": ["m"], "mining": other}
    composed = compose(written(tmp_path, content))
    assert list(composed) == list(PHASES)
    assert composed["mining"] == {"model": protocol["model"], "data": other, "trainer": {"devices": 2}}
    assert composed["held_out"]["data"]["init_args"] == {"seed": 4, "split": "train", "images_per_class": 4}
    assert composed["evaluation"]["data"]["init_args"] == {"seed": 4, "split": "test", "images_per_class": 2}
    described = {"backbone": "b", "precision": "bf16", "mined_per_class": 3, "split": "train"}
    assert composed["held_out"]["model"] == composed["evaluation"]["model"]
    assert composed["evaluation"]["model"]["init_args"] == described


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (["a"], r"Expected `split` in .*mined_descriptors.yaml to be one of train, paper, found None"),
        ({**TRAIN, "split": "test", "models": ["a"]}, "train, paper, found 'test'"),
        (
            {**PAPER, "models": ["a"], "mining": {}},
            "for split paper, .*beside them but descriptions, evaluation, found .*mining",
        ),
        ({**PAPER, "split": "train", "models": ["a"]}, "entries held_out, mining, models, protocol, split"),
        (PAPER, "to have the entries models, protocol, split"),
        ({**TRAIN, "models": ["a"], "modles": []}, "found .*modles"),
        ({**TRAIN, "models": ["a"], "mining": "train"}, "Expected `mining` in .* a mapping of options, found 'train'"),
        ({**TRAIN, "models": []}, "to be a list of names"),
    ],
)
def test_wrong_configuration_is_explained(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        written(tmp_path, content)


def test_missing_configurations(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"a configuration of `mkbench mined-descriptors` at .*, found none; check --config"
    ):
        read_mining(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match=r"a configuration of `mkbench predict` at .*none.yaml, found none"):
        compose(written(tmp_path, {**PAPER, "protocol": "none.yaml", "models": ["a"]}))
    (tmp_path / "list.yaml").write_text("[1]\n")
    with pytest.raises(UsageError, match=r"list.yaml to have `model` and `data` with a `class_path` each"):
        compose(written(tmp_path, {**PAPER, "protocol": "list.yaml", "models": ["a"]}))


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(mining: Callable[..., Any]) -> None:
    alone = mining(TRAIN).results()
    together = mining(TRAIN, "--overwrite", "--trainer.devices", "2", "--trainer.strategy=ddp")
    assert together.code == 0
    assert together.results() == alone
    assert together.output.count("Split train") == 1  # one table, not one for each process
