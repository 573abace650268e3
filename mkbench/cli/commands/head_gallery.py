"""`mkbench heads gallery`: the images for which each head of a run writes its first text."""

import argparse
from pathlib import Path

from mkbench.cli.commands.head_queries import OF_IMAGES, TOP
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
    parser.add_argument("--similarity", choices=("dot", "cosine", "centred"), default="dot", help=OF_IMAGES)


def run(options: argparse.Namespace) -> int:
    """Write the figure and data of each head.

    Raises:
        UsageError: heads without texts yet, or a number of images that is not positive.
        DataError: a damaged file, or other weights than those of the run.
    """
    # These take seconds to import.
    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.cli.run_parts import load_data, load_system  # noqa: PLC0415
    from mkbench.errors import UsageError  # noqa: PLC0415
    from mkbench.heads.store import open_store  # noqa: PLC0415
    from mkbench.plotting.style import save_figure  # noqa: PLC0415
    from mkbench.progress import late_bar  # noqa: PLC0415
    from mkbench.runs.run_folder import ANALYSES  # noqa: PLC0415
    from mkbench.studies.head_labels.study import read_text_shares  # noqa: PLC0415
    from mkbench.studies.head_queries.answer import answer_path, write_answer  # noqa: PLC0415
    from mkbench.studies.head_queries.figure import answer_figure  # noqa: PLC0415
    from mkbench.studies.head_queries.study import HeadRun  # noqa: PLC0415

    restore_results([options.run], trust=options.trust_config)
    store = open_store(options.run)
    shares = read_text_shares(options.run)
    if shares is None:
        raise UsageError(f"Expected heads with texts in {options.run}, found none; run `mkbench heads RUN` first.")
    texts = {head: found[0]["text"] for head, found in shares.items() if found}
    system, data = (
        load_system(options.run, trust=options.trust_config),
        load_data(options.run, trust=options.trust_config),
    )
    asked = HeadRun(store, system, data)
    with late_bar("nearest images", "heads", total=len(texts)) as count:
        for answer in asked.texts_neighbors(texts, top=options.top, similarity=options.similarity):
            base = answer_path(answer, options.run)
            save_figure(answer_figure(answer), base)
            write_answer(answer, base)
            count(1)
    print(f"{len(texts)} heads: {options.run / ANALYSES}; `mkbench report {options.run}` shows them")
    return 0
