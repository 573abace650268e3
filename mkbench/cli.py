"""The command line: LightningCLI for `predict` and `fit`, and the verbs that need no trainer."""

import argparse
import errno
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from mkbench import __version__
from mkbench.errors import MkbenchError, sentence

#: Verb -> module with `HELP`, `add_arguments(parser)` and `run(options) -> int`, imported only when it is used.
VERBS: Mapping[str, str] = {
    "demo": "mkbench.verbs.demo",
    "doctor": "mkbench.verbs.doctor",
    "bench": "mkbench.verbs.bench",
    "boost": "mkbench.verbs.boost",
    "heads": "mkbench.verbs.heads",
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
        print(_HELP.format(verbs=_list_verbs()))
        return 0
    if verb == "--version":
        print(f"mkbench {__version__}")
        return 0
    if verb in TRAINER_VERBS:
        run_trainer(words)
        return 0
    if verb not in VERBS:
        print(
            f"mkbench: expected a verb out of {', '.join([*TRAINER_VERBS, *VERBS])}, found {verb!r}.", file=sys.stderr
        )
        return 2
    module: Any = import_module(VERBS[verb])
    parser = argparse.ArgumentParser(
        prog=f"mkbench {verb}", description=module.HELP, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    module.add_arguments(parser)
    options, rest = parser.parse_known_args(words[1:])
    if rest and not hasattr(options, "overrides"):
        parser.error(f"unknown options: {' '.join(rest)}")
    if rest:
        options.overrides = rest
    exit_code: int = module.run(options)
    return exit_code


def _list_verbs() -> str:
    lines = dict(TRAINER_VERBS)
    lines |= {verb: import_module(module).HELP.split(". ")[0] for verb, module in VERBS.items()}
    return "\n".join(f"  {verb:<8} {line}" for verb, line in lines.items())


def run_trainer(words: Sequence[str]) -> Path | None:
    """Run `predict` or `fit` with the given words, in this process; return the folder of the run, if it has one.

    Raises:
        MkbenchError: whatever a user's mistake leads to.
    """
    from mkbench.trainer_cli import MkbenchCLI  # noqa: PLC0415 - torch and Lightning take seconds to import

    return MkbenchCLI(list(words)).run_folder


if __name__ == "__main__":
    sys.exit(main())
