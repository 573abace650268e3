"""Accuracy of the bundled models on the test images of Critters, on what they were trained for.

    python -m benchmarks.critters_models

`top-1` is zero-shot classification among the 32 classes. `descriptors` is the probability that a descriptor which a
image shows ranks above one that it does not show (area under the ROC curve of each image, averaged; chance: 50 %).
"""

import argparse

import torch
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from mkbench.backbones import Backbone, load_backbone, model_entries
from mkbench.concepts import bank_embeddings, class_embeddings
from mkbench.datamodules.base import load_templates
from mkbench.datamodules.critters_world import Critter, ground_truth_matrix, load_world, render
from mkbench.datamodules.resizing import resize_squash


@torch.no_grad()
def evaluate(backbone: Backbone, critters: list[Critter], targets: torch.Tensor) -> tuple[float, float]:
    """Return (top-1, probability that a true descriptor outranks a false one), both 0 to 1.

    Args:
        backbone: the model.
        critters: rendered images.
        targets: (images,) class of each.
    """
    world = load_world()
    pixels = torch.stack([torch.from_numpy(critter.image).permute(2, 0, 1) for critter in critters])
    batches = resize_squash(pixels, backbone.image_size).split(64)
    images = F.normalize(torch.cat([backbone.encode_image(batch) for batch in batches]), dim=1)
    classes = class_embeddings(backbone, world.class_names, load_templates("critters"))
    bank = bank_embeddings(backbone, [entry.text for entry in world.descriptors], "a photo showing {}")
    top1 = float((images @ classes.T).argmax(1).eq(targets).double().mean())
    ranking = roc_auc_score(ground_truth_matrix(critters).numpy(), (images @ bank.T).numpy(), average="samples")
    return top1, float(ranking)


def main() -> None:
    """Print a table of the bundled models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images-per-class", type=int, default=20)
    parser.add_argument("models", nargs="*", help="names or local-dir: folders; without any, the bundled models")
    options = parser.parse_args()
    names = load_world().class_names
    critters = [render(name, index) for name in names for index in range(options.images_per_class)]
    targets = torch.arange(len(names)).repeat_interleave(options.images_per_class)
    table = Table(title=f"Bundled models on {len(critters)} test images", title_justify="left")
    for column in ("model", "parameters (M)", "top-1 %", "descriptors %"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name in options.models or [entry.name for entry in model_entries() if entry.bundled]:
        backbone = load_backbone(name)
        top1, ranking = evaluate(backbone, critters, targets)
        millions = backbone.num_parameters / 1e6
        table.add_row(backbone.name, f"{millions:.2f}", f"{100 * top1:.1f}", f"{100 * ranking:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
