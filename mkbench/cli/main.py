"""Entry point of the command line: finds the command, and turns errors into sentences and exit codes."""

import errno
import io
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from mkbench import __version__
from mkbench.cli.command_table import COMMANDS, TRAINER_COMMANDS, list_commands, load_command, make_parser
from mkbench.cli.config_files import with_found_configs
from mkbench.cli.dead_workers import dead_workers_explained
from mkbench.cli.failures import take_debug
from mkbench.cli.plugins import take_plugins
from mkbench.cli.shown_warnings import warnings_as_sentences
from mkbench.cli.stopping import TERMINATED, leave, report_stop, stop_before_faults, stoppable, take_stop_signal
from mkbench.errors import MkbenchError, UsageError, did_you_mean, sentence

_HELP = """usage: mkbench COMMAND [options]

What the image and text encoders of a CLIP model know in common. Start with `mkbench demo`.

{commands}

What can be done with a run of attention heads:

{analyses}

`mkbench COMMAND --help` explains the options of a command; --plugins FILE.py imports classes of your own;
--debug shows where a model of a bench failed; --stop-signal SIGUSR1 stops a command as SIGTERM does.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 verify found a mismatch, 130 Ctrl-C, 143 stopped by a signal.
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that is not UTF-8 must not end a command at an arrow
            stream.reconfigure(errors="replace")
    with stoppable(), warnings_as_sentences():
        exit_code = _run(words)
        if args is None and exit_code == TERMINATED:  # within the time that is left for it
            leave(exit_code)
    return exit_code


def _run(words: list[str]) -> int:  # noqa: PLR0911 - one for each kind of error
    """Run a command; turn what a user can mend into a sentence and an exit code."""
    try:
        with stop_before_faults(), dead_workers_explained():
            return _dispatch(words)
    except MkbenchError as error:
        print(f"mkbench: {sentence(error)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # `mkbench ... | head` has read enough; at exit Python would write to the pipe once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a full disk, a folder without permission: the user's to mend, not a fault to trace
        where = f" ({error.filename})" if error.filename else ""
        remedy = "; free some, then run the same command again to go on" if error.errno == errno.ENOSPC else ""
        print(f"mkbench: {error.strerror or error}{where}{remedy}.", file=sys.stderr)
        return 1
    except SystemExit as stop:  # argparse ends this way, after saying why
        # Lightning exits so after an interrupt.
        if isinstance(stop.__context__, KeyboardInterrupt):
            return report_stop(stop.__context__)
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt as stop:
        return report_stop(stop)


def _dispatch(words: list[str]) -> int:
    words = take_plugins(take_stop_signal(take_debug(words)))
    command = words[0] if words else "--help"
    if command in ("-h", "--help"):
        names = [*TRAINER_COMMANDS, *COMMANDS]
        of_heads = [name for name in names if name.startswith("heads ")]
        others = [name for name in names if name not in of_heads]
        print(_HELP.format(commands=list_commands(others), analyses=list_commands(of_heads)))
        return 0
    if command == "--version":
        print(f"mkbench {__version__}")
        return 0
    if command in TRAINER_COMMANDS:
        return _run_trainer(words)
    command = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else command
    if command not in COMMANDS:
        known = [*TRAINER_COMMANDS, *(name for name in COMMANDS if " " not in name)]
        raise UsageError(f"Expected a command, found {command!r}; {did_you_mean(command, known)}.")
    rest = words[len(command.split()) :]
    _refuse_misspelt(command, rest)
    return _run_command(command, rest)


def _run_trainer(words: list[str]) -> int:
    """Run `predict` or `fit`, and show what came of it."""
    words = with_found_configs(words)
    # These take seconds to import.
    from mkbench.cli.trainer import MkbenchCLI  # noqa: PLC0415
    from mkbench.cli.trainer_help import show_help  # noqa: PLC0415

    if "--help-all" in words:
        words = [words[0], "--help"]
    elif set(words) & {"-h", "--help"}:
        show_help(words)
        return 0
    MkbenchCLI(words).show_outcome()
    return 0


def _refuse_misspelt(command: str, rest: list[str]) -> None:
    """Keep a second word that is nearly one of a command from being taken for a folder."""
    seconds = [name.removeprefix(f"{command} ") for name in COMMANDS if name.startswith(f"{command} ")]
    nearest = get_close_matches(rest[0], seconds, n=1, cutoff=0.8) if rest else []
    if nearest and not Path(rest[0]).exists():
        raise UsageError(
            f"Expected a folder or a command, found {' '.join([command, rest[0]])!r}; did you mean {nearest[0]}?"
        )


def _run_command(command: str, words: list[str]) -> int:
    parser = make_parser(command)
    options, rest = parser.parse_known_args(words)
    if rest and not parser.hands_on:
        parser.error(f"unknown options: {' '.join(rest)}{parser.advise(rest)}")
    if rest:
        options.overrides = rest
    exit_code: int = load_command(command).run(options)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
