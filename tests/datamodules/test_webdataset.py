from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from packed_images import write_names, write_shards, write_tar

from mkbench.datamodules import WebDataset
from mkbench.errors import DataError, UsageError

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "webdataset.yaml"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    return write_names(tmp_path / "names.txt", ["ant", "bee", "cat"])


@pytest.fixture
def shards(photo_tree: Callable[..., Path], tmp_path: Path) -> Path:
    """Six images of three classes in turn, in two shards."""
    return write_shards(photo_tree(), tmp_path / "shards")


def test_samples_are_grouped_by_class(shards: Path, names: Path) -> None:
    data = WebDataset(str(shards), class_names=names)
    assert data.class_names == ("ant", "bee", "cat")
    assert [spec.sample_ids for spec in data.specs] == [("0000", "0003"), ("0001", "0004"), ("0002", "0005")]
    assert data.name == "shards"


def test_limits_and_samples(shards: Path, names: Path, tmp_path: Path) -> None:
    pattern = str(shards / "val-{000000..000001}.tar")
    data = WebDataset(pattern, class_names=names, limit_classes=2, limit_images_per_class=1)
    assert (data.name, [spec.sample_ids for spec in data.specs]) == ("val", [("0000",), ("0001",)])
    chosen = write_names(tmp_path / "samples.txt", ["0005", "0003"])
    assert [spec.sample_ids for spec in WebDataset(pattern, class_names=names, samples=chosen).specs] == [
        ("0003",),
        ("0005",),
    ]


def test_text_labels_follow_the_mapping(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", [("7.cls", b"n2\n"), ("7.png", b""), ("8.cls", b"n1\n"), ("8.png", b"")])
    (tmp_path / "names.json").write_text('{"n1": "owl", "n2": "bat"}')
    data = WebDataset(str(tmp_path / "0.tar"), class_names=tmp_path / "names.json")
    assert data.class_names == ("owl", "bat")
    assert [spec.sample_ids for spec in data.specs] == [("8",), ("7",)]


def test_extensions_can_be_named(tmp_path: Path, names: Path) -> None:
    write_tar(tmp_path / "0.tar", [("7.label", b"2"), ("7.IMG.PNG", b""), ("7.png", b"other")])
    data = WebDataset(str(tmp_path), image_keys=("img.png",), label_key="label", class_names=names)
    assert [(spec.class_index, spec.sample_ids) for spec in data.specs] == [(2, ("7",))]


def test_damaged_images_are_skipped_and_named(tmp_path: Path, names: Path, geometry: Any) -> None:
    write_tar(tmp_path / "0.tar", [("7.cls", b"0"), ("7.png", b"no image")])
    data = WebDataset(str(tmp_path), class_names=names)
    group = data.dataset(geometry, data.specs)[0]
    assert len(group) == 0
    assert "0.tar:7, found something that is no image" in group.unreadable[0]


def test_source_can_be_sent_to_worker_processes(shards: Path, names: Path, geometry: Any) -> None:
    data = WebDataset(str(shards), class_names=names)
    here = data.dataset(geometry, data.specs)
    there = pickle.loads(pickle.dumps(here))
    assert torch.equal(here[1].images, there[1].images)


def test_class_names_are_required(shards: Path) -> None:
    with pytest.raises(
        UsageError, match=r"Expected a file of class names, found none; give .*--data\.class_names FILE"
    ):
        WebDataset(str(shards)).specs  # noqa: B018


def test_shards_of_something_else(tmp_path: Path, names: Path) -> None:
    write_tar(tmp_path / "0.tar", [("7.json", b"{}")])
    with pytest.raises(DataError, match=r"Expected images \(jpg, jpeg, png, webp\) in the shards .*, found none; che"):
        WebDataset(str(tmp_path), class_names=names).specs  # noqa: B018


def test_results_are_those_of_the_same_images_in_folders(
    command: Callable[..., Any], folder_words: list[str], shards: Path, names: Path
) -> None:
    expected = command(*folder_words).results()
    own = [f"--config={CONFIG}", "--data.shards=shards", "--data.class_names=names.txt"]
    rest = [word for word in folder_words[1:] if not word.startswith(("--config", "--data.root"))]
    outcome = command("predict", *own, *rest, "--data.num_workers=2", "--results.overwrite=true")
    assert (outcome.code, outcome.error) == (0, "")
    for part in ("metrics", "curves", "fallbacks"):
        assert outcome.results()[part] == expected[part]


@pytest.mark.parametrize("key", ["../../evil", "/tmp/evil", "a/../../evil"])
def test_members_that_lead_outside_are_names_alone(tmp_path: Path, names: Path, geometry: Any, key: str) -> None:
    (tmp_path / "shards" / "inner").mkdir(parents=True)
    write_tar(tmp_path / "shards" / "inner" / "0.tar", [(f"{key}.cls", b"0"), (f"{key}.png", b"no image")])
    before = sorted(tmp_path.rglob("*"))
    data = WebDataset(str(tmp_path / "shards" / "inner"), class_names=names)
    group = data.dataset(geometry, data.specs)[0]
    assert (data.specs[0].sample_ids, data.specs[0].key) == ((key,), "00000-000")  # files are called by the key alone
    assert len(group.unreadable) == 1
    assert sorted(tmp_path.rglob("*")) == before
