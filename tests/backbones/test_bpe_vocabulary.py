from __future__ import annotations

import gzip
from pathlib import Path

import open_clip
import pytest

from mkbench.backbones import write_bpe
from mkbench.backbones.bpe_vocabulary import MAX_MERGES
from mkbench.backbones.local import VOCABULARY_FILE

from .conftest import MERGES, SIZE


def test_vocabulary_file(tmp_path: Path) -> None:
    path = tmp_path / VOCABULARY_FILE
    assert write_bpe(MERGES, path) == SIZE == 518
    assert gzip.decompress(path.read_bytes()) == b"#version: 0.2\nc a\nca t</w>\nd o\ndo g</w>"
    first = path.read_bytes()
    write_bpe(MERGES, path)
    assert path.read_bytes() == first
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(path), context_length=6)
    # 512 bytes, then the merges in order: "cat</w>" is 513, "dog</w>" 515; start 516, end 517.
    assert tokenizer(["Cat dog"]).tolist() == [[516, 513, 515, 517, 0, 0]]


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([("a", "")], "empty or a divided symbol"),
        ([("a b", "c")], "empty or a divided symbol"),
        ([("a", "bc"), ("ab", "c")], "two that give the same token"),
        ([(f"{i}", "x") for i in range(MAX_MERGES + 1)], f"at most {MAX_MERGES} merges"),
    ],
)
def test_vocabularies_that_open_clip_would_misread(tmp_path: Path, merges: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_bpe(merges, tmp_path / VOCABULARY_FILE)
