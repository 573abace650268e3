"""`mkbench bank`: make a concept bank for a class list by a language model."""

import argparse
from pathlib import Path

from rich.console import Console

from mkbench.cli.endpoint_options import add_endpoint_options, make_endpoint
from mkbench.datamodules.class_names import name_list, read_class_names
from mkbench.errors import DataError, UsageError
from mkbench.language_models.bank_origin import origin_path
from mkbench.language_models.descriptor_bank import BankOptions, DescriptorBank, make_bank
from mkbench.language_models.descriptor_questions import prompt_names

HELP = (
    "make a concept bank for a class list by a language model. Every reply is kept beside the bank: the same command "
    "goes on where it was, and no question is asked or paid for twice."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    # Options without a default of use to a reader have none.
    parser.add_argument(
        "--class-names",
        type=Path,
        required=True,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="class names: one a line, or JSON",
    )
    parser.add_argument(
        "--llm",
        action="append",
        required=True,
        default=argparse.SUPPRESS,
        metavar="MODEL",
        help="language model, as its endpoint calls it; repeatable",
    )
    parser.add_argument(
        "--prompt",
        action="append",
        choices=prompt_names(),
        default=argparse.SUPPRESS,
        help="published prompt; repeatable; P1 if none is named",
    )
    parser.add_argument("--out", type=Path, default=Path("bank.json"), help="the bank, JSON {class: [descriptors]}")
    parser.add_argument("--max-per-class", type=int, metavar="N", help="most descriptors of a class; None keeps all")
    add_endpoint_options(parser)


def run(options: argparse.Namespace) -> int:
    """Make the bank and say what came of it.

    Raises:
        UsageError: options that do not fit, or an endpoint that does not accept the key, the model or a question.
        DataError: a file of class names that is not one, or replies without descriptors.
        EndpointError: questions without an answer.
    """
    how = BankOptions(
        endpoints=tuple(make_endpoint(model, options) for model in options.llm),
        prompts=tuple(dict.fromkeys(getattr(options, "prompt", ["P1"]))),
        max_per_class=options.max_per_class,
    )
    if options.out.suffix != ".json":
        raise UsageError(f"Expected --out FILE.json, found {options.out}; a bank with classes is JSON.")
    bank = make_bank(_read_names(options.class_names), how, log=options.out.with_suffix(".answers.jsonl"))
    bank.write(options.out)
    Console(soft_wrap=True).print(describe(bank, options.out), highlight=False, markup=False)
    return 0


def _read_names(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise UsageError(f"Expected a file of class names at {path}, found none; check --class-names.")
    names = name_list(read_class_names(path))
    if not names:
        raise DataError(f"Expected at least one class name in {path}, found none; correct the file.")
    return names


def describe(bank: DescriptorBank, path: Path) -> str:
    """Say what a bank holds, and of which classes it holds nothing.

    >>> from mkbench.language_models.endpoint import Endpoint
    >>> options = BankOptions((Endpoint("llama", base_url="http://localhost:8000/v1"),))
    >>> print(describe(DescriptorBank({"owl": ("wings", "large eyes")}, ("bat",), (), options), Path("bank.json")))
    bank.json: 2 descriptors, 2 of them different, of 1 classes; bank.provenance.json says what it was made with.
    No descriptors of 1 classes: bat.
    """
    entries = [descriptor for found in bank.descriptors.values() for descriptor in found]
    lines = [
        f"{path}: {len(entries):,} descriptors, {len(set(entries)):,} of them different, of {len(bank.descriptors):,} "
        f"classes; {origin_path(path)} says what it was made with."
    ]
    if bank.without:
        shown = ", ".join(bank.without[:10])
        lines.append(
            f"No descriptors of {len(bank.without):,} classes: {shown}{', ...' if len(bank.without) > 10 else ''}."
        )
    return "\n".join(lines)
