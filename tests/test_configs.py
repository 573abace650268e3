"""Every configuration under `configs/` is run, on generated data and with the tiny model; none can be forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from data_trees import write_food101, write_imagenet, write_places365
from packed_pictures import write_flat, write_names, write_saved, write_shards
from toy_data import CONFIGS, DESCRIPTORS
from toy_features import shrink_baseline

from mkbench import load_backbone
from mkbench.backbones import find_model
from mkbench.baselines import load_head
from mkbench.datamodules.imagenet import load_imagenet_classes
from mkbench.verbs.bench import read_config
from mkbench.verbs.boost import read_boost

ALL = sorted(CONFIGS.rglob("*.yaml"))
PACKED = ["--data.bank=bank.json", "--data.class_names=names.txt"]
#: Options that make a data set small, by the name of its class.
SMALL = {
    "Critters": ["--data.images_per_class=2"],
    "Food101": ["--data.root=food", "--data.bank=bank.json"],
    "HuggingFace": ["--data.path=packed", *PACKED],
    "ImageFolder": ["--data.root=photos", "--data.bank=bank.json"],
    "ImageNet": ["--data.root=imagenet", "--data.bank=bank.json"],
    "PictureFolder": ["--data.root=packed", *PACKED],
    "Places365": ["--data.root=places", "--data.bank=bank.json"],
    "WebDataset": ["--data.shards=packed", *PACKED],
}
KINDS = ("predict", "bench", "fit", "baseline", "describe", "heads", "boost")
#: Explainers of the configurations that list their own.
EXPLAINERS = {
    "faithfulness": {"pca", "kmeans", "mm-cbm", "mm-protosim", "feature-maps", "random"},
    "saliency_methods": {"pca", "gradcam", "rollout", "random"},
    "truth": {"pca", "kmeans", "random"},
}
#: Options of small runs that systems without explainers do not have.
ONLY_MINING = ("--model.num_language_concepts=5", "--model.pool=6")
#: The classes that a bank for `mkbench boost` has descriptors of; the others have none.
DESCRIBED = {"Food101": ["apple pie", "baklava"], "ImageNet": ["tench", "goldfish"]}
#: What leaves four pictures where there are no classes to choose from.
LIMITS = {"PictureFolder": "--data.limit_images=4"}


def kind_of(content: dict[str, Any]) -> str:
    if "protocol" in content:
        return "boost" if "split" in content else "bench"
    system = content["model"]["class_path"].rpartition(".")[2]
    kinds = {
        "BaselineTraining": "baseline",
        "ContrastiveTraining": "fit",
        "DescriptionZeroShot": "describe",
        "HeadDecomposition": "heads",
    }
    return kinds.get(system, "predict")


def of_kind(kind: str) -> list[Any]:
    chosen = [path for path in ALL if kind_of(yaml.safe_load(path.read_text(encoding="utf-8"))) == kind]
    return [pytest.param(path, id=str(path.relative_to(CONFIGS))) for path in chosen]


def class_of_data(content: dict[str, Any]) -> str:
    name: str = content["data"]["class_path"].rpartition(".")[2]
    return name


@pytest.fixture
def write_data(
    tmp_path: Path, photo_tree: Callable[..., Path], write_bank: Callable[[], Path]
) -> Callable[[dict[str, Any]], None]:
    """Writes what a configuration reads: two pictures of each of the first two classes, and a bank."""

    def packed(write: Callable[[Path, Path], object]) -> None:
        write_names(tmp_path / "names.txt", ["ant", "bee", "cat"])
        write(photo_tree(), tmp_path / "packed")

    def huggingface() -> None:
        pytest.importorskip("datasets")
        packed(write_saved)

    def imagenet() -> None:
        wnids = list(load_imagenet_classes())
        write_imagenet(tmp_path / "imagenet", [*wnids[:2], *wnids])

    trees: dict[str, Callable[[], object]] = {
        "Critters": lambda: None,
        "Food101": lambda: write_food101(tmp_path / "food", ["apple_pie", "baklava", "waffles"]),
        "HuggingFace": huggingface,
        "ImageFolder": photo_tree,
        "ImageNet": imagenet,
        "PictureFolder": lambda: packed(write_flat),
        "Places365": lambda: write_places365(tmp_path / "places", ["/a/alley", "/b/bar", "/z/zoo"], [0, 1, 2, 1, 0]),
        "WebDataset": lambda: packed(write_shards),
    }

    def write(content: dict[str, Any]) -> None:
        write_bank()
        trees[class_of_data(content)]()
        if "boxes" in content["data"]["init_args"]:
            lines = ["class,file,x_min,y_min,x_max,y_max", "ant,0.png,0,0,39,47", "bee,1.png,5,5,20,30"]
            (tmp_path / "boxes.csv").write_text("\n".join(lines), encoding="utf-8")

    return write


def small_predict(content: dict[str, Any], model: Path) -> list[str]:
    boxes = ["--data.boxes=boxes.csv"] if "boxes" in content["data"]["init_args"] else []
    return [
        f"--model.backbone=local-dir:{model}",
        "--model.random_weights=false",
        *ONLY_MINING,
        LIMITS.get(class_of_data(content), "--data.limit_classes=2"),
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--trainer.devices=1",
        "--progress.enabled=false",
        "--figures.samples=1",
        *SMALL[class_of_data(content)],
        *boxes,
    ]


def train_heads(protocol: dict[str, Any], command: Callable[..., Any], model: Path, folder: Path) -> None:
    """Train what the explainers of a configuration read, in the folder of the test."""
    options = protocol["model"]["init_args"]
    for explainer in options.get("explainers") or []:
        file = Path(explainer["init_args"].get("file", ""))
        if file.suffix:
            recipe = CONFIGS / "critters" / "baselines" / f"{file.stem.replace('-', '_')}.yaml"
            content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
            shrink_baseline(content, model=model, cache=folder / "cache")
            content["data"]["init_args"]["features"] = options["features"]
            (folder / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
            assert command("fit", "--config=fit.yaml").code == 0


def test_all_configurations_are_found() -> None:
    assert sum(len(of_kind(kind)) for kind in KINDS) == len(ALL) > 0


@pytest.mark.parametrize("path", of_kind("predict"))
def test_predict(
    path: Path,
    command: Callable[..., Any],
    tiny_model: Path,
    tmp_path: Path,
    write_data: Callable[[dict[str, Any]], None],
) -> None:
    if path.stem == "saliency_methods":
        pytest.importorskip("captum")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    write_data(content)
    train_heads(content, command, tiny_model, tmp_path)
    outcome = command("predict", f"--config={path}", "--results.root=runs", *small_predict(content, tiny_model))
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert results["data"]["images"] == 4
    accuracies = {None} if results["data"].get("labelled", True) else set()
    explainers = EXPLAINERS.get(path.stem, {"pca", "kmeans"})
    assert {metric["explainer"] for metric in results["metrics"]} == explainers | accuracies


@pytest.mark.parametrize("path", of_kind("bench"))
def test_bench(
    path: Path,
    command: Callable[..., Any],
    tiny_model: Path,
    tmp_path: Path,
    write_data: Callable[[dict[str, Any]], None],
) -> None:
    config = read_config(path)
    assert all(find_model(model["backbone"]) for model in config.models)
    own = {"protocol": str(config.protocol), "models": [f"local-dir:{tiny_model}"]}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    content = yaml.safe_load(config.protocol.read_text(encoding="utf-8"))
    write_data(content)
    train_heads(content, command, tiny_model, tmp_path)
    small = small_predict(content, tiny_model)
    if kind_of(content) != "predict":
        small = [word for word in small if word not in ONLY_MINING]
    outcome = command("bench", "--config=bench.yaml", "--out=runs", *small[1:])
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.results()["data"]["images"] == 4


@pytest.mark.parametrize("path", of_kind("describe"))
def test_describe(
    path: Path, command: Callable[..., Any], tiny_model: Path, write_data: Callable[[dict[str, Any]], None]
) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    write_data(content)
    words = [word for word in small_predict(content, tiny_model) if word not in ONLY_MINING]
    outcome = command("predict", f"--config={path}", "--results.root=runs", *words)
    assert (outcome.code, outcome.error) == (0, "")
    assert [metric["name"] for metric in outcome.results()["metrics"]] == ["top1", "top1_descriptors"]


@pytest.mark.parametrize("path", of_kind("heads"))
def test_heads(
    path: Path, command: Callable[..., Any], tiny_model: Path, write_data: Callable[[dict[str, Any]], None]
) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    write_data(content)
    words = [word for word in small_predict(content, tiny_model) if word not in ONLY_MINING]
    outcome = command("predict", f"--config={path}", "--results.root=runs", *words)
    assert (outcome.code, outcome.error) == (0, "")
    assert [metric["name"] for metric in outcome.results()["metrics"]] == ["top1", "top5"]
    assert command("heads", "runs/tiny").code == 0
    assert {"entanglement", "association", "top1_reconstructed"} <= {
        metric["name"] for metric in outcome.results()["metrics"]
    }


@pytest.mark.parametrize("path", of_kind("boost"))
def test_boost(
    path: Path,
    command: Callable[..., Any],
    tiny_model: Path,
    tmp_path: Path,
    write_data: Callable[[dict[str, Any]], None],
) -> None:
    config = read_boost(path)
    assert all(find_model(model["backbone"]) for model in config.models)
    protocol = yaml.safe_load(config.protocol.read_text(encoding="utf-8"))
    write_data(protocol)
    described = {name: DESCRIPTORS[start::2] for start, name in enumerate(DESCRIBED.get(class_of_data(protocol), []))}
    (tmp_path / "bank.json").write_text(json.dumps(described), encoding="utf-8")
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    # One picture of each class to mine from, and the two that all generated data has for everything else.
    own |= {"mining": {**own["mining"], "limit_images_per_class": 1}} if "mining" in own else {}
    own |= {"protocol": str(config.protocol), "models": [f"local-dir:{tiny_model}"]}
    (tmp_path / "boost.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    small = small_predict(protocol, tiny_model)[1:]
    outcome = command("boost", "--config=boost.yaml", "--out=runs", *small, "--model.mined_per_class=2")
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert (results["settings"]["split"], results["settings"]["chosen"]) == (config.split, True)
    assert results["data"]["images"] == 4
    assert config.split in outcome.output


@pytest.mark.parametrize("path", of_kind("fit"))
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*before.*optimizer.step")
def test_fit(path: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    (export,) = content["trainer"]["callbacks"]
    assert export["init_args"]["folder"] == f"mkbench/assets/critters/{path.stem}"
    export["init_args"]["folder"] = str(tmp_path / path.stem)
    content["trainer"].update(max_epochs=1, max_steps=1, accelerator="cpu", enable_progress_bar=False)
    content["data"]["init_args"].update(
        train_per_class=1, train_wild=2, val_per_class=1, batch_size=16, render_workers=0
    )
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = command("fit", "--config=fit.yaml", "--trainer.limit_val_batches=1")
    assert (outcome.code, outcome.error) == (0, "")
    backbone = load_backbone(f"local-dir:{tmp_path / path.stem}")
    assert backbone.image_size == content["model"]["init_args"]["model"]["vision_cfg"]["image_size"]
    assert backbone.image_size == content["data"]["init_args"]["image_size"]


@pytest.mark.parametrize("path", of_kind("baseline"))
def test_baseline(path: Path, command: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    name = path.stem.replace("_", "-")
    assert content["trainer"]["callbacks"][0]["init_args"]["file"] == f"runs/baselines/{name}.safetensors"
    shrink_baseline(content, model=tiny_model, cache=tmp_path / "cache")
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = command("fit", "--config=fit.yaml")
    assert (outcome.code, outcome.error) == (0, "")
    trained = load_head(tmp_path / "runs" / "baselines" / f"{name}.safetensors")
    assert (trained.head.name, trained.record["backbone"]["name"]) == (name, "tiny")
    assert outcome.output == (
        f"{name}: top-1 {100 * trained.top1:.1f} % of 8 test pictures, written to runs/baselines/{name}.safetensors\n"
    )
