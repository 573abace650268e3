"""Growth of CPU time with images, classes, parts, the bank and attention heads.

    python -m benchmarks.growth --json

Each is measured at a base size and at ten times that, in turn and in one thread, and everything else stays as it is:
the same images are given again, so that only their number grows. `ratio` is the time of the large one over that of the
small one. `encoded` counts the images that pass the encoder, prompted parts included; a part that no image shows costs
nothing. Images, classes and parts are measured with a bundled model, where what is outside of the encoder weighs most;
the bank with a model of the size of ViT-B-16. Random unit vectors stand for text embeddings.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.interleaved import median_seconds, print_rows
from benchmarks.textspan import make_data
from mkbench.backbones import Backbone, load_backbone
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.heads import textspan
from mkbench.runs.group_files import write_group
from mkbench.systems import MutualKnowledge
from mkbench.systems.timing import random_texts, rendered_group

CLASSES, BANK, LANGUAGE_CONCEPTS, PARTS = 1000, 4229, 50, 5
HEADS, HEAD_IMAGES, HEAD_TEXTS, HEAD_WIDTH, HEAD_RANK = 12, 200, 1000, 512, 64


@dataclass(frozen=True)
class Workload:
    """Work of one size.

    Attributes:
        size: how much there is of what grows.
        run: does the work.
        system: whose encoder works; None if none does.
    """

    size: int
    run: Callable[[], object]
    system: MutualKnowledge | None = None

    def encoded_images(self) -> int:
        """Do the work once and return how many images passed the encoder."""
        before = 0 if self.system is None else self.system.backbone.prepared_images
        self.run()
        return 0 if self.system is None else self.system.backbone.prepared_images - before


def make_system(backbone: Backbone, *, bank: int = BANK, num_parts: int = PARTS) -> MutualKnowledge:
    """Return the published explainers without the CRF, with random unit vectors for the texts."""
    system = MutualKnowledge(backbone, num_parts=num_parts, refine="components").to(backbone.device)
    system.text = random_texts(
        backbone.embed_dim, backbone.device, classes=CLASSES, bank=bank, num_language_concepts=LANGUAGE_CONCEPTS
    )
    return system


def repeated(group: ClassGroup, factor: int) -> ClassGroup:
    """Return a group that holds the images of another several times over."""
    ids = tuple(str(number) for number in range(factor * len(group)))
    return replace(group, images=group.images.repeat(factor, 1, 1, 1), sample_ids=ids)


def write_classes(system: MutualKnowledge, group: ClassGroup, classes: int) -> None:
    """Explain a group as that of each class, and write its rows."""
    names = [str(number) for number in range(CLASSES)]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(classes):
            of_class = replace(group, class_index=number)
            write_group(Path(folder), system.record(of_class, system.explain_group(of_class), names))


def grow_images(backbone: Backbone, base: int, factor: int) -> Workload:
    """Return the work of one class group of so many images."""
    system, group = make_system(backbone), rendered_group(base, backbone.image_size, backbone.device)
    return Workload(base * factor, partial(system.explain_group, repeated(group, factor)), system)


def grow_classes(backbone: Backbone, base: int, factor: int) -> Workload:
    """Return the work of so many class groups of the same images."""
    system, group = make_system(backbone), rendered_group(base, backbone.image_size, backbone.device)
    return Workload(base * factor, partial(write_classes, system, group, base * factor), system)


def grow_parts(backbone: Backbone, base: int, factor: int) -> Workload:
    """Return the work of one class group that is cut into so many parts."""
    system = make_system(backbone, num_parts=PARTS * factor)
    group = rendered_group(base, backbone.image_size, backbone.device)
    return Workload(PARTS * factor, partial(system.explain_group, group), system)


def grow_bank(backbone: Backbone, base: int, factor: int, *, bank: int = BANK) -> Workload:
    """Return the work of one class group with a bank of so many descriptors."""
    system = make_system(backbone, bank=bank * factor)
    group = rendered_group(base, backbone.image_size, backbone.device)
    return Workload(bank * factor, partial(system.explain_group, group), system)


def grow_heads(factor: int) -> Workload:
    """Return the work of describing so many attention heads by texts."""
    contributions, texts, basis = make_data(HEADS * factor, HEAD_IMAGES, HEAD_TEXTS, HEAD_WIDTH, HEAD_RANK)
    return Workload(HEADS * factor, partial(textspan, contributions, texts, num_texts=20, basis=basis))


def compare(
    name: str,
    model: str,
    small: Workload,
    large: Workload,
    rounds: int,
    *,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, object]:
    """Measure one thing that grows, by CPU time or another clock.

    Returns:
        ``grows`` (its name), ``model``, ``size`` and ``to`` (both sizes), ``encoded`` and ``encoded_to`` (images that
        pass the encoder), ``seconds`` and ``seconds_to``, and ``ratio`` of these.
    """
    encoded, encoded_to = small.encoded_images(), large.encoded_images()
    seconds = median_seconds({"small": small.run, "large": large.run}, rounds, clock=clock)
    return {
        "grows": name,
        "model": model,
        "size": small.size,
        "to": large.size,
        "encoded": encoded,
        "encoded_to": encoded_to,
        "seconds": round(seconds["small"], 3),
        "seconds_to": round(seconds["large"], 3),
        "ratio": round(seconds["large"] / seconds["small"], 2),
    }


_OF_IMAGES = {"images": grow_images, "classes": grow_classes, "parts": grow_parts}
DIMENSIONS = (*_OF_IMAGES, "bank", "heads")


def measure(
    chosen: Sequence[str], backbone: Backbone, bank_backbone: Callable[[], Backbone], images: int, rounds: int
) -> Iterator[dict[str, object]]:
    """Measure what is chosen of ``DIMENSIONS``, at a base size and ten times that.

    Args:
        chosen: names.
        backbone: for images, classes and parts.
        bank_backbone: returns the model for the bank.
        images: images of the base size, classes of the base size, and images of one group elsewhere.
        rounds: how often each size is measured; medians are reported.
    """
    for name in chosen:
        if name == "heads":
            yield compare(name, "", grow_heads(1), grow_heads(10), rounds)
            continue
        model = bank_backbone() if name == "bank" else backbone
        grow = grow_bank if name == "bank" else _OF_IMAGES[name]
        yield compare(name, model.name, grow(model, images, 1), grow(model, images, 10), rounds)


def main(args: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", nargs="+", choices=DIMENSIONS, default=list(DIMENSIONS), help="what grows")
    parser.add_argument("--model", default="critters-vit-l", help="model for images, classes and parts")
    parser.add_argument("--bank-model", default="ViT-B-16", help="architecture for the bank, at random weights")
    parser.add_argument("--images", type=int, default=4, help="images, and classes, of the base size")
    parser.add_argument("--rounds", type=int, default=3, help="how often each size is measured; medians are printed")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    given = parser.parse_args(args)
    torch.set_num_threads(1)
    large = partial(load_backbone, given.bank_model, random_weights=True)
    rows = list(measure(given.of, load_backbone(given.model), large, given.images, given.rounds))
    print_rows(rows, as_json=given.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
