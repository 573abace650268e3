"""`mkbench heads gallery`: the images for which each head of a run writes its first text."""

import argparse
from pathlib import Path

from mkbench.cli.commands.head_queries import OF_IMAGES, TOP, add_similarity, open_head_run, save_answer
from mkbench.cli.run_parts import add_trust_option

HELP = (
    "find, for each head of a run, the images for which it writes the first of its texts. Run it after `mkbench heads "
    "RUN`; figures and data go to RUN/analyses, and the report shows them on the card of the head."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a model's run")
    parser.add_argument("--top", **TOP)
    add_trust_option(parser)
    add_similarity(parser, OF_IMAGES)


def run(options: argparse.Namespace) -> int:
    """Write the figure and data of each head.

    Raises:
        UsageError: heads without texts yet, or a number of images that is not positive.
        DataError: a damaged file, or other weights than those of the run.
    """
    # These take seconds to import.
    from mkbench.errors import UsageError  # noqa: PLC0415
    from mkbench.progress import late_bar  # noqa: PLC0415
    from mkbench.runs.run_folder import ANALYSES  # noqa: PLC0415
    from mkbench.studies.head_labels.study import read_text_shares  # noqa: PLC0415

    asked = open_head_run(options.run, trust=options.trust_config)
    shares = read_text_shares(options.run)
    if shares is None:
        raise UsageError(f"Expected heads with texts in {options.run}, found none; run `mkbench heads RUN` first.")
    texts = {head: found[0]["text"] for head, found in shares.items() if found}
    with late_bar("nearest images", "heads", total=len(texts)) as count:
        for answer in asked.texts_neighbors(texts, top=options.top, similarity=options.similarity):
            save_answer(answer, options.run)
            count(1)
    print(f"{len(texts)} heads: {options.run / ANALYSES}; `mkbench report {options.run}` shows them")
    return 0
