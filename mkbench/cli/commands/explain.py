"""`mkbench explain`: one image, one model."""

import argparse
import sys
from pathlib import Path

HELP = "explain one image: its parts, their descriptors, and what both encoders name."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("image", type=Path, help="the image")
    parser.add_argument(
        "--model", default="critters-vit-l", help="a name of `mkbench models`, Arch,tag, or a class path"
    )
    parser.add_argument("--class-names", type=Path, help="file of class names; a bundled model has its own")
    parser.add_argument("--bank", type=Path, help="JSON or text file of descriptors; a bundled model has its own")
    parser.add_argument("--templates", default="default", help="name of a packaged set of class prompts")
    parser.add_argument("--explainer", choices=("pca", "kmeans"), default="pca", help="how parts are found")
    parser.add_argument("--random-weights", action="store_true", help="try the architecture without its weights")
    parser.add_argument("--out", type=Path, default=Path("explanation.png"), help="figure; a PDF is put beside it")


def run(options: argparse.Namespace) -> int:
    """Print the concepts and draw the figure.

    Raises:
        MkbenchError: an unknown model, weights that cannot be had, or a file that cannot be read.
    """
    # These take seconds to import.
    from mkbench.backbones.known_models import model_entries  # noqa: PLC0415
    from mkbench.single_image import explain  # noqa: PLC0415

    if any(entry.bundled and entry.name == options.model for entry in model_entries()):
        print(
            f"mkbench: {options.model} knows rendered animals alone; for photographs name a model such as "
            "vit-b-16-openai with --model, --class-names and --bank.",
            file=sys.stderr,
        )
    explanation = explain(
        options.image,
        options.model,
        class_names=options.class_names,
        bank=options.bank,
        templates=options.templates,
        explainer=options.explainer,
        random_weights=options.random_weights,
    )
    print(explanation)
    explanation.plot(options.out)
    print(f"figure: {options.out.with_suffix('.png')}")
    return 0
