"""Byte-pair vocabularies in the format that the tokenizer of open_clip reads."""

import gzip
from collections.abc import Sequence
from pathlib import Path

# 256 bytes, the same 256 at the end of a word, and the tokens that start and end a text.
BASE_TOKENS = 514
# open_clip reads no more merges than this, and would leave out the rest without a word.
MAX_MERGES = 49408 - BASE_TOKENS


def write_bpe(merges: Sequence[tuple[str, str]], path: str | Path) -> int:
    """Write a byte-pair vocabulary that open_clip's ``SimpleTokenizer(bpe_path=...)`` reads.

    The file is gzip-compressed text: a header line, then one merge a line, the most frequent first, no newline at the
    end (an empty last line would become a token). Symbols are single characters or earlier results; the last symbol
    of a word ends in ``</w>``. The file carries no time stamp.

    Args:
        merges: pairs of symbols to join, in the order in which they apply.
        path: the file to write, ``vocab.bpe.gz`` in a model folder.

    Returns:
        The ``vocab_size`` to put into the text configuration: 514 more than there are merges.

    Raises:
        ValueError: for a symbol that is empty or holds white space, for two merges with the same result, or for
            more merges than open_clip reads.

    >>> import tempfile
    >>> import open_clip
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = write_bpe([("c", "a"), ("ca", "t</w>")], Path(folder) / "vocab.bpe.gz")
    ...     tokenizer = open_clip.SimpleTokenizer(bpe_path=str(Path(folder) / "vocab.bpe.gz"), context_length=4)
    >>> size, tokenizer.vocab_size, tokenizer(["cat"]).tolist()
    (516, 516, [[514, 513, 515, 0]])
    """
    symbols = [symbol for merge in merges for symbol in merge]
    if any(not symbol or symbol.split() != [symbol] for symbol in symbols):
        raise ValueError("Expected merges of two symbols without white space, got an empty or a divided symbol.")
    if len({"".join(merge) for merge in merges}) != len(merges):
        raise ValueError("Expected merges with different results, got two that give the same token.")
    if len(merges) > MAX_MERGES:
        raise ValueError(f"Expected at most {MAX_MERGES} merges, got {len(merges)}.")
    text = "\n".join(["#version: 0.2", *(" ".join(merge) for merge in merges)])
    Path(path).write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    return BASE_TOKENS + len(merges)
