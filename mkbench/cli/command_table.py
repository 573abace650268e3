"""Table of the commands, imported only when they are used, and their parsers."""

import argparse
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import takewhile
from typing import Any, NoReturn

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
    "heads gallery": "mkbench.cli.commands.head_gallery",
    "heads remove": "mkbench.cli.commands.head_removal",
    "heads prune": "mkbench.cli.commands.head_pruning",
    "heads truth": "mkbench.cli.commands.head_truth",
    "heads ablate": "mkbench.cli.commands.concept_head_ablation",
    "class-token": "mkbench.cli.commands.class_token",
    "bank": "mkbench.cli.commands.bank",
    "bank analyse": "mkbench.cli.commands.bank_analysis",
    "compare": "mkbench.cli.commands.compare",
    "report": "mkbench.cli.commands.report",
    "app": "mkbench.cli.commands.app",
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


#: Option of `mkbench predict` that a command which hands options on takes, though it has no dot.
_SEED = "--seed_everything"


class CommandParser(argparse.ArgumentParser):
    """Parser of a command, which names unknown options even where something else is missing."""

    _words: Sequence[str] = ()

    @property
    def hands_on(self) -> bool:
        """Whether options that the command does not know are for `mkbench predict`."""
        return self.get_default("overrides") is not None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as ever, and remember the words for a message."""
        self._words = args or ()
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with exit code 2."""
        unknown = [] if message.startswith("unknown options") else self._unknown_options()
        super().error(f"{message}; unknown options: {' '.join(unknown)}{self.advise(unknown)}" if unknown else message)

    def advise(self, unknown: Sequence[str]) -> str:
        """Return "; did you mean ...?" for the first of some unknown options, or nothing where no option is near."""
        names = [word.partition("=")[0] for word in unknown[:1]]
        nearest = [near for name in names for near in get_close_matches(name, list(self._option_string_actions), n=1)]
        return f"; did you mean {nearest[0]}?" if nearest else ""

    def _unknown_options(self) -> list[str]:
        options = [word for word in takewhile(lambda word: word != "--", self._words) if word.startswith("--")]
        names = [option.partition("=")[0] for option in options]
        handed_on = [name for name in names if self.hands_on and ("." in name or name == _SEED)]
        known = tuple(self._option_string_actions)
        return [name for name in names if name not in handed_on and not any(each.startswith(name) for each in known)]


def make_parser(command: str) -> CommandParser:
    """Return the parser of a command."""
    module = load_command(command)
    parser = CommandParser(
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
