"""The command line: LightningCLI for `predict` and `fit`, and the commands that need no trainer."""

import argparse
import errno
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from mkbench import __version__
from mkbench.errors import MkbenchError, UsageError, sentence

#: Verb, of one word or two -> module or `module:object`, imported only when it is used, with `HELP`,
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
    "compare": "mkbench.cli.commands.compare",
    "verify": "mkbench.cli.commands.verify",
    "explain": "mkbench.cli.commands.explain",
    "models": "mkbench.cli.commands.models",
    "metrics": "mkbench.cli.commands.metrics",
}
TRAINER_COMMANDS: Mapping[str, str] = {
    "predict": "evaluate one model: mkbench predict --config FILE [--data.root DIR ...]",
    "fit": "train a model: mkbench fit --config FILE",
}
_HELP = """usage: mkbench COMMAND [options]

What the image and text encoders of a CLIP model know in common. Start with `mkbench demo`.

{commands}

What can be done with a run of attention heads:

{analyses}

`mkbench COMMAND --help` explains the options of a command. Exit codes: 0 done, 1 failed, 2 wrong usage,
3 verify found a mismatch.
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code.

    Args:
        args: the words after ``mkbench``; None takes those of the process.

    >>> main(["--version"])
    mkbench 0.1.0
    0
    """
    words = list(sys.argv[1:] if args is None else args)
    try:
        return _dispatch(words)
    except MkbenchError as error:
        print(f"mkbench: {sentence(error)}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # a full disk, a folder without permission: the user's to mend, not a fault to trace
        where = f" ({error.filename})" if error.filename else ""
        remedy = "; free some, then run the same command again to go on" if error.errno == errno.ENOSPC else ""
        print(f"mkbench: {error.strerror or error}{where}{remedy}.", file=sys.stderr)
        return 1
    except SystemExit as stop:  # argparse ends this way, after saying why
        # Lightning exits so after an interrupt.
        if isinstance(stop.__context__, KeyboardInterrupt):
            return _interrupted()
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return _interrupted()


def _interrupted() -> int:
    print("mkbench: interrupted; the finished class groups are kept.", file=sys.stderr)
    return 130


def _dispatch(words: list[str]) -> int:
    command = words[0] if words else "--help"
    if command in ("-h", "--help"):
        names = [*TRAINER_COMMANDS, *COMMANDS]
        short, long = ([name for name in names if (" " in name) == two] for two in (False, True))
        print(_HELP.format(commands=_list_commands(short), analyses=_list_commands(long)))
        return 0
    if command == "--version":
        print(f"mkbench {__version__}")
        return 0
    if command in TRAINER_COMMANDS:
        run_trainer(words)
        return 0
    command = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else command
    if command not in COMMANDS:
        known = [*TRAINER_COMMANDS, *(name for name in COMMANDS if " " not in name)]
        raise UsageError(f"expected a command out of {', '.join(known)}, found {command!r}.")
    rest = words[len(command.split()) :]
    _refuse_misspelt(command, rest)
    return _run_command(command, rest)


def _refuse_misspelt(command: str, rest: list[str]) -> None:
    """Keep a second word that is nearly one of a command from being taken for a folder."""
    seconds = [name.removeprefix(f"{command} ") for name in COMMANDS if name.startswith(f"{command} ")]
    nearest = get_close_matches(rest[0], seconds, n=1, cutoff=0.8) if rest else []
    if nearest and not Path(rest[0]).exists():
        raise UsageError(
            f"expected a folder or a command, found {' '.join([command, rest[0]])!r}; did you mean {nearest[0]}?"
        )


def _run_command(command: str, words: list[str]) -> int:
    module = _load_command(command)
    parser = argparse.ArgumentParser(
        prog=f"mkbench {command}",
        description=textwrap.fill(module.HELP, shutil.get_terminal_size().columns - 2),
        epilog=_list_commands(name for name in COMMANDS if name.startswith(f"{command} ")),
        formatter_class=_HelpFormatter,
    )
    module.add_arguments(parser)
    options, rest = parser.parse_known_args(words)
    if rest and not hasattr(options, "overrides"):
        parser.error(f"unknown options: {' '.join(rest)}")
    if rest:
        options.overrides = rest
    exit_code: int = module.run(options)
    return exit_code


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Names the defaults of options that have one, and leaves the lines of the commands below them alone."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def _load_command(command: str) -> Any:
    module, _, name = COMMANDS[command].partition(":")
    loaded = import_module(module)
    return getattr(loaded, name) if name else loaded


def _list_commands(commands: Iterable[str]) -> str:
    """Return a line of help for each command, in columns."""
    lines = {
        command: TRAINER_COMMANDS.get(command) or _load_command(command).HELP.split(". ")[0].rstrip(".")
        for command in commands
    }
    width = max(map(len, lines), default=0)
    return "\n".join(f"  {command:<{width}} {line}" for command, line in lines.items())


def run_trainer(words: Sequence[str]) -> Path | None:
    """Run `predict` or `fit` with the given words, in this process; return the folder of the run, if it has one.

    Raises:
        MkbenchError: whatever a user's mistake leads to.
    """
    from mkbench.cli.trainer import MkbenchCLI  # noqa: PLC0415 - torch and Lightning take seconds to import

    return MkbenchCLI(list(words)).run_folder


if __name__ == "__main__":
    sys.exit(main())
