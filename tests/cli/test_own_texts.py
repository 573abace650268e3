from __future__ import annotations

import json
from pathlib import Path

import pytest

from mkbench.backbones import load_backbone
from mkbench.cli.own_texts import OwnTexts, read_own_texts
from mkbench.errors import DataError, UsageError

BANK = ["wings", "large eyes"]


def files(folder: Path, *, names: str = "owl\nbat\n", bank: str = json.dumps(BANK)) -> tuple[Path, Path]:
    (folder / "names.txt").write_text(names, encoding="utf-8")
    (folder / "bank.json").write_text(bank, encoding="utf-8")
    return folder / "names.txt", folder / "bank.json"


def test_files_of_class_names_and_descriptors(tmp_path: Path) -> None:
    texts = read_own_texts(*files(tmp_path))
    assert texts is not None
    assert (texts.class_names, texts.descriptors) == (("owl", "bat"), ("wings", "large eyes"))
    assert "a photo of a owl." in texts.prompts()
    assert read_own_texts(None, None) is None


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"names": ""}, DataError, "at least one class name in .*names.txt, found none"),
        ({"names": "a\tb\nc\n"}, DataError, "1 of 2 lines hold a tab"),
        ({"names": "owl " * 2500}, UsageError, "at most 2,000 characters in .*names.txt, found one of 9,999; shorten"),
        ({"bank": "[]"}, DataError, "bank.json must hold at least 2 different descriptors, found 0"),
        ({"bank": '{"owl": 3}'}, DataError, "Class 'owl' of .*bank.json"),
        ({"bank": "["}, DataError, "bank.json is not valid JSON"),
        ({"bank": json.dumps([*BANK, "x" * 10_000])}, UsageError, "characters in .*bank.json, found one of 10,000"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, changed: dict[str, str], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        read_own_texts(*files(tmp_path, **changed))


def test_files_that_are_missing(tmp_path: Path) -> None:
    names, bank = files(tmp_path)
    with pytest.raises(UsageError, match="found no --class-names; give both"):
        read_own_texts(None, bank)
    with pytest.raises(UsageError, match=r"a file of class names at .*nowhere, found none; check the path"):
        read_own_texts(tmp_path / "nowhere", bank)
    with pytest.raises(UsageError, match=r"a concept bank .* at .*nowhere, found no readable file"):
        read_own_texts(names, tmp_path / "nowhere")


def test_texts_that_a_model_would_cut_short(tiny_model: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    templates = ["a photo of {}."]
    OwnTexts(["owl"], BANK, templates).require_short(backbone)
    said = r"reads whole, 16 tokens, found 2 longer ones, the first of \d+ tokens: 'a photo of owl owl"
    with pytest.raises(UsageError, match=said):
        OwnTexts(["owl " * 20], [*BANK, "wings " * 20], templates).require_short(backbone)
