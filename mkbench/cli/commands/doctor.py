"""`mkbench doctor`: pre-flight checks before a long run."""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.text import Text

from mkbench.tables import Cell, Column, ResultTable, to_console

if TYPE_CHECKING:
    from mkbench.cli.doctor import Finding

HELP = "check model, class list, bank, data and resources before a long run. It takes the options of `predict`."

#: State -> symbol, the same in plain letters, style.
_SHOWN = {"ok": ("✔", "+", "green"), "warning": ("!", "!", "yellow"), "problem": ("✘", "x", "bold red")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--config", type=Path, required=True, help="configuration of `predict`, or a bench")
    parser.add_argument("--out", type=Path, help="folder that a bench would write to; as --results.root")
    parser.add_argument("--fast", action="store_true", help="leave out the timed images and zero-shot accuracy")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(overrides=[])


def run(options: argparse.Namespace) -> int:
    """Print what was found; exit code 1 if there is a problem."""
    overrides = [*options.overrides, *([f"--results.root={options.out}"] if options.out else [])]
    logging.disable(logging.ERROR)  # libraries complain of what the findings say
    try:
        with Console(stderr=True).status("starting ...") as status:  # it shows on a terminal only
            from mkbench.cli.doctor import examine  # noqa: PLC0415 - torch and open_clip take seconds to import

            findings = examine(
                options.config, overrides, fast=options.fast, say=lambda doing: status.update(f"{doing} ...")
            )
    finally:
        logging.disable(logging.NOTSET)
    problems, warnings = (sum(each.state == state for each in findings) for state in ("problem", "warning"))
    if options.json:
        listed = [asdict(finding) for finding in findings]
        print(json.dumps({"findings": listed, "problems": problems, "warnings": warnings}, indent=2))
    else:
        print_findings(findings, Console())
        print(f"{_number(problems, 'problem')}, {_number(warnings, 'warning')}")
    return 1 if problems else 0


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def print_findings(findings: Sequence["Finding"], console: Console) -> None:
    """Print findings by area, each with a symbol and a word, as wide as the console is."""
    from mkbench.cli.doctor.findings import Area  # noqa: PLC0415

    columns = _columns(plain=not console.encoding.lower().startswith("utf"))
    for area in get_args(Area):
        chosen = [finding for finding in findings if finding.area == area]
        if chosen:
            console.print(Text(area, style="bold"))
            console.print(to_console(ResultTable(columns, chosen, look="bare"), width=console.width))


def _columns(*, plain: bool) -> list[Column]:
    """Symbol, state, and what was found in which model."""
    width = max(map(len, _SHOWN))  # the same in every area

    def symbol(finding: "Finding") -> Cell:
        return Cell(f"  {_SHOWN[finding.state][plain]}", style=_SHOWN[finding.state][2])

    def state(finding: "Finding") -> Cell:
        return Cell(finding.state.ljust(width), style=_SHOWN[finding.state][2])

    def sentence(finding: "Finding") -> Cell:
        about = f"{finding.model}: " if finding.model else ""
        return Cell(f"{about}{finding.sentence}", style="bold")

    return [Column("", value, text=True) for value in (symbol, state, sentence)]
