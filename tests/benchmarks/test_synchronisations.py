from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch

from benchmarks.pipeline import make_texts
from benchmarks.synchronisations import SynchronisationCounter
from mkbench.concepts import Explainer, PartsExplainer
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import rendered_group

VALUES = torch.tensor([3.0, 1.0, 3.0])
MASK = VALUES > 2


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda: VALUES.sum().item(), 1),
        (lambda: bool(MASK.any()), 1),
        (MASK.nonzero, 1),
        (lambda: VALUES[MASK], 1),
        (lambda: VALUES.masked_select(MASK), 1),
        (lambda: VALUES.clone().index_put_((MASK,), torch.zeros(2)), 1),
        (VALUES.unique, 1),
        (lambda: torch.equal(VALUES, VALUES + 1), 1),
        (lambda: VALUES[torch.tensor([0, 2])] + VALUES.where(MASK, 0).cumsum(0)[:2], 0),
        (lambda: torch.empty(2, device="meta") + 1, 0),
    ],
)
def test_what_waits_for_a_device_is_counted_and_nothing_else(work: Callable[[], object], expected: int) -> None:
    with SynchronisationCounter() as counter:
        work()
    # A mask may be looked up by `nonzero` inside; it is one synchronisation or two, never none.
    assert (counter.total >= expected) if expected else counter.total == 0


def synchronisations(
    model: Path, *, images: int, num_parts: int, refine: Literal["components", "crf"], chunk: int = 512
) -> Counter[str]:
    explainers: list[Explainer] = [PartsExplainer(name, chunk=chunk) for name in ("pca", "kmeans")]
    system = MutualKnowledge(
        f"local-dir:{model}", explainers=explainers, refine=refine, num_parts=num_parts, encoder_chunk=512
    )
    system.text = make_texts(system.backbone.embed_dim, system.device)
    group = rendered_group(images, system.backbone.image_size, system.device)
    with SynchronisationCounter() as counter:
        system.explain_group(group)
    return counter.counts


def test_a_group_waits_for_the_device_as_often_whatever_images_and_parts_it_has(tiny_model: Path) -> None:
    few, many, parts = (
        synchronisations(tiny_model, images=images, num_parts=count, refine="components").total()
        for images, count in ((2, 3), (12, 3), (12, 6))
    )
    # The rounds until clusters, components and transport have settled depend on the data: some more or fewer. One for
    # each image and explainer would be 20 more, one for each part 72 more; each cluster of a class is drawn with two.
    assert many <= few + 8
    assert parts <= many + 20


def test_chunks_of_parts_do_not_wait_for_the_device(tiny_model: Path) -> None:
    one, many = (
        synchronisations(tiny_model, images=12, num_parts=3, refine="components", chunk=chunk) for chunk in (512, 4)
    )
    assert many == one


def test_the_crf_waits_once_for_every_image(tiny_model: Path) -> None:
    plain, refined = (
        synchronisations(tiny_model, images=6, num_parts=3, refine=refine) for refine in ("components", "crf")
    )
    assert (refined - plain).total() <= 6 + 8
    assert refined["aten.unique_consecutive.default"] <= 6
