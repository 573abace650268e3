from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from region_groups import region_context, region_labels, region_pixels

from mkbench import load_backbone
from mkbench.concepts import render_prompts
from mkbench.concepts.prompts import Rings, draw_rings
from mkbench.concepts.region_encoders import RegionPrompts, embed_parts
from mkbench.concepts.region_encoders.base import Regions


@pytest.mark.parametrize("prompts", [("ring", "grey", "blur"), ("ring",), ("blur", "ring")])
def test_a_part_is_the_mean_of_its_prompts(tiny_model: Path, prompts: tuple[str, ...]) -> None:
    backbone, pixels = load_backbone(f"local-dir:{tiny_model}"), region_pixels()
    context = region_context(backbone)
    found, _ = embed_parts(region_labels(), pixels, context, RegionPrompts(prompts))
    for image, part in [(0, 0), (0, 1), (0, 2), (2, 1), (3, 2)]:
        drawn = render_prompts(context.images[image], pixels[image, part])
        rows = [backbone.encode_image(drawn[["ring", "grey", "blur"].index(name)][None])[0] for name in prompts]
        expected = sum(row / row.norm() for row in rows) / len(rows)
        torch.testing.assert_close(found[image, part], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 2, 96])
def test_rings_are_drawn_in_another_thread_and_chunks_change_nothing(
    tiny_model: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, threads = region_context(load_backbone(f"local-dir:{tiny_model}")), set()

    def draw(masks: Any) -> Rings:
        threads.add(threading.current_thread())
        return draw_rings(masks)

    whole, boxes = embed_parts(region_labels(), region_pixels(), context, RegionPrompts())
    monkeypatch.setattr("mkbench.concepts.region_encoders.embedded_parts.draw_rings", draw)
    found, found_boxes = embed_parts(region_labels(), region_pixels(), context, RegionPrompts(), chunk=chunk)
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-6)  # products of other shapes may round otherwise
    assert found_boxes == boxes
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_prompts_without_rings_are_refused(tiny_model: Path) -> None:
    labels, pixels = region_labels(), region_pixels()
    regions = Regions(torch.tensor([0]), labels[:1] == 0, pixels[0, :1], (0, 0))
    with pytest.raises(ValueError, match="regions must have rings for prompts, found none"):
        RegionPrompts().encode(regions, region_context(load_backbone(f"local-dir:{tiny_model}")))


def test_a_fault_of_drawing_is_raised(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(masks: Any) -> Rings:
        raise MemoryError("no room")

    monkeypatch.setattr("mkbench.concepts.region_encoders.embedded_parts.draw_rings", fail)
    context = region_context(load_backbone(f"local-dir:{tiny_model}"))
    with pytest.raises(MemoryError, match="no room"):
        embed_parts(region_labels(), region_pixels(), context, RegionPrompts())


def test_unknown_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="prompts must be one or more of ring, grey, blur"):
        RegionPrompts(("circle",))
