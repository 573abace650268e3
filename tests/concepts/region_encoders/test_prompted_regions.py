from __future__ import annotations

from pathlib import Path

import pytest
import torch
from region_groups import region_context, region_labels, region_pixels

from mkbench import load_backbone
from mkbench.concepts import render_prompts
from mkbench.concepts.region_encoders import RegionPrompts, embed_parts


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


def test_unknown_prompts_are_refused() -> None:
    with pytest.raises(ValueError, match="prompts must be one or more of ring, grey, blur"):
        RegionPrompts(("circle",))
