from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from toy_data import CONFIGS
from toy_features import CLASSES, DIM, make_inputs, make_record, make_set, shrink_baseline

from mkbench import load_backbone
from mkbench.baselines import LFCBM, MMCBM, LinearProbe, MMProtoSim, load_head, save_head
from mkbench.datamodules import ImageFolder, UnlabelledFolder
from mkbench.errors import UsageError
from mkbench.runs.group_files import finished_groups, read_group
from mkbench.systems import BaselineAccuracy

#: What is small: 8 images, two of each of four kinds, which are those that the trainings test on.
SMALL = [
    "--data.images_per_class=2",
    "--data.limit_classes=4",
    "--data.num_workers=0",
    "--trainer.accelerator=cpu",
    "--progress.enabled=false",
]
FILES = [f"runs/baselines/{name}.safetensors" for name in ("linear-probe", "lf-cbm", "mm-cbm", "mm-protosim")]


@pytest.fixture
def table5(command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs `mkbench bench` on table5.yaml with the tiny model."""
    config = yaml.safe_load((CONFIGS / "critters" / "table5.yaml").read_text(encoding="utf-8"))
    recipes = {}
    for recipe, options in config["train"].items():
        content = yaml.safe_load((CONFIGS / "critters" / recipe).read_text(encoding="utf-8"))
        shrink_baseline(content, model=tiny_model, cache=tmp_path / "cache")
        (tmp_path / Path(recipe).name).write_text(yaml.safe_dump(content), encoding="utf-8")
        recipes[Path(recipe).name] = options
    protocol = str(CONFIGS / "critters" / config["protocol"])
    content = {"protocol": protocol, "models": [f"local-dir:{tiny_model}"], "train": recipes}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def run(*words: str) -> Any:
        return command("bench", "--config=bench.yaml", "--out=runs", *SMALL, *words)

    return run


def test_table_5_from_training_to_the_printed_table(
    table5: Callable[..., Any], command: Callable[..., Any], tmp_path: Path
) -> None:
    outcome = table5("--train.trainer.max_epochs=1")
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    values = {(metric["name"], metric["explainer"]): metric["value"] for metric in results["metrics"]}
    # The trainings have measured the same images, with features rounded to half precision.
    heads = {trained.head.name: trained for trained in (load_head(tmp_path / file) for file in FILES)}
    assert {name: values["top1", name] for name in heads} == pytest.approx(
        {name: trained.top1 for name, trained in heads.items()}, abs=0.126
    )
    assert list(results["settings"]["heads"]) == list(heads)
    told = results["settings"]["heads"]["mm-cbm"]
    assert told["file_sha256"] == heads["mm-cbm"].sha256
    assert told["training"]["steps"] == 3  # one epoch, as the command line says, of 12 images in batches of 4
    assert (told["features"], results["settings"]["heads"]["lf-cbm"]["features"]) == ("keys", "tokens")
    for name in ("zero-shot", "linear probe", "LF-CBM", "MM-CBM", "MM-ProtoSim"):
        assert name in outcome.output
    assert "Shares of 8 images" in outcome.output
    assert (tmp_path / "runs" / "classifiers.csv").is_file()
    again = command("compare", "runs", "--out=table")
    assert (again.code, again.error) == (0, "")
    assert (tmp_path / "table" / "classifiers.md").read_text() == (tmp_path / "runs" / "classifiers.md").read_text()
    verified = command("verify", "runs", "--against=mutual-knowledge-table5")
    assert verified.code == 3
    assert "model not in the table" in verified.output

    before = (outcome.run / "results.json").read_bytes()
    key = finished_groups(outcome.run)[1]
    kept = read_group(outcome.run / "groups" / f"{key}.parquet").rows
    (outcome.run / "groups" / f"{key}.parquet").unlink()
    assert table5().code == 0
    assert (outcome.run / "results.json").read_bytes() == before
    assert read_group(outcome.run / "groups" / f"{key}.parquet").rows.equals(kept)

    rows = [read_group(outcome.run / "groups" / f"{key}.parquet").rows for key in finished_groups(outcome.run)]
    right = [flag for group in rows for flag in group["top1_mm-cbm"].to_pylist()]
    assert values["top1", "mm-cbm"] == np.mean(right)


@pytest.fixture
def toy_files(tiny_model: Path, tmp_path: Path) -> list[Path]:
    """Four untrained heads that call the tiny model theirs."""
    fingerprint = load_backbone(f"local-dir:{tiny_model}").fingerprint
    torch.manual_seed(0)
    heads = [kind(make_inputs()) for kind in (LinearProbe, LFCBM, MMCBM, MMProtoSim)]
    for head in heads:
        save_head(tmp_path / f"{head.name}.safetensors", head, make_record(fingerprint))
    return [tmp_path / f"{head.name}.safetensors" for head in heads]


def test_heads_must_be_of_different_kinds(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match=r"a trained head or several of different kinds, found none; name one"):
        BaselineAccuracy(f"local-dir:{tiny_model}", [])


def test_two_heads_of_a_kind_and_another_model_are_refused(
    toy_files: list[Path], tiny_model: Path, other_weights: Path
) -> None:
    with pytest.raises(UsageError, match=r"of different kinds, found \['lf-cbm', 'lf-cbm'\]"):
        BaselineAccuracy(f"local-dir:{tiny_model}", [toy_files[1], toy_files[1]])
    with pytest.raises(UsageError, match=r"Expected colours in the precision that .* was trained with, found tiny"):
        BaselineAccuracy(f"local-dir:{other_weights}", toy_files)


def test_other_data_is_refused(toy_files: list[Path], tiny_model: Path, photo_tree: Callable[..., Path]) -> None:
    system = BaselineAccuracy(f"local-dir:{tiny_model}", toy_files, text_cache="off")
    root = photo_tree()
    (root / "bank.json").write_text(json.dumps(["a wing", "an ear"]), encoding="utf-8")
    with pytest.raises(UsageError, match=r"Expected the concept bank that .* was trained with \(bbbbbbbbbbbb\), found"):
        system.prepare(ImageFolder(root, bank=root / "bank.json"))
    with pytest.raises(UsageError, match="whose class is known, found some without labels"):
        system.prepare(UnlabelledFolder(root, bank=root / "bank.json", class_names=root / "names.txt"))


def test_class_of_an_image_does_not_depend_on_those_beside_it(toy_files: list[Path], tiny_model: Path) -> None:
    system = BaselineAccuracy(f"local-dir:{tiny_model}", toy_files).eval()
    features = make_set(images=7)[0].features  # (1, patches, width)
    generator = torch.Generator().manual_seed(0)
    features = features + torch.randn(19, *features.shape[1:], generator=generator)
    embedding = torch.randn(19, DIM, generator=generator)
    for name in system.heads:
        together = system._ask(name, features, embedding)
        alone = [system._ask(name, features[at : at + 1], embedding[at : at + 1]) for at in range(19)]
        assert together.shape == (19, CLASSES)
        # Batches of another size differ by rounding, far less than the scores of these random features.
        assert torch.equal(together[:, 0], torch.cat(alone)[:, 0])


def test_results_say_how_heads_were_trained(toy_files: list[Path], tiny_model: Path) -> None:
    told = BaselineAccuracy(f"local-dir:{tiny_model}", toy_files).settings()
    assert list(told["heads"]) == ["linear-probe", "lf-cbm", "mm-cbm", "mm-protosim"]
    assert told["heads"]["mm-cbm"]["options"] == {"width": 512}
    assert told["heads"]["lf-cbm"]["training"] is None  # an earlier file does not say
