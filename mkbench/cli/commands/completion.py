"""`mkbench completion`: a script for the Tab key of bash or zsh."""

import argparse

from mkbench.cli.command_table import TRAINER_COMMANDS, options_by_command

HELP = "print a script that completes commands and options: add `source <(mkbench completion bash)` to ~/.bashrc."

_BASH = """# Completion of mkbench; in zsh it runs under bashcompinit.
{zsh}_mkbench() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" first="${{COMP_WORDS[1]}}" second="${{COMP_WORDS[2]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands}"
  else
    case "$first $second" in
{pairs}
      *) case "$first" in
{singles}
      esac ;;
    esac
  fi
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}}
complete -o default -F _mkbench mkbench
"""
#: For the commands whose options are those of the classes in a configuration.
_OF_TRAINER = ("--config", "--model.", "--data.", "--results.root", "--results.overwrite", "--trainer.", "--help")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("shell", choices=("bash", "zsh"), help="the shell that reads the script")


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    known = options_by_command() | {name: list(_OF_TRAINER) for name in TRAINER_COMMANDS}
    firsts = [name for name in known if " " not in name]
    seconds = {first: [name.split()[1] for name in known if name.startswith(f"{first} ")] for first in firsts}
    pairs = [f'      "{name}") words="{" ".join(flags)}" ;;' for name, flags in known.items() if " " in name]
    singles = [f'        {name}) words="{" ".join([*seconds[name], *known[name]])}" ;;' for name in firsts]
    zsh = "autoload -U +X bashcompinit && bashcompinit\n" if options.shell == "zsh" else ""
    print(_BASH.format(zsh=zsh, commands=" ".join(firsts), pairs="\n".join(pairs), singles="\n".join(singles)), end="")
    return 0
