"""Doctor check of zero-shot accuracy against chance, which finds a wrong class order."""

import math
import random
from collections.abc import Iterator

import torch

from mkbench.backbones import Backbone
from mkbench.cli.doctor.data import Listing
from mkbench.cli.doctor.findings import Remark, counted, ok, problem
from mkbench.concepts import class_embeddings
from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroupDataset, GroupSpec

#: Most classes and images of the sample.
CLASSES, IMAGES = 16, 32
_LEVEL = 0.05


def check_accuracy(backbone: Backbone, data: ClassGroupDataModule, listing: Listing) -> Iterator[Remark]:
    """Remark on zero-shot classification of a few images among a few classes, compared with chance.

    Args:
        backbone: the model, on its device.
        data: the data.
        listing: its images.
    """
    if backbone.random_weights:
        yield ok("zero-shot accuracy was not tried: the weights are random")
        return
    specs = draw_images(listing)
    names = list(dict.fromkeys(listing.class_names[spec.listed_under] for spec in specs))
    count = sum(len(spec.sample_ids) for spec in specs)
    if len(names) < 2 or binomial_tail(count, count, 1 / len(names)) > _LEVEL:
        yield ok(f"zero-shot accuracy was not tried: {counted(count, 'image')} are too few to tell it from chance")
        return
    right, read = _classify(backbone, data, specs, listing, names)
    said = (
        f"{right} of {counted(read, 'sampled image')} get their class, among {len(names)} of the classes (chance: "
        f"{read / len(names):.1f})"
    )
    if binomial_tail(right, read, 1 / len(names)) <= _LEVEL:
        yield ok(f"zero-shot top-1: {said}")
    else:
        yield problem(
            f"zero-shot top-1 is not above chance: {said}; the class order may be wrong: compare --data.class_names "
            "with the images, or choose a model that knows these classes"
        )


def draw_images(listing: Listing, *, seed: int = 0) -> list[GroupSpec]:
    """Draw the images of the sample: a few of each of a few classes."""
    rng = random.Random(seed)
    filled = [index for index, ids in enumerate(listing.sample_ids) if ids]
    chosen = sorted(rng.sample(filled, min(CLASSES, len(filled))))
    each = IMAGES // max(len(chosen), 1)
    specs = []
    for index in chosen:
        ids = listing.sample_ids[index]
        specs.append(GroupSpec(index, 0, tuple(rng.sample(ids, min(each, len(ids))))))
    return specs


@torch.no_grad()
def _classify(
    backbone: Backbone, data: ClassGroupDataModule, specs: list[GroupSpec], listing: Listing, names: list[str]
) -> tuple[int, int]:
    """Return how many images get the name of their class, and how many could be read."""
    texts = class_embeddings(backbone, names, data.templates, batch_size=32).double()  # (names, dim)
    groups = ClassGroupDataset(data.source, specs, backbone.geometry, resize=data.resize)
    right = read = 0
    for place, spec in enumerate(specs):
        images = groups[place].images
        if not len(images):
            continue
        predicted = (backbone.encode_image(images).double() @ texts.T).argmax(dim=1).tolist()
        right += sum(names[guess] == listing.class_names[spec.listed_under] for guess in predicted)
        read += len(predicted)
    return right, read


def binomial_tail(least: int, draws: int, chance: float) -> float:
    """Return the probability of at least so many hits by chance.

    Args:
        least: hits.
        draws: independent draws.
        chance: probability of a hit.

    >>> binomial_tail(2, 2, 0.5), binomial_tail(0, 3, 0.1)
    (0.25, 1.0)
    """
    terms = (math.comb(draws, k) * chance**k * (1 - chance) ** (draws - k) for k in range(least, draws + 1))
    return min(sum(terms), 1.0)
