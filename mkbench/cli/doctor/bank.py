"""Doctor checks of the concept bank: size, repeats and lengths in tokens."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, takewhile
from pathlib import Path

from mkbench.backbones import Backbone
from mkbench.cli.doctor.findings import Remark, counted, ok, problem, warning
from mkbench.concepts import ConceptBank
from mkbench.concepts.bank import bank_entries

#: Share of the bank from which random language concepts are shared more often than not.
_LARGE_SHARE = 0.1


def check_bank(bank: ConceptBank, path: Path | None) -> Iterator[Remark]:
    """Remark on the number of descriptors, and of facts that they state where that is known.

    Args:
        bank: the bank.
        path: the file it was read from; None if it did not come from one.
    """
    entries = len(bank) if path is None else len(bank_entries(path))
    repeats = f"; {counted(entries - len(bank), 'repeat')} left out" if entries > len(bank) else ""
    cases = Counter(text.casefold() for text in bank.descriptors)
    variants = [text for text in bank.descriptors if cases[text.casefold()] > 1]
    if variants:
        yield warning(
            f"{counted(len(variants), 'descriptor')} that differ from another in capitals alone, such as "
            f"{variants[0]!r}; they count as different ones: write them alike"
        )
    facts = "" if bank.groups is None else f", which state {counted(len(set(bank.groups)), 'fact')}"
    yield ok(f"{Path(bank.source).name}: {counted(entries, 'entry', 'entries')}, {len(bank):,} unique{facts}{repeats}")


def check_size(bank: ConceptBank, needed: Mapping[str, int]) -> Iterator[Remark]:
    """Remark on a bank that is too small for the settings.

    Args:
        bank: the bank.
        needed: name of an option -> how many descriptors it asks for.
    """
    for option, number in needed.items():
        if number > len(bank):
            yield problem(
                f"the bank has {counted(len(bank), 'descriptor')}, fewer than the {number:,} of {option}; give a "
                "larger bank or a smaller number"
            )
    concepts = needed.get("--model.num_language_concepts", 0)
    if _LARGE_SHARE * len(bank) < concepts <= len(bank):
        yield warning(
            f"{concepts:,} language concepts of a class are {concepts / len(bank):.0%} of the bank, so that much "
            "overlap is chance; 50 of 4,229 (1 %) were published: look at the excess AUC, or lower "
            "--model.num_language_concepts"
        )


def check_lengths(backbone: Backbone, descriptors: Sequence[str], templates: Sequence[str]) -> Iterator[Remark]:
    """Remark on descriptors that the text encoder would cut short in one of the templates.

    Args:
        backbone: the model; nothing is said of one that does not count tokens.
        descriptors: the bank.
        templates: texts with ``{}`` where the descriptor goes.
    """
    long: dict[str, int] = {}
    for template in templates:
        long |= too_long(backbone, {text: template.replace("{}", text) for text in descriptors})
    if long:
        first = next(iter(long))
        alike = alike_when_cut(backbone, descriptors, templates)
        if alike:
            yield warning(
                f"{counted(len(alike), 'descriptor')} that the model cannot tell from another, since they differ only "
                f"beyond the {backbone.context_length} tokens it reads: {alike[0]!r} is the first; shorten them"
            )
        yield warning(
            f"{counted(len(long), 'descriptor')} longer than the {backbone.context_length} tokens the model reads, "
            f"the rest would be cut off: {first!r} ({long[first]} tokens) is the first; shorten them"
        )
    elif backbone.context_length is not None:
        yield ok(f"all descriptors fit into the {backbone.context_length} tokens that the model reads")


def alike_when_cut(backbone: Backbone, texts: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Return the texts that begin as the one before them in the alphabet, to the end of what is read.

    A text is returned if that is so in all templates, since otherwise one of them tells it from the other.

    Args:
        backbone: the model.
        texts: different texts, some of which it may cut short.
        templates: texts with ``{}`` where the descriptor goes.
    """
    ordered = sorted(texts)
    alike = set(ordered[1:])
    for template in templates:
        written = [template.replace("{}", text) for text in ordered]
        shared = [_shared_words(*pair) for pair in pairwise(written)]
        counts, context = backbone.count_tokens(shared) if shared else [], backbone.context_length
        if counts is None or context is None:
            return []
        alike &= {text for text, count in zip(ordered[1:], counts, strict=True) if count >= context}
    return sorted(alike)


def _shared_words(first: str, second: str) -> str:
    """Return the words that two texts begin with; a word shared in part may be other tokens in each."""
    pairs = zip(first.split(" "), second.split(" "), strict=False)
    return " ".join(one for one, other in takewhile(lambda pair: pair[0] == pair[1], pairs))


def too_long(backbone: Backbone, texts: Mapping[str, str]) -> dict[str, int]:
    """Return name -> number of tokens of the texts that a model would cut short; nothing is encoded.

    Args:
        backbone: the model; one that does not count tokens finds no text too long.
        texts: name -> text.
    """
    counts, context = backbone.count_tokens(list(texts.values())), backbone.context_length
    if counts is None or context is None:
        return {}
    return {name: count for name, count in zip(texts, counts, strict=True) if count > context}
