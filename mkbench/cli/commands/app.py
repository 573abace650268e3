"""`mkbench app`: ask models with images and texts in a browser."""

import argparse
from pathlib import Path

from mkbench.cli.failures import is_debugging
from mkbench.cli.run_parts import add_trust_option

HELP = (
    "ask models with images and texts of your own in a browser, on this machine. Without a run, it starts on the "
    "bundled models and images."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    about = "folder of a model's run or of a bench, local-dir:FOLDER of a model, or the name of a bundled one"
    parser.add_argument("runs", nargs="*", metavar="RUN", help=about)
    parser.add_argument(
        "--class-names",
        type=Path,
        metavar="FILE",
        help="class names that a named model (not a run) explains images with: one a line, or JSON; needs --bank",
    )
    parser.add_argument(
        "--bank",
        type=Path,
        metavar="FILE",
        help="descriptors that it explains them with: one a line, CSV or JSON; needs --class-names",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, help="port to listen at; the first free one from 7860 if none is given")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/app"), help="folder of the runs that are made of models without one"
    )
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Serve the page until it is interrupted.

    Raises:
        UsageError: Gradio is not installed, a folder without a finished run, or a port that is taken.
        DataError: files of class names or descriptors that are not what they should be.
        MkbenchError: the first model cannot be opened.
    """
    from mkbench.report.app.gradio_library import require_gradio  # noqa: PLC0415 - before what takes seconds to import

    require_gradio()
    # These take seconds to import.
    from mkbench.cli.app_models import find_openers  # noqa: PLC0415
    from mkbench.cli.own_texts import read_own_texts  # noqa: PLC0415
    from mkbench.report.app.asked_model import ModelShelf  # noqa: PLC0415
    from mkbench.report.app.blocks import make_page  # noqa: PLC0415
    from mkbench.report.app.serving import serve  # noqa: PLC0415

    texts = read_own_texts(options.class_names, options.bank)
    shelf = ModelShelf(find_openers(options.runs, out=options.out, texts=texts, trust=options.trust_config))
    shelf.open(shelf.names[0], print)
    serve(
        lambda gradio: make_page(gradio, shelf, debug=is_debugging()),
        host=options.host,
        port=options.port,
        ready=lambda address: print(f"app: {address} (Ctrl-C ends it)", flush=True),
    )
    return 0
