"""Byte-pair vocabulary of the bundled models, learned from every text they are trained or asked about."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from mkbench.backbones import write_bpe
from mkbench.datamodules.critters_captions import CAPTION_TEMPLATES, DESCRIPTOR_TEMPLATES
from mkbench.datamodules.critters_world import load_world

#: Enough for every word of the corpus to become one token.
MERGES = 1200
_OTHER_TEXTS = ("how can you identify a. Distinctive and physical features describing it is", "a photo showing", "the")


def learn_merges(words: Iterable[str], limit: int) -> list[tuple[str, str]]:
    """Return the byte-pair merges of a corpus, most frequent pair first, ties in alphabetical order.

    Source: Sennrich et al., ACL 2016, in the spelling of CLIP's tokenizer (the last symbol of a word ends in ``</w>``).

    Args:
        words: the corpus, with repeats; no word is empty.
        limit: most merges; fewer are returned once every word is one symbol.

    >>> learn_merges(["aab", "aab", "ab"], 2)
    [('a', 'b</w>'), ('a', 'ab</w>')]
    """
    spellings = {(*word[:-1], word[-1] + "</w>"): count for word, count in Counter(words).items()}
    merges: list[tuple[str, str]] = []
    while len(merges) < limit:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, count in spellings.items():
            for pair in pairwise(symbols):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spellings = {_merge(symbols, best): count for symbols, count in spellings.items()}
    return merges


def _merge(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Join every occurrence of a pair, from left to right."""
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def corpus_words() -> list[str]:
    """Return the words of all class names, descriptors and templates, with repeats.

    >>> words = corpus_words()
    >>> "blorp" in words, all(word.islower() for word in words)
    (True, True)
    """
    world = load_world()
    texts = [*world.class_names, *(entry.text for entry in world.descriptors)]
    texts += [*CAPTION_TEMPLATES, *DESCRIPTOR_TEMPLATES, *_OTHER_TEXTS]
    return [word for text in texts for word in re.findall(r"[a-z]+", text.lower())]


def write_vocabulary(path: Path) -> int:
    """Write the vocabulary in the form that open_clip's ``SimpleTokenizer`` reads; return its size.

    Args:
        path: the file to write, ``vocab.bpe.gz`` in a model folder.
    """
    return write_bpe(learn_merges(corpus_words(), MERGES), path)
