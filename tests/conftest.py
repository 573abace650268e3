from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from chat_server import SECRET, ChatServer
from PIL import Image
from safetensors.torch import load_file, save_file
from toy_data import CONFIGS, DESCRIPTORS

from mkbench.backbones import save_local
from mkbench.backbones.building import seeded
from mkbench.cli.main import main
from mkbench.datamodules.critters_vocabulary import write_vocabulary
from mkbench.language_models import Endpoint
from mkbench.plotting import style


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps text embeddings out of the user's cache folder, in processes that tests start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def fonts_of_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outlines in place of embedded fonts in PDFs: choosing the tables of a font takes half of a small run.

    The tests of figures override it, and the processes that tests start know nothing of it.
    """
    monkeypatch.setitem(style._STYLE, "pdf.fonttype", 3)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights: 32 pixels, 4 x 4 patches, two layers."""
    folder = tmp_path_factory.mktemp("models")
    size = write_vocabulary(folder / "vocab.bpe.gz")
    config: dict[str, Any] = {
        "model_cfg": {
            "embed_dim": 32,
            "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16},
            "text_cfg": {"context_length": 16, "vocab_size": size, "width": 32, "heads": 2, "layers": 2},
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
            "interpolation": "bilinear",
            "resize_mode": "squash",
        },
    }
    with seeded(0):
        model = open_clip.CLIP(**config["model_cfg"])
    return save_local(model, folder / "vocab.bpe.gz", config, folder / "tiny")


@pytest.fixture
def write_bank(tmp_path: Path) -> Callable[[], Path]:
    """Writes a concept bank and returns its path."""

    def write() -> Path:
        path = tmp_path / "bank.json"
        path.write_text(json.dumps(DESCRIPTORS), encoding="utf-8")
        return path

    return write


@pytest.fixture
def photo_tree(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of class folders, each with images of coloured blocks of its own."""

    def make(classes: Sequence[str] = ("ant", "bee", "cat"), images: int = 2, name: str = "photos") -> Path:
        root = tmp_path / name
        for number, label in enumerate(classes):
            (root / label).mkdir(parents=True)
            for index in range(images):
                rng = np.random.default_rng([number, index])
                blocks = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(12, 0).repeat(10, 1)
                Image.fromarray(blocks).save(root / label / f"{index}.png")
        return root

    return make


@pytest.fixture
def other_weights(tiny_model: Path, tmp_path: Path) -> Path:
    """A model folder of the same name with other weights."""
    folder = tmp_path / "other" / tiny_model.name
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "open_clip_model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, folder / "open_clip_model.safetensors")
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, what it said on standard output and error, and the model's folder."""

    code: int
    output: str
    error: str
    run: Path

    def results(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.run / "results.json").read_text(encoding="utf-8"))
        return content


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs `mkbench` with the given words, in this process and a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err, tmp_path / "runs" / "tiny")

    return run


@pytest.fixture(scope="session")
def predict_words(tiny_model: Path) -> list[str]:
    """`mkbench predict` of the tiny model on two images each of three kinds of critters, to `runs/`."""
    return [
        "predict",
        f"--config={CONFIGS / 'critters' / 'mutual_knowledge.yaml'}",
        f"--model.backbone=local-dir:{tiny_model}",
        "--model.refine=components",
        "--data.images_per_class=2",
        "--data.limit_classes=3",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
        "--figures.samples=0",
        "--results.root=runs",
    ]


@pytest.fixture
def folder_words(tiny_model: Path, write_bank: Callable[[], Path]) -> list[str]:
    """`mkbench predict` of the tiny model on the class folders in `photos/`, to `runs/`."""
    return [
        "predict",
        f"--config={CONFIGS / 'image_folder.yaml'}",
        f"--model.backbone=local-dir:{tiny_model}",
        "--model.random_weights=false",
        "--model.refine=components",
        "--model.num_language_concepts=5",
        "--model.explainers=null",  # those of the system alone, without the controls of the configuration
        "--model.pool=6",
        "--data.root=photos",
        f"--data.bank={write_bank()}",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
        "--figures.samples=0",
        "--results.root=runs",
    ]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """One thread: sums come out alike in this process and in the ones it starts."""
    torch.set_num_threads(1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A chat server on this machine; the key of the tests is set."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEST_KEY", SECRET)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture
def endpoint(server: ChatServer) -> Any:
    """Makes an endpoint on the server that gives up soon."""

    def make(**changes: Any) -> Endpoint:
        usual = {
            "model": "toy",
            "base_url": server.url,
            "api_key_variable": "TEST_KEY",
            "max_retries": 0,
            "timeout": 20,
        }
        return Endpoint(**(usual | changes))

    return make
