"""The command line: LightningCLI for `predict` and `fit`, and the verbs that need no trainer."""

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
VERBS: Mapping[str, str] = {
    "demo": "mkbench.verbs.demo",
    "doctor": "mkbench.verbs.doctor",
    "bench": "mkbench.verbs.bench",
    "boost": "mkbench.verbs.boost",
    "heads": "mkbench.verbs.heads",
    "heads property-neighbors": "mkbench.verbs.head_analyses:PROPERTY_NEIGHBORS",
    "heads image-neighbors": "mkbench.verbs.head_analyses:IMAGE_NEIGHBORS",
    "heads text-neighbors": "mkbench.verbs.head_analyses:TEXT_NEIGHBORS",
    "heads topic-segmentation": "mkbench.verbs.head_analyses:TOPIC_SEGMENTATION",
    "heads contrastive-segmentation": "mkbench.verbs.head_analyses:CONTRASTIVE_SEGMENTATION",
    "heads remove": "mkbench.verbs.head_removal",
    "heads prune": "mkbench.verbs.head_pruning",
    "compare": "mkbench.verbs.compare",
    "verify": "mkbench.verbs.verify",
    "explain": "mkbench.verbs.explain",
    "models": "mkbench.verbs.models",
}
TRAINER_VERBS: Mapping[str, str] = {
    "predict": "evaluate one model: mkbench predict --config FILE [--data.root DIR ...]",
    "fit": "train a model: mkbench fit --config FILE",
}
_HELP = """usage: mkbench VERB [options]

What the image and text encoders of a CLIP model know in common. Start with `mkbench demo`.

{verbs}

What can be done with a run of attention heads:

{analyses}

`mkbench VERB --help` explains the options of a verb. Exit codes: 0 done, 1 failed, 2 wrong usage,
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
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help"):
        names = [*TRAINER_VERBS, *VERBS]
        short, long = ([name for name in names if (" " in name) == two] for two in (False, True))
        print(_HELP.format(verbs=_list_verbs(short), analyses=_list_verbs(long)))
        return 0
    if verb == "--version":
        print(f"mkbench {__version__}")
        return 0
    if verb in TRAINER_VERBS:
        run_trainer(words)
        return 0
    verb = " ".join(words[:2]) if " ".join(words[:2]) in VERBS else verb
    if verb not in VERBS:
        known = [*TRAINER_VERBS, *(name for name in VERBS if " " not in name)]
        raise UsageError(f"expected a verb out of {', '.join(known)}, found {verb!r}.")
    rest = words[len(verb.split()) :]
    _refuse_misspelt(verb, rest)
    return _run_verb(verb, rest)


def _refuse_misspelt(verb: str, rest: list[str]) -> None:
    """Keep a second word that is nearly one of a verb from being taken for a folder."""
    seconds = [name.removeprefix(f"{verb} ") for name in VERBS if name.startswith(f"{verb} ")]
    nearest = get_close_matches(rest[0], seconds, n=1, cutoff=0.8) if rest else []
    if nearest and not Path(rest[0]).exists():
        raise UsageError(
            f"expected a folder or a verb, found {' '.join([verb, rest[0]])!r}; did you mean {nearest[0]}?"
        )


def _run_verb(verb: str, words: list[str]) -> int:
    module = _load_verb(verb)
    parser = argparse.ArgumentParser(
        prog=f"mkbench {verb}",
        description=textwrap.fill(module.HELP, shutil.get_terminal_size().columns - 2),
        epilog=_list_verbs(name for name in VERBS if name.startswith(f"{verb} ")),
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
    """Names the defaults of options that have one, and leaves the lines of the verbs below them alone."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def _load_verb(verb: str) -> Any:
    module, _, name = VERBS[verb].partition(":")
    loaded = import_module(module)
    return getattr(loaded, name) if name else loaded


def _list_verbs(verbs: Iterable[str]) -> str:
    """Return a line of help for each verb, in columns."""
    lines = {verb: TRAINER_VERBS.get(verb) or _load_verb(verb).HELP.split(". ")[0].rstrip(".") for verb in verbs}
    width = max(map(len, lines), default=0)
    return "\n".join(f"  {verb:<{width}} {line}" for verb, line in lines.items())


def run_trainer(words: Sequence[str]) -> Path | None:
    """Run `predict` or `fit` with the given words, in this process; return the folder of the run, if it has one.

    Raises:
        MkbenchError: whatever a user's mistake leads to.
    """
    from mkbench.trainer_cli import MkbenchCLI  # noqa: PLC0415 - torch and Lightning take seconds to import

    return MkbenchCLI(list(words)).run_folder


if __name__ == "__main__":
    sys.exit(main())
