"""Analysis of concept banks, each beside the same bank shuffled and beside random words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mkbench.concepts.bank import ConceptBank
from mkbench.concepts.bank_diversity import bank_diversity
from mkbench.concepts.description_controls import random_words, shuffle_descriptors
from mkbench.concepts.text import TextEncoder, bank_embeddings
from mkbench.errors import UsageError
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, find_metric
from mkbench.systems.records.descriptor_zero_shot import VARIANTS

#: What classes are described by in the rows of a bank: variants of ``DescriptorZeroShot``.
WAYS = ("descriptors", "shuffled", "random")


@dataclass(frozen=True)
class BankRow:
    """A bank, or one of its controls.

    Attributes:
        bank: the file's name without its ending.
        way: ``descriptors`` as they are, or a control: ``shuffled`` or ``random``.
        classes: with at least one descriptor.
        descriptors: pairs of a class and a descriptor.
        distinct: share of different descriptors among them.
        inter: InterDiv, see ``bank_diversity``.
        intra: IntraDiv.
        top1: accuracy in percent of the classification by them; None without a run of this bank.
        top5: likewise among the five nearest classes.
    """

    bank: str
    way: str
    classes: int
    descriptors: int
    distinct: float
    inter: float
    intra: float
    top1: Estimate | None
    top5: Estimate | None


def analyse_banks(
    banks: Sequence[ConceptBank], encoder: TextEncoder, runs: Sequence[Run] = (), *, template: str = "{}", seed: int = 0
) -> list[BankRow]:
    """Compute the diversity of banks, and look up the accuracy of runs over them.

    Args:
        banks: with classes.
        encoder: of sentences.
        runs: of ``DescriptorZeroShot``, at most one over each bank.
        template: text with ``{}`` in which descriptors are encoded.
        seed: of the controls.

    Returns:
        Three rows for each bank: its own descriptors, shuffled ones, random words.

    Raises:
        UsageError: a bank without classes, a run over none of the banks, or several over one.
    """
    of_bank = _match_runs(banks, runs)
    rows = []
    for bank in banks:
        own = _own_texts(bank)
        texts: dict[str, Sequence[Sequence[str]]] = {
            "descriptors": own,
            "shuffled": shuffle_descriptors(own, seed=seed),
            "random": random_words(own, seed=seed),
        }
        rows += [_row(bank, way, texts[way], encoder, template, of_bank.get(bank.sha256)) for way in WAYS]
    return rows


def _match_runs(banks: Sequence[ConceptBank], runs: Sequence[Run]) -> dict[str, Run]:
    """The run over each bank, by the bank's hash."""
    known = {bank.sha256 for bank in banks}
    found: dict[str, Run] = {}
    for run in runs:
        sha256 = str(run.results["data"]["bank"]["sha256"])
        if run.system != "descriptor_zero_shot" or sha256 not in known:
            raise UsageError(
                f"Expected runs of mkbench.systems.DescriptorZeroShot over the given banks, found {run.folder} of "
                f"{run.system} over another one; name the bank too, or leave the run out."
            )
        if sha256 in found:
            raise UsageError(
                f"Expected one run over each bank, found {found[sha256].folder} and {run.folder}; name one of them."
            )
        found[sha256] = run
    return found


def _own_texts(bank: ConceptBank) -> list[list[str]]:
    if bank.by_class is None:
        raise UsageError(
            f"Expected a concept bank with the descriptors of each class, found a list in {bank.source}; give JSON "
            "{class: [descriptors]}."
        )
    return [[bank.descriptors[place] for place in ids] for ids in bank.by_class.values() if ids]


def _row(
    bank: ConceptBank, way: str, texts: Sequence[Sequence[str]], encoder: TextEncoder, template: str, run: Run | None
) -> BankRow:
    owners = torch.tensor([index for index, of_class in enumerate(texts) for _ in of_class])
    flat = [text for of_class in texts for text in of_class]
    different = {text: place for place, text in enumerate(dict.fromkeys(flat))}
    embeddings = bank_embeddings(encoder, list(different), template).cpu()
    diversity = bank_diversity(embeddings[[different[text] for text in flat]], owners)
    return BankRow(
        bank=Path(bank.source).stem,
        way=way,
        classes=len(texts),
        descriptors=len(flat),
        distinct=len(different) / len(flat),
        inter=diversity.inter,
        intra=diversity.intra,
        top1=_accuracy(run, VARIANTS[way].top1),
        top5=_accuracy(run, VARIANTS[way].top5),
    )


def _accuracy(run: Run | None, metric: str) -> Estimate | None:
    found = None if run is None else find_metric(run.results, metric)
    return None if found is None else found.scaled(100)
