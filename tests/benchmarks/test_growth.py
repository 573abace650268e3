from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks import growth
from benchmarks.growth import main, repeated
from mkbench.backbones import Backbone, load_backbone
from mkbench.systems.timing import rendered_group


@pytest.fixture(scope="module")
def backbone(tiny_model: Path) -> Backbone:
    return load_backbone(f"local-dir:{tiny_model}")


@pytest.fixture
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"CLASSES": 10, "BANK": 60, "LANGUAGE_CONCEPTS": 5, "HEADS": 2, "HEAD_IMAGES": 70, "HEAD_TEXTS": 30}
    for name, size in sizes.items():
        monkeypatch.setattr(growth, name, size)


def test_a_repeated_group_has_the_same_images_and_other_ids() -> None:
    group = rendered_group(2, 16, torch.device("cpu"))
    twice = repeated(group, 2)
    assert len(set(twice.sample_ids)) == 4
    assert torch.equal(twice.images, torch.cat([group.images, group.images]))


@pytest.mark.parametrize("grow", [growth.grow_images, growth.grow_classes])
def test_ten_times_the_work_is_ten_times_the_images(
    backbone: Backbone, small_sizes: None, grow: Callable[..., growth.Workload]
) -> None:
    small, large = grow(backbone, 1, 1), grow(backbone, 1, 3)
    assert (small.size, large.size) == (1, 3)
    # The same images: those in one group are cut into the same parts, other groups draw other seeds for K-means.
    assert large.encoded_images() == pytest.approx(3 * small.encoded_images(), rel=0.3)


def test_more_parts_of_the_same_images(backbone: Backbone, small_sizes: None) -> None:
    small, large = (growth.grow_parts(backbone, 1, factor) for factor in (1, 10))
    assert (small.size, large.size) == (5, 50)
    assert large.encoded_images() >= small.encoded_images() > 1


def test_a_larger_bank_needs_no_more_images(backbone: Backbone, small_sizes: None) -> None:
    small, large = (growth.grow_bank(backbone, 2, factor, bank=60) for factor in (1, 10))
    assert (small.size, large.size) == (60, 600)
    assert small.encoded_images() == large.encoded_images() > 2


def test_printed_rows(
    tiny_model: Path, backbone: Backbone, small_sizes: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--of", "images", "heads", f"--model=local-dir:{tiny_model}", "--images=1", "--rounds=1"]
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["grows"], row["size"], row["to"]) for row in rows] == [
        ("images", 1, 10),
        ("heads", 2, 20),
    ]
    assert rows[0]["encoded_to"] == 10 * rows[0]["encoded"]
    assert all(row["ratio"] > 0 for row in rows)
