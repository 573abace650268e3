"""`mkbench configs`: list and copy the packaged configurations."""

import argparse
import shutil
import textwrap
from pathlib import Path

from mkbench.atomic_files import written_whole
from mkbench.cli.config_files import headline, packaged_config, packaged_configs, portable_text
from mkbench.errors import UsageError

HELP = "list the packaged configurations. --config takes each by its path, from any folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no options: the command has none."""


def run(options: argparse.Namespace) -> int:
    """Print the path of each configuration and the first line of its comment."""
    width = shutil.get_terminal_size().columns
    for name, path in packaged_configs().items():
        print(name)
        said = headline(path)
        if said:
            print(textwrap.indent(textwrap.fill(said, width - 6), "    "))
    return 0


class _Copy:
    """Command that copies one packaged configuration."""

    HELP = "copy a packaged configuration, to be changed. What it refers to is still found among the packaged ones."

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Add the options of the command."""
        parser.add_argument("name", metavar="NAME", help="as `mkbench configs` lists it")
        parser.add_argument(
            "destination", nargs="?", type=Path, default=Path(), metavar="DEST", help="file or folder to copy it to"
        )

    @staticmethod
    def run(options: argparse.Namespace) -> int:
        """Write the copy and print where it is.

        Raises:
            UsageError: no such configuration, or a file is there already.
        """
        source = packaged_config(options.name)
        target = options.destination / source.name if options.destination.is_dir() else options.destination
        if target.exists():
            raise UsageError(f"Expected no file at {target}, found one; name another destination or remove it.")
        with written_whole(target) as temporary:
            temporary.write_text(portable_text(source), encoding="utf-8")
        print(target)
        return 0


COPY = _Copy()
