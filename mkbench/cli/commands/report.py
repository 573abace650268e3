"""`mkbench report`: finished runs as one HTML file, or as a table of many runs to host."""

import argparse
from pathlib import Path

from mkbench.cli.run_parts import add_trust_option

HELP = (
    "show finished runs in one HTML file. It opens from a disk, without a server or a network: tables to sort and "
    "search, plots, classes, explained images, and what was run."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    about = "folder of a model's run, as runs/demo/critters-vit-s, or of a bench"
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=about)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--out", type=Path, help="the HTML file (default: report.html in RUN; of several, runs/report.html)"
    )
    where.add_argument(
        "--site",
        type=Path,
        metavar="DIR",
        help="write the table of many runs to host, DIR/index.html, instead; runs that were changed are refused",
    )
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Write the page, and say where it is.

    Raises:
        UsageError: a folder without a finished run.
        DataError: a run that is damaged beyond restoring, or lacks class groups, or, for a site, was changed.
    """
    # These take seconds to import.
    from mkbench.cli.lost_results import open_runs  # noqa: PLC0415
    from mkbench.report.page import write_page  # noqa: PLC0415
    from mkbench.report.site import write_site  # noqa: PLC0415
    from mkbench.runs.run_folder import REPORT  # noqa: PLC0415

    runs = open_runs(options.runs, trust=options.trust_config)
    if options.site is not None:
        print(f"site: {write_site(runs, options.site)}")
        return 0
    folder = options.runs[0] if len(options.runs) == 1 else Path("runs")
    out = options.out or folder / REPORT
    write_page(runs, out)
    print(f"report: {out}")
    return 0
