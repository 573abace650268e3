"""`mkbench heads`: describe and label the attention heads of finished runs."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mkbench.cli.endpoint_options import add_endpoint_options, make_endpoint
from mkbench.cli.run_parts import add_trust_option, load_system
from mkbench.errors import UsageError

if TYPE_CHECKING:
    from mkbench.concepts import ConceptBank
    from mkbench.heads.labels import Judge, Labeller
    from mkbench.studies.head_labels.study import HeadReport

HELP = (
    "describe the attention heads of finished runs by texts, and label them. The runs are of a configuration such as "
    "critters/heads.yaml; heads.json, labels.json and the metrics go to each run."
)
_ASSETS = Path(__file__).resolve().parents[2] / "assets" / "heads"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a model's run, or of a bench")
    texts = parser.add_argument_group("texts")
    texts.add_argument(
        "--pool",
        type=Path,
        help="texts to choose from: one a line in a .txt file, or a JSON list; Critters brings its own",
    )
    texts.add_argument("--num-texts", type=int, default=20, help="texts picked for a head; the first five are labelled")
    texts.add_argument(
        "--span", choices=("weights", "data"), default="weights", help="what a head can write: by weights or by data"
    )
    texts.add_argument("--rank", type=int, help="of the span of the data; 80 as published if there is no other")
    texts.add_argument(
        "--normalise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="divide what heads add to an image by the length of its embedding, as the published figures do",
    )
    labels = parser.add_argument_group("labels")
    labels.add_argument(
        "--labeller",
        choices=("bank", "file", "llm"),
        default="bank",
        help="nearest of a list of properties, a file of labels, or a language model",
    )
    labels.add_argument(
        "--judge",
        choices=("similarity", "file", "llm"),
        default="similarity",
        help="who says which texts fit: the model's own text encoder, a file of labels, or a language model",
    )
    labels.add_argument("--properties", type=Path, help="list of properties; Critters and other data have their own")
    labels.add_argument("--labels", type=Path, help="file of labels, as labels.json of a run")
    labels.add_argument("--llm", metavar="MODEL", help="language model, as its endpoint calls it")
    add_endpoint_options(labels)
    labels.add_argument("--threshold", type=int, default=3, help="texts out of five that must fit for an association")
    labels.add_argument("--shuffles", type=int, default=1, help="how often labels are permuted, as a control")
    labels.add_argument("--seed", type=int, default=0, help="of the shuffles")
    add_trust_option(parser)


def run(options: argparse.Namespace) -> int:
    """Describe the heads of all runs and print what was found.

    Raises:
        UsageError: options that do not fit, or a folder without a run that decomposes heads.
    """
    # These take seconds to import.
    from mkbench.cli.lost_results import restore_results  # noqa: PLC0415
    from mkbench.runs.finished_runs import read_runs  # noqa: PLC0415
    from mkbench.studies.head_labels.table import show_report  # noqa: PLC0415
    from mkbench.studies.head_labels.write import write_heads  # noqa: PLC0415

    folders, console = restore_results(options.runs, trust=options.trust_config), Console()
    for describe in [prepare_description(folder, options) for folder in folders]:
        console.print(show_report(describe()))
    if len(folders) > 1:
        parents = {folder.parent for folder in folders}
        target = parents.pop() if len(parents) == 1 else Path("runs/heads")
        console.print(write_heads(read_runs(folders), target, width=console.width))
    return 0


def prepare_description(folder: Path, options: argparse.Namespace) -> Callable[[], "HeadReport"]:
    """Check the options for a run, and return what describes its heads.

    Args:
        folder: of a finished run.
        options: of the command.

    Raises:
        UsageError: options that do not fit.
    """
    # These take seconds to import.
    from mkbench.runs.results import read_results  # noqa: PLC0415
    from mkbench.studies.head_labels.study import HeadOptions, explain_heads  # noqa: PLC0415

    how = HeadOptions(
        num_texts=options.num_texts,
        span=options.span,
        rank=options.rank,
        threshold=options.threshold,
        shuffles=options.shuffles,
        seed=options.seed,
        normalise=options.normalise,
    )
    pool, labeller, judge = _choose(options, str(read_results(folder)["data"]["name"]))
    return lambda: explain_heads(folder, load_system(folder, trust=options.trust_config), pool, labeller, judge, how)


def _choose(options: argparse.Namespace, data: str) -> tuple["ConceptBank", "Labeller", "Judge"]:
    """Return the pool, the labeller and the judge for runs over some data."""
    from mkbench.concepts import load_bank  # noqa: PLC0415

    pool = options.pool or _packaged(data, "descriptions")
    if pool is None:
        raise UsageError(
            f"Expected --pool FILE with general descriptions of images for {data}, found none; give a text file with "
            "one a line, such as image_descriptions_general.txt of the published method."
        )
    return load_bank(pool), *choose_labels(options, options.properties or _packaged(data, "properties"))


def _packaged(data: str, kind: str) -> Path | None:
    """Return the list that comes with the package for a data set; None where there is none."""
    path = _ASSETS / f"{data.partition('-')[0]}-{kind}.json"
    return path if path.is_file() else None


def choose_labels(options: argparse.Namespace, properties: Path | None) -> tuple["Labeller", "Judge"]:
    """Return the labeller and the judge that options name.

    Args:
        options: of the command.
        properties: list of properties for those that compare with one; None is that of the package.

    Raises:
        UsageError: an option that one of them needs is missing, or one that none of them needs is there.
    """
    from mkbench.heads.labels import (  # noqa: PLC0415
        BankLabeller,
        FileJudge,
        FileLabeller,
        LanguageModelJudge,
        LanguageModelLabeller,
        SimilarityJudge,
    )

    asked = {options.labeller, options.judge}
    _require_together("llm", options.llm, needed="llm" in asked)
    _require_together("labels", options.labels, needed="file" in asked)
    if options.properties is not None and not asked & {"bank", "similarity"}:
        raise UsageError("Expected no --properties, found one; neither --labeller nor --judge compares with a list.")
    labellers: dict[str, Any] = {
        "bank": lambda: BankLabeller(properties),
        "file": lambda: FileLabeller(options.labels),
        "llm": lambda: LanguageModelLabeller(make_endpoint(options.llm, options)),
    }
    judges: dict[str, Any] = {
        "similarity": lambda: SimilarityJudge(bank=properties),
        "file": lambda: FileJudge(options.labels),
        "llm": lambda: LanguageModelJudge(make_endpoint(options.llm, options)),
    }
    return labellers[options.labeller](), judges[options.judge]()


def _require_together(option: str, value: object, *, needed: bool) -> None:
    if needed and value is None:
        raise UsageError(f"Expected --{option} beside --labeller or --judge {_NEEDED_BY[option]}, found none; give it.")
    if not needed and value is not None:
        raise UsageError(
            f"Expected --labeller or --judge {_NEEDED_BY[option]} beside --{option}, found neither; give one of them."
        )


_NEEDED_BY = {"llm": "llm", "labels": "file"}
