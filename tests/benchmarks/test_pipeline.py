from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks.pipeline import BANK, CLASSES, main, make_texts, measure, read_files, write_images
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import rendered_group

STAGES = {"decode", "features", "saliency", "refine", "partition", "render", "encode", "assign", "measure", "write"}


@pytest.fixture(scope="module")
def system(tiny_model: Path) -> MutualKnowledge:
    return MutualKnowledge(f"local-dir:{tiny_model}", refine="components")


def test_measurement_of_the_tiny_model(system: MutualKnowledge) -> None:
    result = measure(system, 2, 2)
    assert set(result) == {
        "model",
        "device",
        "images",
        "prompted_images",
        "rounds",
        "total_ms_per_image",
        "forward_ms_per_image",
        "ratio",
        "total_cpu_ms_per_image",
        "forward_cpu_ms_per_image",
        "cpu_ratio",
        "outside_encoder_cpu_ms",
        "synchronisations_per_group",
        "peak_memory_mb",
        "threads",
        "stages",
        "stages_cpu",
        "text_cpu_ms",
    }
    stages, stages_cpu = result["stages"], result["stages_cpu"]
    assert isinstance(stages, dict)
    assert isinstance(stages_cpu, dict)
    assert set(stages) == set(stages_cpu) == STAGES
    # What is outside of the encoder: all other stages, and a little between them.
    others = sum(value for name, value in stages_cpu.items() if name not in {"features", "encode"})
    assert others <= float(str(result["outside_encoder_cpu_ms"])) < 2 * others + 10
    # The stages are parts of the whole, in milliseconds for each image; medians and means differ a little.
    assert 0 < sum(stages.values()) < 2 * float(str(result["total_ms_per_image"]))
    # Three prompts of every part that an image has, by both methods.
    group = rendered_group(2, system.backbone.image_size, torch.device("cpu"))
    explained = system.explain_group(group).explained
    parts = sum(int(each.explanation.present.sum()) for each in explained.values())
    assert result["prompted_images"] == 3 * parts > 0
    assert list(explained) == ["pca", "kmeans"]


def test_texts_have_the_size_of_the_published_bank() -> None:
    texts = make_texts(16, torch.device("cpu"))
    assert texts.classes.shape == (CLASSES, 16) == (1000, 16)
    assert texts.bare.shape == texts.prompted.shape == (BANK, 16) == (4229, 16)
    assert texts.language.shape == (CLASSES, 50)
    torch.testing.assert_close(texts.bare.norm(dim=1), torch.ones(BANK))


def test_files_are_read_as_a_run_reads_them(system: MutualKnowledge, tmp_path: Path) -> None:
    write_images(tmp_path, 2)
    names = [path.name for path in sorted((tmp_path / "class").iterdir())]
    assert names == ["00000.jpg", "00001.jpg"]
    with Image.open(tmp_path / "class" / names[0]) as image:
        assert image.size == (500, 375)
    group = read_files(tmp_path, system)
    assert group.sample_ids == ("class/00000.jpg", "class/00001.jpg")
    # Rendered, enlarged, compressed and brought to the model's size again, the images are still themselves.
    rendered = rendered_group(2, system.backbone.image_size, torch.device("cpu")).images
    apart = (group.images[:, None].float() - rendered[None].float()).abs().mean(dim=(2, 3, 4))
    assert apart.argmin(dim=1).tolist() == [0, 1]
    assert apart.diagonal().max() < 10
    assert measure(system, 2, 1, from_files=True, texts=False)["images"] == 2


@pytest.mark.parametrize("region_encoder", ["masked", "pooled"])
def test_printed_json(
    tiny_model: Path, region_encoder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"pipeline --model local-dir:{tiny_model} --images 1 --rounds 1 --refine none --device cpu --json"
    monkeypatch.setattr(sys, "argv", [*words.split(), "--region-encoder", region_encoder])
    main()
    printed = json.loads(capsys.readouterr().out)
    assert printed["model"] == "tiny"
    assert (printed["prompted_images"] > 0) == (region_encoder == "masked")  # pooled needs no further forward pass
