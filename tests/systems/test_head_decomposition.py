from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from packed_images import write_flat, write_names
from safetensors.torch import load_file
from toy_data import CONFIGS

from mkbench import load_backbone
from mkbench.callbacks import result_writer
from mkbench.concepts import class_embeddings
from mkbench.datamodules import Critters
from mkbench.errors import BackboneError, MkbenchError, UsageError
from mkbench.systems import HeadDecomposition

KEYS = ["00000-000", "00001-000", "00002-000"]
CONFIG = CONFIGS / "critters" / "heads.yaml"


@pytest.fixture(scope="session")
def heads_words(tiny_model: Path) -> list[str]:
    """`mkbench predict` of the heads of the tiny model on two images each of three kinds of critters, to `runs/`."""
    return [
        "predict",
        f"--config={CONFIG}",
        f"--model.backbone=local-dir:{tiny_model}",
        "--data.images_per_class=2",
        "--data.limit_classes=3",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
        "--results.root=runs",
    ]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the groups that are computed."""
    keys: list[str] = []
    original = HeadDecomposition.keep
    monkeypatch.setattr(
        HeadDecomposition,
        "keep",
        lambda self, run, group, answer: (keys.append(group.key), original(self, run, group, answer))[1],
    )
    return keys


def with_data(words: list[str], data: str, root: str, *options: str) -> list[str]:
    """The words with another data set, described in a file of the folder that the command runs in."""
    content = CONFIG.read_text(encoding="utf-8").replace("Critters", data)
    Path("other.yaml").write_text(content.replace("images_per_class: 10", f"root: {root}"), encoding="utf-8")
    kept = [word for word in words[2:] if not word.startswith("--data.")]
    return ["predict", "--config=other.yaml", *kept, "--data.num_workers=0", *options]


def contents(run: Path) -> dict[str, bytes]:
    """All files of a run whose bytes are promised, by name."""
    files = [run / "results.json", run / "manifest.json", *run.glob("groups/*"), *run.glob("contributions/*")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


def test_contributions_add_up_to_the_embeddings_by_which_images_are_classified(
    command: Callable[..., Any], heads_words: list[str], tiny_model: Path
) -> None:
    outcome = command(*heads_words)
    assert (outcome.code, outcome.error) == (0, "")
    backbone = load_backbone(f"local-dir:{tiny_model}")
    data = Critters(images_per_class=2, limit_classes=3)
    classes = class_embeddings(backbone, data.class_names, data.templates).double().numpy()
    right = []
    for group in (data.dataset(backbone.geometry, data.specs)[index] for index in range(3)):
        stored = load_file(outcome.run / "contributions" / f"{group.key}.safetensors")
        assert stored["heads"].shape == (2, 2, 2, 32)  # images, both layers, heads, width
        with torch.no_grad():
            embedding = backbone.encode_image(group.images)
        torch.testing.assert_close(stored["embedding"], embedding)
        total = stored["heads"].sum((1, 2)) + stored["mlp"].sum(1)
        total += stored["initial"] + stored["rest"] + stored["constant"]
        torch.testing.assert_close(total, embedding, rtol=1e-4, atol=1e-5)
        rows = pq.read_table(outcome.run / "groups" / f"{group.key}.parquet").to_pylist()
        assert [row["sample_id"] for row in rows] == list(group.sample_ids)
        cosines = embedding.double().numpy() @ classes.T
        order = np.argsort(-cosines, axis=1)
        assert [row["predicted_index"] for row in rows] == order[:, 0].tolist()
        assert [row["top5"] for row in rows] == [group.class_index in ranked[:5] for ranked in order]
        right += [row["top1"] for row in rows]
    metrics = {metric["name"]: metric["value"] for metric in outcome.results()["metrics"]}
    assert metrics["top1"] == pytest.approx(sum(right) / 6)
    assert outcome.results()["class_names"] == list(data.class_names)


def test_two_runs_are_the_same_to_the_byte(command: Callable[..., Any], heads_words: list[str]) -> None:
    first = contents(command(*heads_words).run)
    assert sorted(name for name in first if name.startswith("contributions")) == [
        f"contributions/{key}.safetensors" for key in KEYS
    ]
    again = command(*heads_words, "--data.num_workers=2", "--results.root=again")
    assert contents(again.run.parents[1] / "again" / "tiny") == first


def test_only_groups_without_rows_or_contributions_are_computed_again(
    command: Callable[..., Any], heads_words: list[str], computed: list[str]
) -> None:
    run = command(*heads_words).run
    before = contents(run)
    (run / "groups" / f"{KEYS[0]}.parquet").unlink()
    damaged = run / "contributions" / f"{KEYS[2]}.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-4])
    for name in ("heads.json", "head_removal.json", "head_pruning.json"):
        (run / name).write_text("{}")  # of fewer groups
    computed.clear()
    with pytest.warns(UserWarning, match=r"00002-000 is computed again: Expected the contributions .* can be read"):
        assert command(*heads_words).code == 0
    assert computed == [KEYS[0], KEYS[2]]
    assert contents(run) == before
    assert not any((run / name).exists() for name in ("heads.json", "head_removal.json", "head_pruning.json"))
    computed.clear()
    assert command(*heads_words).code == 0
    assert computed == []


def test_contributions_of_other_weights_are_computed_again(
    command: Callable[..., Any], heads_words: list[str], computed: list[str]
) -> None:
    run = command(*heads_words).run
    before = contents(run)
    swapped = run / "contributions" / f"{KEYS[1]}.safetensors"
    swapped.write_bytes((run / "contributions" / f"{KEYS[0]}.safetensors").read_bytes())
    computed.clear()
    with pytest.warns(UserWarning, match=r"those of another run \(other key, sample_ids\)"):
        assert command(*heads_words).code == 0
    assert computed == [KEYS[1]]
    assert contents(run) == before


def test_contributions_are_there_before_the_rows(
    command: Callable[..., Any], heads_words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Path, record: Any) -> None:
        raise MkbenchError("Expected to write rows, found none")

    monkeypatch.setattr(result_writer, "write_group", fail)
    assert command(*heads_words).code == 1
    run = tmp_path / "runs" / "tiny"
    assert [path.name for path in run.glob("contributions/*")] == [f"{KEYS[0]}.safetensors"]
    assert not list(run.glob("groups/*"))


def test_half_precision_takes_half_the_space_and_keeps_three_digits(
    command: Callable[..., Any], heads_words: list[str]
) -> None:
    whole = load_file(command(*heads_words).run / "contributions" / f"{KEYS[0]}.safetensors")
    outcome = command(*heads_words, "--model.stored_as=fp16", "--results.overwrite=true")
    half = load_file(outcome.run / "contributions" / f"{KEYS[0]}.safetensors")
    assert {tensor.dtype for tensor in half.values()} == {torch.float16}
    for name, values in whole.items():
        torch.testing.assert_close(half[name].float(), values, rtol=2e-3, atol=1e-5)
    assert outcome.results()["settings"]["stored_as"] == "fp16"


@pytest.mark.parametrize("stored_as", ["fp32", "fp16"])
def test_bytes_of_an_image_are_those_of_the_file(
    command: Callable[..., Any], heads_words: list[str], tiny_model: Path, stored_as: Any
) -> None:
    run = command(*heads_words, f"--model.stored_as={stored_as}", "--model.num_layers=1").run
    stored = load_file(run / "contributions" / f"{KEYS[0]}.safetensors")
    system = HeadDecomposition(f"local-dir:{tiny_model}", num_layers=1, stored_as=stored_as)
    # Two heads of one layer, both MLPs and four more terms, each 32 wide, of two images.
    assert system.kept_bytes == 8 * 32 * (4 if stored_as == "fp32" else 2)
    assert sum(tensor.nbytes for tensor in stored.values()) == 2 * system.kept_bytes


def test_layers_are_the_last_ones_and_settings_say_how_many(
    command: Callable[..., Any], heads_words: list[str]
) -> None:
    outcome = command(*heads_words, "--model.num_layers=1")
    settings = outcome.results()["settings"]
    assert (settings["num_layers"], settings["layers"]) == (1, [1])
    stored = load_file(outcome.run / "contributions" / f"{KEYS[0]}.safetensors")
    assert stored["heads"].shape == (2, 1, 2, 32)
    assert bool((stored["rest"] != 0).any())  # the layer before


def test_group_without_a_readable_image_has_no_contributions(
    command: Callable[..., Any], heads_words: list[str], photo_tree: Callable[..., Path], write_bank: Callable[[], Path]
) -> None:
    for path in (photo_tree() / "bee").iterdir():
        path.write_bytes(b"no image")
    words = with_data(heads_words, "ImageFolder", "photos", f"--data.bank={write_bank()}")
    outcome = command(*words)
    assert outcome.code == 0
    assert sorted(path.stem for path in outcome.run.glob("contributions/*")) == [KEYS[0], KEYS[2]]
    assert sorted(path.stem for path in outcome.run.glob("groups/*")) == KEYS
    assert outcome.results()["data"]["images"] == 4
    before = contents(outcome.run)
    assert command(*words).code == 0
    assert contents(outcome.run) == before


def test_images_without_labels_have_no_accuracy(
    command: Callable[..., Any],
    heads_words: list[str],
    photo_tree: Callable[..., Path],
    write_bank: Callable[[], Path],
    tmp_path: Path,
) -> None:
    write_names(tmp_path / "names.txt", ["ant", "bee", "cat"])
    write_flat(photo_tree(), tmp_path / "flat")
    options = [f"--data.bank={write_bank()}", "--data.class_names=names.txt"]
    outcome = command(*with_data(heads_words, "UnlabelledFolder", "flat", *options))
    assert (outcome.code, outcome.error) == (0, "")
    assert outcome.results()["metrics"] == []
    assert command("heads", "runs/tiny", "--pool=bank.json").code == 0
    names = {metric["name"] for metric in outcome.results()["metrics"]}
    assert "association" in names
    assert not any(name.startswith("top1") for name in names)


def test_what_has_no_heads_is_refused(tiny_model: Path) -> None:
    with pytest.raises(BackboneError, match="critters-rn cannot be told apart: a ResNet is convolutional"):
        HeadDecomposition("critters-rn")
    with pytest.raises(UsageError, match="num_layers to be at least 1, found 0"):
        HeadDecomposition(f"local-dir:{tiny_model}", num_layers=0)


def test_nothing_is_known_before_it_is_prepared(tiny_model: Path) -> None:
    system = HeadDecomposition(f"local-dir:{tiny_model}")
    with pytest.raises(RuntimeError, match="prepared system, found none"):
        _ = system.decomposer
    with pytest.raises(RuntimeError, match="prepared texts, found none"):
        system.classify(torch.zeros(1, 32))


@pytest.mark.slow
def test_two_processes_write_what_one_writes(
    command: Callable[..., Any], heads_words: list[str], tmp_path: Path
) -> None:
    alone = contents(command(*heads_words).run)
    words = [*heads_words, "--trainer.devices=2", "--trainer.strategy=ddp", "--results.root=both"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "mkbench", *words], cwd=tmp_path, env=environment, check=True, timeout=600)
    assert contents(tmp_path / "both" / "tiny") == alone
    results = json.loads(alone["results.json"])
    assert results["data"]["images"] == 6


def test_margin_is_the_cosine_less_that_of_the_nearest_other_class(tiny_model: Path) -> None:
    system = HeadDecomposition(f"local-dir:{tiny_model}")
    with pytest.raises(RuntimeError, match="call prepare first"):
        system.class_margins(torch.ones(1, 32), torch.tensor([0]))
    names, templates = ("ant", "bee", "cat"), ("a {}",)
    system.prepare_classes(names, templates)
    texts = class_embeddings(system.backbone, names, templates).double()
    embeddings = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 1, 2, 1, 0])
    cosines = torch.nn.functional.normalize(embeddings.double(), dim=1) @ texts.T
    for row, own, margin in zip(
        cosines.tolist(), classes.tolist(), system.class_margins(embeddings, classes), strict=True
    ):
        assert float(margin) == pytest.approx(row[own] - max(row[:own] + row[own + 1 :]), abs=1e-6)
    right = system.classify(embeddings)[:, 0] == classes
    assert torch.equal(system.class_margins(embeddings, classes) > 0, right)
