from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from toy_data import CONFIGS

from mkbench import load_backbone
from mkbench.cli.main import main
from mkbench.concepts import bank_embeddings
from mkbench.datamodules import Critters
from mkbench.heads.concept_heads import find_concept_heads
from mkbench.runs.group_files import read_columns

JOINT = {"concept_heads.csv", "concept_heads.md", "concept_heads.tex"}


def test_finished_runs_side_by_side(command: Callable[..., Any], predict_words: list[str], tmp_path: Path) -> None:
    run = command(*predict_words, "--data.limit_classes=2").run
    shutil.copytree(run, tmp_path / "again" / "tiny")
    outcome = command("compare", run, tmp_path / "again" / "tiny", "--out=table")
    assert (outcome.code, outcome.error) == (0, "")
    # One model twice: the folders tell the runs apart.
    assert "tiny (runs)" in outcome.output
    assert "tiny (again)" in outcome.output
    names = {path.name for path in (tmp_path / "table").iterdir()}
    assert {"table.csv", "table.tex", "ranks.csv", "pairs.csv", "pairs.md", "dynamics.png", "accuracy.pdf"} <= names
    with (tmp_path / "table" / "pairs.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert [(pair["images"], float(pair["auc"]), float(pair["top1_high"])) for pair in pairs] == [("4", 0, 0)] * 4
    assert outcome.output.count("undecided") > 2
    assert command("compare", "runs", "--out=single").code == 0  # the folder of a bench
    assert not (tmp_path / "single" / "pairs.csv").exists()


def test_unfinished_run_is_named(command: Callable[..., Any], tmp_path: Path) -> None:
    outcome = command("compare", "nowhere", "--out=table")
    assert outcome.code == 2
    assert outcome.error.startswith("mkbench: Expected the folder of a finished run with results.json, found none")
    assert not (tmp_path / "table").exists()


def test_run_that_lost_a_group_is_refused(
    command: Callable[..., Any], predict_words: list[str], tmp_path: Path
) -> None:
    run = command(*predict_words).run
    lost = run / "groups" / "00001-000.parquet"
    lost.unlink()
    outcome = command("compare", run, "--out=table")
    assert outcome.code == 1
    assert "Expected the rows of 3 class groups in" in outcome.error
    assert "found 1 missing, such as 00001-000; run its `mkbench predict` again" in outcome.error
    assert command(*predict_words).code == 0  # the advice works
    assert command("compare", run, "--out=table").code == 0


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, predict_words: list[str]) -> Path:
    """Runs of both systems of the tiny model over the same images, `mk/tiny` and `heads/tiny`."""
    folder = tmp_path_factory.mktemp("both")
    assert main([*predict_words, f"--results.root={folder / 'mk'}"]) == 0
    # The later of two options counts; what the system of heads does not have is left out.
    words = [word for word in predict_words if not word.startswith(("--config", "--model.refine"))]
    words.insert(1, f"--config={CONFIGS / 'critters' / 'heads.yaml'}")
    assert main([*words, f"--results.root={folder / 'heads'}"]) == 0
    assert main(["heads", str(folder / "heads" / "tiny")]) == 0
    return folder


def test_both_systems_of_one_model(command: Callable[..., Any], both: Path, tiny_model: Path, tmp_path: Path) -> None:
    outcome = command("compare", both / "mk", both / "heads", "--out=table")
    assert (outcome.code, outcome.error) == (0, "")
    assert "Mutual knowledge and attention heads of the same models" in outcome.output
    table = tmp_path / "table"
    assert {*JOINT, "concept_heads_by_class.csv", "table.csv", "heads.csv"} <= {path.name for path in table.iterdir()}
    assert not (table / "concept_heads.png").exists()  # one model is no figure
    with (table / "concept_heads.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["explainer"]) for row in rows] == [
        ("tiny", name) for name in ("pca", "kmeans", "random", "whole-image")
    ]
    said = {
        (metric["name"], metric["explainer"]): metric["value"]
        for system in ("mk", "heads")
        for metric in json.loads((both / system / "tiny" / "results.json").read_text())["metrics"]
    }
    for row in rows:
        assert float(row["auc"]) == said["mutual_information_auc", row["explainer"]]
        assert float(row["entanglement"]) == said["entanglement", None]
        assert float(row["high_ccs"]) == said["ccs@5", None]
    scores = expected_scores(both, tiny_model, "pca")
    with (table / "concept_heads_by_class.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["explainer"] == "pca"]
    names = Critters().class_names[:3]
    for line in lines:
        score = scores[names.index(line["class"]), int(line["layer"]), int(line["head"])]
        assert float(line["score"]) == pytest.approx(float(score), abs=1e-6)
        assert line["label"]
    assert len(lines) == 4 * int((~scores.isnan()).all(dim=(1, 2)).sum()) > 0
    assert {path.name for path in (table / "concept_heads").glob("*.png")} <= {
        f"tiny-{name}.png" for name in ("pca", "kmeans", "random", "whole-image")
    }
    assert (table / "concept_heads" / "tiny-pca.pdf").is_file()


def expected_scores(both: Path, tiny_model: Path, explainer: str) -> torch.Tensor:
    """Scores from the files of the runs, which hold the same two images of three classes each."""
    stored = [load_file(path) for path in sorted((both / "heads" / "tiny" / "contributions").iterdir())]
    means = [(each["heads"] / each["embedding"].norm(dim=-1)[:, None, None, None]).mean(dim=0) for each in stored]
    bank = Critters().bank.descriptors
    weights = torch.zeros(3, len(bank))
    columns = ("class_index", "explainer", "descriptor_ids", "hits")
    for row in read_columns(both / "mk" / "tiny", columns).to_pylist():
        if row["explainer"] == explainer:
            for concept, hit in zip(row["descriptor_ids"], row["hits"], strict=True):
                weights[row["class_index"], concept] += hit
    texts = bank_embeddings(load_backbone(f"local-dir:{tiny_model}"), bank, "a photo showing {}")
    return find_concept_heads(torch.stack(means), texts, weights).scores


def test_calling_again_gives_the_same_files_and_one_system_alone_none(
    command: Callable[..., Any], both: Path, tmp_path: Path
) -> None:
    for out in ("one", "two"):
        assert command("compare", both / "mk", both / "heads", f"--out={out}").code == 0
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path
    whole = command("compare", both / "mk", "--out=alone").output
    # What both systems left there before goes, and all else is as without them.
    assert command("compare", both / "mk", "--out=two").output == whole
    alone = {path.name for path in (tmp_path / "alone").iterdir()}
    assert {path.name for path in (tmp_path / "two").iterdir()} == {*alone, "heads.csv", "heads.md"}
    assert not alone & {*JOINT, "concept_heads_by_class.csv"}
    for name in alone:
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert {path.name for path in alone_heads(command, both, tmp_path)} == {"heads.csv", "heads.md"}


def alone_heads(command: Callable[..., Any], both: Path, tmp_path: Path) -> list[Path]:
    assert command("compare", both / "heads", "--out=only").code == 0
    return list((tmp_path / "only").iterdir())


def forget_bank(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    results["data"]["bank"]["sha256"] = "another"
    (run / "results.json").write_text(json.dumps(results))


def forget_configuration(run: Path) -> None:
    (run / "config.yaml").unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (forget_configuration, "Expected the folder of a model's run with config.yaml, found none at"),
        (forget_bank, "Expected the concept bank that"),
    ],
)
def test_concept_heads_table_stands_without_classes(
    command: Callable[..., Any], both: Path, tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    shutil.copytree(both / "mk", tmp_path / "mk")
    change(tmp_path / "mk" / "tiny")
    outcome = command("compare", "mk", both / "heads", "--out=table")
    assert outcome.code == 0
    assert f"tiny: no concept heads. {reason}" in " ".join(outcome.output.split())
    assert reason in (tmp_path / "table" / "concept_heads.md").read_text()
    assert not (tmp_path / "table" / "concept_heads_by_class.csv").exists()


def test_other_weights_of_the_configuration_are_refused(
    command: Callable[..., Any], both: Path, tiny_model: Path, other_weights: Path, tmp_path: Path
) -> None:
    shutil.copytree(both / "heads", tmp_path / "heads")
    config = tmp_path / "heads" / "tiny" / "config.yaml"
    config.write_text(config.read_text().replace(f"local-dir:{tiny_model}", f"local-dir:{other_weights}"))
    outcome = command("compare", both / "mk", "heads", "--out=table")
    assert "found others; restore them" in " ".join(outcome.output.split())
    assert (tmp_path / "table" / "concept_heads.csv").is_file()
