"""Table of the commands, imported only when they are used, and their parsers."""

import argparse
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

#: Command, of one word or two -> module or `module:object`, imported only when it is used, with `HELP`,
#: `add_arguments(parser)` and `run(options) -> int`.
COMMANDS: Mapping[str, str] = {
    "demo": "mkbench.cli.commands.demo",
    "doctor": "mkbench.cli.commands.doctor",
    "bench": "mkbench.cli.commands.bench",
    "mined-descriptors": "mkbench.cli.commands.mined_descriptors",
    "heads": "mkbench.cli.commands.heads",
    "heads property-neighbors": "mkbench.cli.commands.head_queries:PROPERTY_NEIGHBORS",
    "heads image-neighbors": "mkbench.cli.commands.head_queries:IMAGE_NEIGHBORS",
    "heads text-neighbors": "mkbench.cli.commands.head_queries:TEXT_NEIGHBORS",
    "heads topic-segmentation": "mkbench.cli.commands.head_queries:TOPIC_SEGMENTATION",
    "heads contrastive-segmentation": "mkbench.cli.commands.head_queries:CONTRASTIVE_SEGMENTATION",
    "heads remove": "mkbench.cli.commands.head_removal",
    "heads prune": "mkbench.cli.commands.head_pruning",
    "class-token": "mkbench.cli.commands.class_token",
    "bank": "mkbench.cli.commands.bank",
    "bank analyse": "mkbench.cli.commands.bank_analysis",
    "compare": "mkbench.cli.commands.compare",
    "report": "mkbench.cli.commands.report",
    "verify": "mkbench.cli.commands.verify",
    "explain": "mkbench.cli.commands.explain",
    "models": "mkbench.cli.commands.models",
    "metrics": "mkbench.cli.commands.metrics",
    "configs": "mkbench.cli.commands.configs",
    "completion": "mkbench.cli.commands.completion",
    "configs copy": "mkbench.cli.commands.configs:COPY",
}
TRAINER_COMMANDS: Mapping[str, str] = {
    "predict": "evaluate one model: mkbench predict --config FILE [--data.root DIR ...]",
    "fit": "train a model: mkbench fit --config FILE",
}


def options_by_command() -> dict[str, list[str]]:
    """List the option strings of the commands that need no trainer, by command."""
    return {
        name: [flag for flag in make_parser(name)._option_string_actions if flag.startswith("--")] for name in COMMANDS
    }


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    module = load_command(command)
    parser = argparse.ArgumentParser(
        prog=f"mkbench {command}",
        description=textwrap.fill(module.HELP, shutil.get_terminal_size().columns - 2),
        epilog=list_commands(name for name in COMMANDS if name.startswith(f"{command} ")),
        formatter_class=_HelpFormatter,
    )
    module.add_arguments(parser)
    return parser


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Names the defaults of options that have one, and leaves the lines of the commands below them alone."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def load_command(command: str) -> Any:
    """Import the module or object of a command."""
    module, _, name = COMMANDS[command].partition(":")
    loaded = import_module(module)
    return getattr(loaded, name) if name else loaded


def list_commands(commands: Iterable[str]) -> str:
    """Return a line of help for each command, in columns."""
    lines = {
        command: TRAINER_COMMANDS.get(command) or load_command(command).HELP.split(". ")[0].rstrip(".")
        for command in commands
    }
    width = max(map(len, lines), default=0)
    return "\n".join(f"  {command:<{width}} {line}" for command, line in lines.items())
