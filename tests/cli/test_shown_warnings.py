from __future__ import annotations

import ast
import warnings
from pathlib import Path

import mkbench
from mkbench.cli.shown_warnings import warnings_as_sentences
from mkbench.errors import MkbenchWarning


def show(category: type[Warning]) -> str:
    return warnings.formatwarning("Left out: a run.", category, __file__, 3, "the line")


def test_own_warnings_are_one_sentence_and_others_keep_their_place() -> None:
    before = show(UserWarning)
    assert __file__ in before
    with warnings_as_sentences():
        assert show(MkbenchWarning) == "mkbench: Left out: a run.\n"
        assert show(UserWarning) == before
    assert __file__ in show(MkbenchWarning)


def test_every_warning_of_the_package_is_its_own() -> None:
    rooms = [room.resolve() for room in Path(mkbench.__file__).parent.iterdir() if room.is_dir()]
    texts = [path.read_text(encoding="utf-8") for room in rooms for path in room.rglob("*.py")]
    calls = [
        node
        for text in texts
        if "warnings.warn(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
    ]
    assert len(calls) >= 8
    assert {ast.unparse(call.args[1]) for call in calls} == {"MkbenchWarning"}
