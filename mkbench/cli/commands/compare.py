"""`mkbench compare`: finished runs side by side."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mkbench.cli.run_parts import add_trust_option, load_data, load_system
from mkbench.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from mkbench.studies.concept_heads.choice import ConceptHeadModel

HELP = (
    "put finished runs side by side. Ranks, differences of pairs of models, AUC against accuracy, MI curves; "
    "and for models with runs of mutual knowledge and of heads, both in one table, and which heads carry what."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="folder of a model's run, as runs/demo/critters-vit-s, or of a bench; of one system or of both",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="folder of the tables and figures")
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Write and print the comparison, and the table of concept heads of models that have runs of both systems.

    Raises:
        UsageError: a folder without a finished run.
        DataError: a damaged run, or one that lacks class groups.
    """
    from mkbench.cli.lost_results import open_runs  # noqa: PLC0415
    from mkbench.runs.finished_runs import require_whole  # noqa: PLC0415
    from mkbench.studies.concept_heads.write import write_concept_heads  # noqa: PLC0415 - these take seconds to import
    from mkbench.studies.overview.study import data_sentences  # noqa: PLC0415
    from mkbench.studies.registry import write_report  # noqa: PLC0415

    runs, console = open_runs(options.runs, trust=options.trust_config), Console()
    require_whole(runs)
    embed = partial(embed_bank, trust=options.trust_config)
    for table in write_report(runs, options.out, width=console.width):
        console.print(table)
    concept_heads = write_concept_heads(runs, options.out, embed, width=console.width)
    if concept_heads is not None:
        console.print(concept_heads)
    for sentence in data_sentences(runs):
        print(sentence)
    return 0


def embed_bank(model: "ConceptHeadModel", *, trust: bool = False) -> tuple[Sequence[str], "Tensor"]:
    """Encode the concept bank of a model's run as that run did, or take it from the cache.

    Args:
        model: the runs of both systems of a model.
        trust: build classes that are not mkbench's own, too.

    Returns:
        The D descriptors, and their unit embeddings (D, d) in the prompt of the run.

    Raises:
        UsageError: the bank or the configuration of a run is gone.
        BackboneError: the model cannot be loaded any more.
        DataError: the bank or the model is not that of the run any more.
    """
    from mkbench.studies.own_weights import require_own_weights  # noqa: PLC0415 - takes seconds to import

    results, folder = model.knowledge.results, model.knowledge.folder
    bank = load_data(folder, trust=trust).bank
    if bank.sha256 != results["data"]["bank"]["sha256"]:
        raise DataError(
            f"Expected the concept bank that {folder} was made with at {bank.source}, found another; restore it, or "
            "run `mkbench predict` again with --results.overwrite true."
        )
    system = load_system(model.heads.folder, trust=trust)
    require_own_weights(folder, results, system)
    template = results["settings"]["descriptor_template"]
    return bank.descriptors, system.text_cache.embed_bank(system.backbone, bank.descriptors, template).cpu()
