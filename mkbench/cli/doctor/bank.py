"""Doctor checks of the concept bank: size, repeats and lengths in tokens."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mkbench.backbones import Backbone
from mkbench.cli.doctor.findings import Remark, counted, ok, problem, warning
from mkbench.concepts import ConceptBank

#: Share of the bank from which language concepts are shared by chance more often than not.
_LARGE_SHARE = 0.1


def count_entries(path: Path) -> int:
    """Count the descriptors of a bank file that ``load_bank`` has accepted, repeats included.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bank.json"
    ...     _ = path.write_text('{"owl": ["large eyes", "wings"], "bat": ["wings", " "]}')
    ...     count_entries(path)
    3
    """
    text = path.read_text(encoding="utf-8-sig")
    entries = json.loads(text) if path.suffix.lower() == ".json" else text.splitlines()
    lists = entries.values() if isinstance(entries, dict) else [entries]
    return sum(bool(entry.strip()) for listed in lists for entry in listed)


def check_bank(bank: ConceptBank, path: Path | None) -> Iterator[Remark]:
    """Remark on the number of descriptors.

    Args:
        bank: the bank.
        path: the file it was read from; None if it did not come from one.
    """
    entries = len(bank) if path is None else count_entries(path)
    repeats = f"; {counted(entries - len(bank), 'repeat')} left out" if entries > len(bank) else ""
    yield ok(f"{Path(bank.source).name}: {counted(entries, 'entry', 'entries')}, {len(bank):,} unique{repeats}")


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
        yield warning(
            f"{counted(len(long), 'descriptor')} longer than the {backbone.context_length} tokens the model reads, "
            f"the rest would be cut off: {first!r} ({long[first]} tokens) is the first; shorten them"
        )
    elif backbone.context_length is not None:
        yield ok(f"all descriptors fit into the {backbone.context_length} tokens that the model reads")


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
