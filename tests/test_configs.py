"""Every configuration under `configs/` is run, on generated data and with the tiny model; none can be forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from data_trees import write_food101, write_imagenet, write_places365
from forced_kernels import BFLOAT16_ATTENTION
from packed_images import write_flat, write_names, write_saved, write_shards
from toy_data import CONFIGS, DESCRIPTORS
from toy_features import shrink_baseline

from mkbench import load_backbone
from mkbench.backbones import find_model
from mkbench.baselines import load_head
from mkbench.cli.bench_config import list_jobs, read_config
from mkbench.cli.commands.mined_descriptors import read_mining
from mkbench.cli.trainer import MkbenchCLI
from mkbench.concepts.controls import CONTROLS
from mkbench.datamodules.imagenet_classes import load_imagenet_classes
from mkbench.metrics.catalogue import CATALOGUE

ALL = sorted(CONFIGS.rglob("*.yaml"))
PACKED = ["--data.bank=bank.json", "--data.class_names=names.txt"]
#: Options that make a data set small, by the name of its class.
SMALL = {
    "Critters": ["--data.images_per_class=2"],
    "Food101": ["--data.root=food", "--data.bank=bank.json"],
    "HuggingFace": ["--data.path=packed", *PACKED],
    "ImageFolder": ["--data.root=photos", "--data.bank=bank.json"],
    "ImageNet": ["--data.root=imagenet", "--data.bank=bank.json"],
    "UnlabelledFolder": ["--data.root=packed", *PACKED],
    "Places365": ["--data.root=places", "--data.bank=bank.json"],
    "WebDataset": ["--data.shards=packed", *PACKED],
}
KINDS = ("predict", "bench", "fit", "baseline", "describe", "heads", "segmentation", "mining", "accuracy", "features")
#: Explainers of the configurations that compare others than PCA and K-means, by stem or path; all have the controls.
EXPLAINERS = {
    "explainer_families": {
        *("pca", "kmeans", "cci", "splice"),
        *("gradcam", "rollout", "grad-eclip", "legrad", "clip-surgery", "attn-lrp", "occlusion", "planted"),
        *CONTROLS,
    },
    "paper/ablation": {"pca", *CONTROLS},
    "faithfulness": {"pca", "kmeans", "mm-cbm", "mm-protosim", "feature-maps", *CONTROLS},
    "saliency_methods": {"pca", "gradcam", "rollout", *CONTROLS},
}
#: Those that need the extra `saliency`.
WITH_GRAD_CAM = ("saliency_methods", "explainer_families")
#: Options of small runs that systems without explainers do not have.
ONLY_MINING = ("--model.num_language_concepts=5", "--model.pool=6")
#: True boxes of some of the generated images.
BOXES = {
    "ImageFolder": ["ant,0.png,0,0,39,47", "bee,1.png,5,5,20,30"],
    "ImageNet": ["n01440764,ILSVRC2012_val_00000001.JPEG,0,0,9,7", "n01443537,ILSVRC2012_val_00000002.JPEG,2,2,9,5"],
}
#: Where the trainings are whose files a configuration reads.
RECIPES = {"Critters": CONFIGS / "critters" / "baselines", "ImageNet": CONFIGS / "paper" / "baselines"}
#: The classes that a bank for `mkbench mined-descriptors` has descriptors of; the others have none.
DESCRIBED = {"Food101": ["apple pie", "baklava"], "ImageNet": ["tench", "goldfish"]}
#: What leaves four images where there are no classes to choose from.
LIMITS = {"UnlabelledFolder": "--data.limit_images=4"}
#: Kinds whose runs have results -> their tests that came here so far, with the metrics of these.
SEEN: dict[str, set[str]] = {}
#: Where the tiny model has no head whose five texts fit, or changes no descriptor whose truth changes, there is nothing
#: to divide by.
SELDOM = {"concept_consistency_ratio", "intervention_direction"}


def read(path: Path) -> dict[str, Any]:
    """A configuration, and in place of a file that it names under `data` what that says."""
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(content.get("data"), str):
        content["data"] = yaml.safe_load((path.parent / content["data"]).read_text(encoding="utf-8"))
    return content


def kind_of(content: dict[str, Any]) -> str:
    if "class_path" in content:
        return "features"
    if "protocol" in content:
        return "mining" if "split" in content else "bench"
    system = content["model"]["class_path"].rpartition(".")[2]
    kinds = {
        "BaselineAccuracy": "accuracy",
        "BaselineTraining": "baseline",
        "ContrastiveTraining": "fit",
        "DescriptorZeroShot": "describe",
        "HeadDecomposition": "heads",
        "HeadSegmentation": "segmentation",
    }
    return kinds.get(system, "predict")


@cache
def kind_of_file(path: Path) -> str:
    return kind_of(yaml.safe_load(path.read_text(encoding="utf-8")))


def of_kind(kind: str) -> list[Any]:
    chosen = [path for path in ALL if kind_of_file(path) == kind]
    return [pytest.param(path, id=str(path.relative_to(CONFIGS))) for path in chosen]


def class_of_data(content: dict[str, Any]) -> str:
    name: str = content["data"]["class_path"].rpartition(".")[2]
    return name


@pytest.fixture
def write_data(
    tmp_path: Path, photo_tree: Callable[..., Path], write_bank: Callable[[], Path]
) -> Callable[[dict[str, Any]], None]:
    """Writes what a configuration reads: two images of each of the first two classes, and a bank."""

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
        "UnlabelledFolder": lambda: packed(write_flat),
        "Places365": lambda: write_places365(tmp_path / "places", ["/a/alley", "/b/bar", "/z/zoo"], [0, 1, 2, 1, 0]),
        "WebDataset": lambda: packed(write_shards),
    }

    def write(content: dict[str, Any]) -> None:
        write_bank()
        trees[class_of_data(content)]()
        if "boxes" in content["data"]["init_args"]:
            lines = ["class,file,x_min,y_min,x_max,y_max", *BOXES[class_of_data(content)]]
            (tmp_path / "boxes.csv").write_text("\n".join(lines), encoding="utf-8")

    return write


def small_predict(content: dict[str, Any], model: Path) -> list[str]:
    boxes = ["--data.boxes=boxes.csv"] if "boxes" in content["data"]["init_args"] else []
    return [
        f"--model.backbone=local-dir:{model}",
        "--model.random_weights=false",
        *(ONLY_MINING if kind_of(content) == "predict" else ()),
        LIMITS.get(class_of_data(content), "--data.limit_classes=2"),
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--trainer.devices=1",
        "--progress.enabled=false",
        f"--figures.samples={min(1, content.get('figures', {}).get('samples', 1))}",
        *SMALL[class_of_data(content)],
        *boxes,
    ]


def small_training(recipe: Path, model: Path, folder: Path) -> dict[str, Any]:
    """The configuration of a training on few images, those of `write_data`."""
    content = read(recipe)
    options = content["data"]["init_args"]
    if "images_per_class" in options["train"]["init_args"]:
        shrink_baseline(content, model=model, cache=folder / "cache")
        return content
    assert options["train"]["init_args"]["class_names"] == "imagenet"  # those of the package
    for split, limit in (("train", 1), ("test", 2)):
        own = options[split]["init_args"]
        own.update(bank="bank.json", limit_classes=2, limit_images_per_class=limit, num_workers=0)
    options["train"]["init_args"].update(root="imagenet/val")
    options["test"]["init_args"]["root"] = "imagenet"
    options.update(backbone=f"local-dir:{model}", batch_size=2, cache=str(folder / "cache"), num_language_concepts=5)
    content["trainer"].update(max_epochs=1, accelerator="cpu", enable_progress_bar=False)
    return content


def train_heads(protocol: dict[str, Any], command: Callable[..., Any], model: Path, folder: Path) -> None:
    """Train what a configuration reads, in the folder of the test."""
    options = protocol["model"]["init_args"]
    named = [explainer.get("init_args", {}).get("file") for explainer in options.get("explainers") or []]
    for file in filter(None, [*named, *options.get("files", [])]):
        recipe = RECIPES[class_of_data(protocol)] / f"{Path(file).stem.replace('-', '_')}.yaml"
        content = small_training(recipe, model, folder)
        assert content["trainer"]["callbacks"][0]["init_args"]["file"] == file
        content["data"]["init_args"]["features"] = options.get("features", "tokens")
        (folder / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        assert command("fit", "--config=fit.yaml").code == 0


@pytest.fixture(autouse=True)
def metrics_are_in_the_catalogue(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Every metric of every result that a test leaves behind stands in the catalogue."""
    yield
    names: set[str] = set()
    for path in tmp_path.rglob("results.json"):
        names |= {metric["name"] for metric in json.loads(path.read_text(encoding="utf-8"))["metrics"]}
    assert names <= CATALOGUE.keys()
    if names:
        SEEN[request.node.name] = names


def test_all_configurations_are_found() -> None:
    assert sum(len(of_kind(kind)) for kind in KINDS) == len(ALL) > 0


@pytest.fixture
def predict(
    command: Callable[..., Any], tiny_model: Path, tmp_path: Path, write_data: Callable[[dict[str, Any]], None]
) -> Callable[[Path], Any]:
    """Runs a configuration of `mkbench predict` on few images, to its end."""

    def run(path: Path) -> Any:
        content = read(path)
        write_data(content)
        train_heads(content, command, tiny_model, tmp_path)
        outcome = command("predict", f"--config={path}", "--results.root=runs", *small_predict(content, tiny_model))
        assert (outcome.code, outcome.error) == (0, "")
        return outcome

    return run


@pytest.mark.parametrize("path", of_kind("predict"))
def test_predict(path: Path, predict: Callable[[Path], Any]) -> None:
    if path.stem in WITH_GRAD_CAM:
        pytest.importorskip("captum")
    results = predict(path).results()
    assert results["data"]["images"] == 4
    accuracies = {None} if results["data"].get("labelled", True) else set()
    name = str(path.relative_to(CONFIGS).with_suffix(""))
    explainers = EXPLAINERS.get(name, EXPLAINERS.get(path.stem, {"pca", "kmeans", *CONTROLS}))
    assert explainers > set(CONTROLS)
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
    if config.protocol.stem in WITH_GRAD_CAM:
        pytest.importorskip("captum")
    assert all(find_model(model["backbone"]) for model in config.models)
    own = {"protocol": str(config.protocol), "models": [f"local-dir:{tiny_model}"]}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    content = yaml.safe_load(config.protocol.read_text(encoding="utf-8"))
    write_data(content)
    train_heads(content, command, tiny_model, tmp_path)
    outcome = command("bench", "--config=bench.yaml", "--out=runs", *small_predict(content, tiny_model)[1:])
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.results()["data"]["images"] == 4


@pytest.mark.parametrize("path", of_kind("bench"))
def test_variants_and_trainings_name_options_that_exist(path: Path) -> None:
    config = read_config(path)
    of_variant = {job.folder: job for job in list_jobs(config)}
    assert len(of_variant) == len(config.variants)
    for job in of_variant.values():
        system = MkbenchCLI(list(job.words), run=False).config.model
        if system.class_path.endswith(".MutualKnowledge"):  # no MI or AUC without both of its controls
            kinds = {explainer.class_path.rpartition(".")[2] for explainer in system.init_args.explainers}
            assert kinds >= {"RandomParts", "WholeImage"}
        assert find_model(job.model["backbone"])
    for recipe, options in config.train.items():
        MkbenchCLI(["--config", str(recipe), *(f"--{name}={value}" for name, value in options.items())], run=False)


@pytest.mark.parametrize("path", of_kind("accuracy"))
def test_accuracy(path: Path, predict: Callable[[Path], Any]) -> None:
    outcome = predict(path)
    classifiers = {metric["explainer"] for metric in outcome.results()["metrics"]}
    assert classifiers == {None, "linear-probe", "lf-cbm", "mm-cbm", "mm-protosim"}


@pytest.mark.parametrize("path", of_kind("features"))
def test_features_are_named_by_trainings(path: Path) -> None:
    trainings = [other for other in path.parent.glob("*.yaml") if other != path]
    assert trainings
    assert all(f"data: {path.name}\n" in training.read_text(encoding="utf-8") for training in trainings)


@pytest.mark.parametrize("path", of_kind("describe"))
def test_describe(path: Path, predict: Callable[[Path], Any]) -> None:
    outcome = predict(path)
    ways = ("", "_descriptors", "_shuffled", "_random")
    names = {metric["name"] for metric in outcome.results()["metrics"]}
    assert names == {f"top{k}{way}" for k in (1, 5) for way in ways}


@pytest.mark.parametrize("path", of_kind("heads"))
def test_heads(path: Path, predict: Callable[[Path], Any], command: Callable[..., Any]) -> None:
    outcome = predict(path)
    assert [metric["name"] for metric in outcome.results()["metrics"]] == ["top1", "top5"]
    assert command("heads", "runs/tiny").code == 0
    assert {"entanglement", "association", "top1_reconstructed"} <= {
        metric["name"] for metric in outcome.results()["metrics"]
    }


@pytest.mark.parametrize("path", of_kind("segmentation"))
def test_segmentation(path: Path, predict: Callable[[Path], Any], command: Callable[..., Any]) -> None:
    outcome = predict(path)
    metrics = outcome.results()["metrics"]
    assert {metric["explainer"] for metric in metrics} == {None, "heads", "attention", "random_heads"}
    assert {metric["name"] for metric in metrics if metric["explainer"]} == {
        *("pixel_accuracy", "mean_iou", "average_precision")
    }
    assert [path.name for path in (outcome.run / "figures").glob("*.png")] == ["segmentation-00000.png"]
    assert command("compare", "runs/tiny").code == 0


@pytest.mark.parametrize("path", of_kind("mining"))
def test_mining(
    path: Path,
    command: Callable[..., Any],
    tiny_model: Path,
    tmp_path: Path,
    write_data: Callable[[dict[str, Any]], None],
) -> None:
    config = read_mining(path)
    assert all(find_model(model["backbone"]) for model in config.models)
    protocol = yaml.safe_load(config.protocol.read_text(encoding="utf-8"))
    write_data(protocol)
    described = {name: DESCRIPTORS[start::2] for start, name in enumerate(DESCRIBED.get(class_of_data(protocol), []))}
    (tmp_path / "bank.json").write_text(json.dumps(described), encoding="utf-8")
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    # One image of each class to mine from, and the two that all generated data has for everything else.
    own |= {"mining": {**own["mining"], "limit_images_per_class": 1}} if "mining" in own else {}
    own |= {"protocol": str(config.protocol), "models": [f"local-dir:{tiny_model}"]}
    (tmp_path / "mined_descriptors.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    small = small_predict(protocol, tiny_model)[1:]
    outcome = command(
        "mined-descriptors", "--config=mined_descriptors.yaml", "--out=runs", *small, "--model.mined_per_class=2"
    )
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert (results["settings"]["split"], results["settings"]["chosen"]) == (config.split, True)
    assert results["data"]["images"] == 4
    assert config.split in outcome.output


@BFLOAT16_ATTENTION
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
def test_baseline(
    path: Path,
    command: Callable[..., Any],
    tiny_model: Path,
    tmp_path: Path,
    write_data: Callable[[dict[str, Any]], None],
) -> None:
    write_data({"data": read(path)["data"]["init_args"]["test"]})
    content = small_training(path, tiny_model, tmp_path)
    name = path.stem.replace("_", "-")
    file = content["trainer"]["callbacks"][0]["init_args"]["file"]
    assert file.startswith("runs/baselines/")
    assert file.endswith(f"/{name}.safetensors")
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    outcome = command("fit", "--config=fit.yaml")
    assert (outcome.code, outcome.error) == (0, "")
    trained = load_head(tmp_path / file)
    assert (trained.head.name, trained.record["backbone"]["name"]) == (name, "tiny")
    images = trained.record["test_images"]
    assert images in (4, 8)
    assert outcome.output == (f"{name}: top-1 {100 * trained.top1:.1f} % of {images} test images, written to {file}\n")


def test_every_metric_of_the_catalogue_is_in_a_result_of_these_runs() -> None:
    """The last test: it looks at what the others left."""
    kinds = ("predict", "bench", "describe", "heads", "segmentation", "mining", "accuracy")
    expected = sum(len(of_kind(kind)) for kind in kinds)
    if len(SEEN) < expected:
        pytest.skip(f"{expected - len(SEEN)} of {expected} runs were not made by this process")
    assert set().union(*SEEN.values()) >= CATALOGUE.keys() - SELDOM
