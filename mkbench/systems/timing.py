"""Timing of the pipeline alone: a clock that waits for the device, and stand-ins for data and texts."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn import functional as F

from mkbench.concepts import language_concepts
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.critters_world import load_world, render
from mkbench.datamodules.resizing import resize_squash
from mkbench.metrics.functional import Membership
from mkbench.systems.text_knowledge import TextKnowledge


class StageClock:
    """Adds up the time of every stage; on a GPU it waits for the work of a stage to finish.

    Args:
        device: where the work is done.

    >>> clock = StageClock(torch.device("cpu"))
    >>> with clock("render"):
    ...     pass
    >>> list(clock.seconds)
    ['render']
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)

    def now(self) -> float:
        """Return the time, in seconds, after all work submitted so far."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        start = self.now()
        yield
        self.seconds[stage] += self.now() - start


def rendered_group(images: int, size: int, device: torch.device) -> ClassGroup:
    """Return rendered images of one class at a model's size.

    >>> rendered_group(2, 16, torch.device("cpu")).images.shape
    torch.Size([2, 3, 16, 16])
    """
    name = load_world().class_names[0]
    rendered = [torch.from_numpy(render(name, index).image).permute(2, 0, 1) for index in range(images)]
    stacked = resize_squash(torch.stack(rendered), size).to(device)
    return ClassGroup(stacked, 0, 0, tuple(str(index) for index in range(images)))


def random_texts(
    dim: int, device: torch.device, *, classes: int, bank: int, num_language_concepts: int
) -> TextKnowledge:
    """Return random unit vectors in the place of text embeddings, which take long to compute and no time to use.

    Args:
        dim: width d of the joint space.
        device: where they are to lie.
        classes: number Y of classes.
        bank: number D of descriptors.
        num_language_concepts: u, at most D.

    >>> texts = random_texts(8, torch.device("cpu"), classes=3, bank=20, num_language_concepts=5)
    >>> texts.prompted.shape, texts.language.shape
    (torch.Size([20, 8]), torch.Size([3, 5]))
    """
    generator = torch.Generator().manual_seed(0)
    unit = [F.normalize(torch.randn(count, dim, generator=generator), dim=1) for count in (classes, bank, bank)]
    names, bare, prompted = (rows.to(device) for rows in unit)
    language = language_concepts(names, prompted, num_language_concepts)
    return TextKnowledge(names, bare, prompted, language, Membership(language, bank))
