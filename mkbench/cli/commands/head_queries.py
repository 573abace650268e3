"""`mkbench heads QUERY`: nearest images and segmentation maps from the attention heads of one finished run."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mkbench.cli.run_parts import add_trust_option
from mkbench.studies.head_queries.read_head import read_head

if TYPE_CHECKING:  # they take seconds to import
    from mkbench.studies.head_queries.answer import Answer
    from mkbench.studies.head_queries.study import HeadRun

#: What ``add_argument`` takes beside the flag.
Option: TypeAlias = Mapping[str, Any]


def _required(**option: Any) -> Option:
    return {"required": True, "default": argparse.SUPPRESS, **option}


_IMAGE = _required(help="sample id of the run's data, or an image file")
_TEXT = _required(help="what to look for; encoded as it is")
_ANY_HEAD: Option = {"type": read_head, "metavar": "LAYER.HEAD", "help": "one head, both numbers from 0, such as 3.2"}
_HEAD = _required(**_ANY_HEAD)
TOP: Option = {"type": int, "default": 8, "help": "how many images"}
_PROPERTY = _required(dest="property_name", help="as `mkbench heads RUN` names it in labels.json")
_TEXTS = _required(nargs=2, metavar=("A", "B"), help="both texts; encoded as they are")


def add_similarity(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add the option that says how contributions are compared."""
    parser.add_argument("--similarity", choices=("dot", "cosine", "centred"), default="dot", help=meaning)


def open_head_run(run: Path, *, trust: bool) -> "HeadRun":
    """Open a finished run that heads are asked of.

    Raises:
        MkbenchError: it is none, it is damaged, or the model has other weights.
    """
    # These take seconds to import.
    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.cli.run_parts import load_data, load_system  # noqa: PLC0415
    from mkbench.heads.store import open_store  # noqa: PLC0415
    from mkbench.studies.head_queries.study import HeadRun  # noqa: PLC0415

    restore_results([run], trust=trust)
    return HeadRun(open_store(run), load_system(run, trust=trust), load_data(run, trust=trust))


def save_answer(answer: "Answer", run: Path, out: Path | None = None) -> list[Path]:
    """Write the figure of an answer and its data; return the files.

    Args:
        answer: what the heads say.
        run: folder of the run.
        out: see ``answer_path``.
    """
    from mkbench.plotting.style import save_figure  # noqa: PLC0415
    from mkbench.studies.head_queries.answer import answer_path, write_answer  # noqa: PLC0415
    from mkbench.studies.head_queries.figure import answer_figure  # noqa: PLC0415

    base = answer_path(answer, run, out)
    return [*save_figure(answer_figure(answer), base), write_answer(answer, base)]


@dataclass(frozen=True)
class HeadQuery:
    """Command for one query to the heads of a finished run.

    Attributes:
        name: of the question, a method of ``mkbench.studies.head_queries.study.HeadRun``.
        HELP: what it answers.
        options: flag -> option, one for each argument of the method but ``similarity``, which all have.
        similarity: what the choices mean.
    """

    name: str
    HELP: str
    options: Mapping[str, Option]
    similarity: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the command."""
        parser.add_argument("run", type=Path, metavar="RUN", help="folder of a model's run")
        for flag, option in self.options.items():
            parser.add_argument(flag, **option)
        add_trust_option(parser)
        add_similarity(parser, self.similarity)
        parser.add_argument(
            "--out",
            type=Path,
            default=argparse.SUPPRESS,
            help="figure; a PDF and the data are put beside it (default: a name of its own in RUN/analyses)",
        )

    def run(self, options: argparse.Namespace) -> int:
        """Print the answer, and write its figure and data.

        Raises:
            MkbenchError: a question that has no answer in this run, or a file that cannot be read.
        """
        # These take seconds to import.
        from rich.console import Console  # noqa: PLC0415

        from mkbench.studies.head_queries.table import answer_table  # noqa: PLC0415
        from mkbench.tables import to_console  # noqa: PLC0415

        question = dict(vars(options))
        run, out, trust = question.pop("run"), question.pop("out", None), question.pop("trust_config")
        answer = getattr(open_head_run(run, trust=trust), self.name)(**question)
        console = Console()
        console.print(to_console(answer_table(answer), width=console.width))
        for path in save_answer(answer, run, out):
            print(path)
        return 0


OF_IMAGES = "product as published, product of directions, or that without the mean of the images"
_OF_PATCHES = "product as published, product of directions, or the product without its mean over the patches"

PROPERTY_NEIGHBORS = HeadQuery(
    "property_neighbors",
    "find the images most like an image in one property, such as colour. `mkbench heads RUN` finds the properties.",
    {"--image": _IMAGE, "--property": _PROPERTY, "--top": TOP},
    OF_IMAGES,
)
IMAGE_NEIGHBORS = HeadQuery(
    "image_neighbors",
    "find the images for which one head writes what it writes for an image.",
    {"--image": _IMAGE, "--head": _HEAD, "--top": TOP},
    OF_IMAGES,
)
TEXT_NEIGHBORS = HeadQuery(
    "text_neighbors",
    "find the images for which one head writes what a text says.",
    {"--text": _TEXT, "--head": _HEAD, "--top": TOP},
    OF_IMAGES,
)
TOPIC_SEGMENTATION = HeadQuery(
    "topic_segmentation",
    "map where in an image the heads write what a text says. Without --head, all heads of all layers are added up.",
    {"--image": _IMAGE, "--text": _TEXT, "--head": _ANY_HEAD},
    _OF_PATCHES,
)
CONTRASTIVE_SEGMENTATION = HeadQuery(
    "contrastive_segmentation",
    "map where in an image the heads write one text rather than another.",
    {"--image": _IMAGE, "--texts": _TEXTS},
    _OF_PATCHES,
)
