from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["comp"], {"compare", "completion"}),
        (["heads", "pr"], {"property-neighbors", "prune"}),
        (["verify", "--ag"], {"--against"}),
        (["configs", "copy", "--"], {"--help"}),
        (["predict", "--res"], {"--results.root", "--results.overwrite"}),
    ],
)
def test_tab_completes_commands_and_options(command: Callable[..., Any], typed: list[str], expected: set[str]) -> None:
    script = command("completion", "bash").output
    words = " ".join(["mkbench", *typed])
    ask = f'{script}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed)}; _mkbench; echo "${{COMPREPLY[@]}}"'
    found = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == expected
    assert found.stderr == ""


def test_zsh_reads_the_same_through_its_own_layer(command: Callable[..., Any]) -> None:
    assert "bashcompinit" in command("completion", "zsh").output.splitlines()[1]
