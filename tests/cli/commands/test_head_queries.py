from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from toy_data import CONFIGS

from mkbench import load_backbone
from mkbench.backbones import Backbone
from mkbench.cli.main import main
from mkbench.datamodules import Critters
from mkbench.datamodules.resizing import resize_image
from mkbench.heads import HeadContributions, decompose
from mkbench.studies.head_queries.read_head import read_head
from mkbench.systems import base

QUERY = "test/mavvik/0001"
KINDS, IMAGES = 3, 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled run of the last two of three layers, over three images each of three kinds of critters."""
    folder = tmp_path_factory.mktemp("finished")
    words = [
        "predict",
        f"--config={CONFIGS / 'critters' / 'heads.yaml'}",
        "--model.backbone=critters-vit-m",
        "--model.num_layers=2",
        f"--data.images_per_class={IMAGES}",
        f"--data.limit_classes={KINDS}",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
    ]
    assert main([*words, f"--results.root={folder}"]) == 0
    run = folder / "critters-vit-m"
    labels = ("shape", "colour", None)
    heads = [
        {"layer": layer, "head": head, "label": label} for layer in layers_of(run) for head, label in enumerate(labels)
    ]
    (run / "labels.json").write_text(json.dumps({"heads": heads}))
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A finished run that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("critters-vit-m")


def layers_of(run: Path) -> list[int]:
    layers: list[int] = json.loads((run / "manifest.json").read_text())["settings"]["layers"]
    return layers


def document(run: Path) -> dict[str, Any]:
    """The data of the only answer."""
    (path,) = (run / "analyses").glob("*.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def pixels(backbone: Backbone, sample_id: str = QUERY) -> Tensor:
    kind = Critters().class_names.index(sample_id.split("/")[1])
    return resize_image(Critters().source.read(kind, sample_id), backbone.geometry, "squash")


def terms_of(backbone: Backbone, sample_id: str = QUERY) -> HeadContributions:
    return decompose(backbone, pixels(backbone, sample_id)[None], tokens=True)


def bank(run: Path) -> tuple[list[str], Tensor]:
    """The names of all images, and what the heads add to their embeddings of unit length, (images, L, H, d)."""
    files = [load_file(path) for path in sorted((run / "contributions").glob("*.safetensors"))]
    heads, embedding = (torch.cat([file[name] for file in files]).double() for name in ("heads", "embedding"))
    names = [f"test/{kind}/{i:04d}" for kind in Critters().class_names[:KINDS] for i in range(IMAGES)]
    return names, heads / embedding.norm(dim=-1)[:, None, None, None]


def check_neighbors(run: Path, expected: Tensor, *, without: str | None, top: int) -> None:
    """Compare an answer with the scores of all images."""
    names, _ = bank(run)
    order = [i for i in expected.argsort(descending=True).tolist() if names[i] != without][:top]
    found = document(run)["result"]["neighbors"]
    assert [one["id"] for one in found] == [names[i] for i in order]
    assert [one["index"] for one in found] == order
    assert [one["score"] for one in found] == pytest.approx(expected[order].tolist(), rel=1e-4, abs=1e-7)


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("similarity", "name"), [("dot", "colour"), ("cosine", "Colours")])
def test_neighbors_by_property(
    command: Callable[..., Any], run: Path, backbone: Backbone, similarity: str, name: str
) -> None:
    outcome = command(
        "heads", "property-neighbors", run, "--image", QUERY, "--property", name, "--similarity", similarity
    )
    assert (outcome.code, outcome.error) == (0, "")
    assert "Nearest images: colour, 2 heads" in outcome.output
    assert document(run)["result"]["heads"] == [{"layer": layer, "head": 1} for layer in layers_of(run)]
    terms = terms_of(backbone)
    written = terms.heads.double().sum(dim=2)[0, :, 1] / terms.embedding.norm()  # (layers, d)
    query, rows = written[layers_of(run)].mean(dim=0), bank(run)[1][:, :, 1].mean(dim=1)
    expected = rows @ query if similarity == "dot" else F.cosine_similarity(rows, query[None])
    check_neighbors(run, expected, without=QUERY, top=8)


def test_neighbors_of_an_image_by_head(command: Callable[..., Any], run: Path, backbone: Backbone) -> None:
    layer = layers_of(run)[1]
    outcome = command("heads", "image-neighbors", run, "--image", QUERY, "--head", f"{layer}.1", "--top=4")
    assert (outcome.code, outcome.error) == (0, "")
    terms = terms_of(backbone)
    query = terms.heads.double()[0, layer, :, 1].sum(dim=0) / terms.embedding.norm()
    check_neighbors(run, bank(run)[1][:, 1, 1] @ query, without=QUERY, top=4)
    question = {"head": [layer, 1], "image": QUERY, "top": 4, "similarity": "dot"}
    assert document(run)["question"] == question
    (figure,) = (run / "analyses").glob("*.png")
    assert figure.name.startswith(f"image-neighbors_{layer}-1_test-mavvik-0001_4_dot_")
    assert figure.with_suffix(".pdf").is_file()
    assert str(figure) in outcome.output


def test_neighbors_of_a_text_by_head(command: Callable[..., Any], run: Path, backbone: Backbone) -> None:
    layer = layers_of(run)[0]
    outcome = command("heads", "text-neighbors", run, "--text", " a night sky ", "--head", f"{layer}.0")
    assert (outcome.code, outcome.error) == (0, "")
    text = F.normalize(backbone.encode_text(["a night sky"]).double(), dim=-1)[0]
    check_neighbors(run, bank(run)[1][:, 0, 0] @ text, without=None, top=8)


@pytest.mark.parametrize("head", [None, (0, 1)])
def test_map_of_a_text(
    command: Callable[..., Any], run: Path, backbone: Backbone, head: tuple[int, int] | None
) -> None:
    words = [] if head is None else ["--head", f"{head[0]}.{head[1]}"]
    outcome = command("heads", "topic-segmentation", run, "--image", QUERY, "--text", "red wings", *words)
    assert (outcome.code, outcome.error) == (0, "")
    terms = terms_of(backbone)
    unit = terms.heads.double()[0, :, 1:] / terms.embedding.norm()  # (layers, patches, heads, d)
    text = F.normalize(backbone.encode_text(["red wings"]).double(), dim=-1)[0]
    values = unit.sum(dim=(0, 2)) @ text if head is None else unit[head[0], :, head[1]] @ text
    (found,) = document(run)["result"]["maps"]
    torch.testing.assert_close(torch.tensor(found["values"]), values.float().view(backbone.grid), atol=1e-6, rtol=1e-4)
    row, column = divmod(int(values.argmax()), backbone.grid[1])
    side = backbone.geometry.size // backbone.grid[0]
    line = next(line for line in outcome.output.splitlines() if line.strip().startswith("red wings "))
    shown = f"{row + 1} {column + 1} {side * column}–{side * (column + 1)} {side * row}–{side * (row + 1)}"
    assert line.split()[2:-1] == shown.split()


def test_maps_of_two_texts(command: Callable[..., Any], run: Path, backbone: Backbone) -> None:
    texts = ["a red animal", "grass"]
    outcome = command("heads", "contrastive-segmentation", run, "--image", QUERY, "--texts", *texts)
    assert (outcome.code, outcome.error) == (0, "")
    terms = terms_of(backbone)
    patches = terms.heads.double()[0, :, 1:].sum(dim=(0, 2)) / terms.embedding.norm()
    rows = F.normalize(backbone.encode_text(texts).double(), dim=-1)
    one, other = patches @ rows[0], patches @ rows[1]
    first, second = document(run)["result"]["maps"]
    assert (first["title"], second["title"]) == ("a red animal − grass", "grass − a red animal")
    torch.testing.assert_close(torch.tensor(first["values"]).flatten(), (one - other).float(), atol=1e-6, rtol=1e-4)
    assert torch.equal(torch.tensor(first["values"]), -torch.tensor(second["values"]))


# -- images ----------------------------------------------------------------------------------------------------------


def test_image_file_goes_the_way_of_the_data(command: Callable[..., Any], run: Path) -> None:
    image = Critters().source.read(2, QUERY)
    Image.fromarray(image.permute(1, 2, 0).numpy()).save("mine.png")
    layer = layers_of(run)[0]
    words = ["heads", "image-neighbors", run, "--head", f"{layer}.0", "--similarity=cosine", "--image"]
    assert command(*words, "mine.png", "--out=by-file.png").code == 0
    assert command(*words, QUERY, "--out=by-id").code == 0
    by_file, by_id = (json.loads(Path(f"{name}.json").read_text()) for name in ("by-file", "by-id"))
    first, *others = by_file["result"]["neighbors"]  # the file has no sample id, so it finds its twin
    assert first["id"] == QUERY
    assert first["score"] == pytest.approx(1, abs=1e-5)
    assert others == by_id["result"]["neighbors"][: len(others)]
    assert not (run / "analyses").exists()
    assert sorted(path.name for path in Path().glob("by-*")) == [
        f"by-{how}.{suffix}" for how in ("file", "id") for suffix in ("json", "pdf", "png")
    ]


def test_another_image_of_the_same_name_has_files_of_its_own(command: Callable[..., Any], run: Path) -> None:
    words = ["heads", "topic-segmentation", run, "--image", "same.png", "--text", "чайка"]
    for count, colour in enumerate(("green", "yellow"), 1):
        Image.new("RGB", (40, 30), colour).save("same.png")
        assert command(*words).code == 0
        before = {path.name: path.read_bytes() for path in (run / "analyses").iterdir()}
        assert len(before) == 3 * count
    assert command(*words).code == 0  # the same question again
    assert {path.name: path.read_bytes() for path in (run / "analyses").iterdir()} == before


def test_model_is_loaded_once(command: Callable[..., Any], run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(base, "load_backbone", lambda *args, **more: calls.append(args) or load_backbone(*args, **more))
    assert command("heads", "topic-segmentation", run, "--image", QUERY, "--text", "an owl").code == 0
    assert len(calls) == 1


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "property-neighbors RUN --image test/mavvik/0007 --property colour",
            "test/mavvik/0007', which is neither",
        ),
        (
            "property-neighbors RUN --image ID --property size",
            "with how many of them, colour (2), shape (2).",
        ),
        ("property-neighbors RUN --image ID --property colour --top 0", "Expected --top of 1 or more, found 0"),
        ("image-neighbors RUN --image ID --head 9.0", "heads 0 to 2, found 9.0; give one of these."),
        ("image-neighbors RUN --image ID --head 0.0", "heads 0 to 2, found 0.0; give one of these."),
        ("image-neighbors RUN --image ID --head three", "Expected --head LAYER.HEAD, both numbers from 0, such as 3.2"),
        ("image-neighbors RUN --image notes.txt --head LAST.0", "at notes.txt, found something that is no image"),
        ("image-neighbors RUN --image . --head LAST.0", "Expected a readable image at ., found"),
        ("text-neighbors RUN --text _ --head LAST.0", "a text of at least one word, found an empty one"),
        (
            "text-neighbors RUN --text LONG --head LAST.0",
            "texts that critters-vit-m reads whole, found a longer",
        ),
        ("topic-segmentation RUN --image ID --text _", "a text of at least one word, found an empty one"),
        (
            "topic-segmentation RUN --image ID --text owl --head 0.3",
            "heads 0 to 2, found 0.3; give one of these.",
        ),
        (
            "contrastive-segmentation RUN --image ID --texts owl owl",
            "two different texts in --texts, found 'owl'",
        ),
        (
            "contrastive-segmentation RUN --image ID --texts owl _",
            "a text of at least one word, found an empty",
        ),
        ("topic-segmentation . --image ID --text owl", "folder of a finished run with results.json, found none at ."),
    ],
)
def test_mistakes_are_said_in_one_sentence(
    command: Callable[..., Any], finished: Path, words: str, message: str
) -> None:
    Path("notes.txt").write_text("no image")
    named = {"RUN": finished, "ID": QUERY, "_": " ", "LONG": "an owl " * 200}
    last = str(layers_of(finished)[-1])
    outcome = command("heads", *(named.get(word, word.replace("LAST", last)) for word in words.split()))
    assert outcome.code in {1, 2}
    assert outcome.output == ""
    assert outcome.error.startswith("mkbench: ")
    assert outcome.error.count("\n") == 1
    assert message in outcome.error
    assert not (finished / "analyses").exists()


def test_heads_without_labels_have_no_properties(command: Callable[..., Any], run: Path) -> None:
    (run / "labels.json").unlink()
    outcome = command("heads", "property-neighbors", run, "--image", QUERY, "--property", "colour")
    assert outcome.code == 2
    assert f"labels.json, found none; run `mkbench heads {run.as_posix()}` first." in outcome.error


def test_other_weights_are_refused(command: Callable[..., Any], run: Path) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"]["init_args"]["backbone"] = "critters-vit-s"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    outcome = command("heads", "topic-segmentation", run, "--image", QUERY, "--text", "an owl")
    assert outcome.code == 1
    assert "with the weights that" in outcome.error


def test_head_in_words() -> None:
    assert read_head("11.10") == (11, 10)
