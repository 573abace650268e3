"""`mkbench bank analyse`: diversity of concept banks, and accuracy of runs over them."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mkbench.cli.run_parts import add_trust_option
from mkbench.errors import UsageError

if TYPE_CHECKING:
    from mkbench.concepts.text import TextEncoder
    from mkbench.runs.finished_runs import Run

HELP = (
    "compare concept banks: InterDiv, IntraDiv, and top-1 and top-5 of runs of descriptor zero-shot classification "
    "over them, each beside shuffled descriptors and random words."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("banks", nargs="+", type=Path, metavar="BANK", help="JSON {class: [descriptors]}")
    parser.add_argument(
        "--encoder",
        metavar="MODEL",
        help="sentence encoder: a model's text encoder, or hf:NAME of `transformers`; None is the model of the runs",
    )
    parser.add_argument(
        "--run",
        action="append",
        type=Path,
        dest="runs",
        metavar="RUN",
        help="finished run of mkbench.systems.DescriptorZeroShot over one of the banks, or a bench; repeatable",
    )
    parser.add_argument("--template", default="{}", help="text with {} in which descriptors are encoded")
    parser.add_argument("--seed", type=int, default=0, help="of shuffled descriptors and random words")
    parser.add_argument("--out", type=Path, help="folder for banks.csv and banks.md; None writes none")
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table of the banks.

    Raises:
        UsageError: no encoder, a bank without classes, or runs that do not fit the banks.
        DataError: a damaged bank or run.
        BackboneError: an encoder that cannot be loaded.
    """
    # These take seconds to import.
    from rich.console import Console  # noqa: PLC0415

    from mkbench.cli.lost_results import open_runs  # noqa: PLC0415
    from mkbench.concepts.bank import load_bank  # noqa: PLC0415
    from mkbench.studies.banks.study import analyse_banks  # noqa: PLC0415
    from mkbench.studies.banks.write import write_banks  # noqa: PLC0415

    runs = open_runs(options.runs, trust=options.trust_config) if options.runs else []
    name = options.encoder or _model_of(runs)
    encoder = _load_encoder(name)
    banks = [load_bank(path) for path in options.banks]
    rows = analyse_banks(banks, encoder, runs, template=options.template, seed=options.seed)
    console = Console()
    console.print(write_banks(rows, options.out, encoder=name, width=console.width))
    return 0


def _model_of(runs: Sequence["Run"]) -> str:
    """The model of the runs, whose own text encoder is the default."""
    names = {str(run.results["model"]["name"]) for run in runs}
    if len(names) != 1:
        found = " and ".join(sorted(names)) or "neither"
        raise UsageError(
            f"Expected --encoder MODEL, or runs of one model with --run, found {found}; name the sentence encoder."
        )
    return names.pop()


def _load_encoder(name: str) -> "TextEncoder":
    from mkbench.backbones import load_backbone  # noqa: PLC0415
    from mkbench.studies.banks.sentence_encoder import PREFIX, SentenceEncoder  # noqa: PLC0415

    return SentenceEncoder(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else load_backbone(name)
