"""`mkbench heads ablate`: what classes lose without the head that carries their mutual concepts."""

import argparse
from functools import partial
from pathlib import Path

from mkbench.cli.run_parts import add_trust_option

HELP = (
    "ablate the head that carries most of the mutual concepts of each class, and compare what the class loses with "
    "what others lose, and with other heads. Needs runs of heads and of mutual knowledge of one model; "
    "concept_head_ablation.json goes to the run of heads."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a model's run of heads")
    parser.add_argument(
        "--knowledge",
        type=Path,
        required=True,
        metavar="RUN",
        help="folder of the model's run of mutual knowledge, as runs/demo/critters-vit-l",
    )
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Ablate the heads and print the table.

    Raises:
        UsageError: runs or data that do not fit.
        DataError: a damaged file, other weights or other images than those of the run.
    """
    # These take seconds to import.
    from rich.console import Console  # noqa: PLC0415

    from mkbench.cli.commands.compare import embed_bank  # noqa: PLC0415
    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.cli.run_parts import load_data, load_system, on_accelerator  # noqa: PLC0415
    from mkbench.studies.concept_head_ablation.study import ablate_concept_heads  # noqa: PLC0415
    from mkbench.studies.concept_head_ablation.table import show_ablation  # noqa: PLC0415

    trust = options.trust_config
    restore_results([options.run, options.knowledge], trust=trust)
    system, data = on_accelerator(load_system(options.run, trust=trust)), load_data(options.run, trust=trust)
    embed = partial(embed_bank, trust=trust)
    document = ablate_concept_heads(options.run, options.knowledge, system, data, embed)
    console = Console()
    console.print(show_ablation(document, width=console.width))
    return 0
