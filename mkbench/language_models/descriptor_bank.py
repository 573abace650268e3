"""Concept banks made by language models: descriptors of every class, asked for by published prompts."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from pathlib import Path

from mkbench.atomic_files import written_whole
from mkbench.errors import DataError, UsageError
from mkbench.language_models.asking import ask_all
from mkbench.language_models.bank_origin import origin_path
from mkbench.language_models.descriptor_questions import (
    SCHEMA,
    descriptor_prompt,
    descriptor_question,
    different,
    read_descriptors,
)
from mkbench.language_models.endpoint import Endpoint

SCHEMA_VERSION = 1
#: Fewer different descriptors are no bank.
FEWEST = 2


@dataclass(frozen=True)
class BankOptions:
    """How a bank is made.

    Attributes:
        endpoints: the language models; each is asked every question.
        prompts: names of prompts; each is asked of every class.
        max_per_class: most descriptors of a class; None keeps all.

    Raises:
        UsageError: a number out of range, a prompt that is not known, or no prompt or language model.
    """

    endpoints: tuple[Endpoint, ...]
    prompts: tuple[str, ...] = ("P1",)
    max_per_class: int | None = None

    def __post_init__(self) -> None:
        if not self.endpoints or not self.prompts:
            raise UsageError("Expected at least one --llm and one --prompt, found none.")
        if self.max_per_class is not None and self.max_per_class < 1:
            raise UsageError(f"Expected --max-per-class to be at least 1, found {self.max_per_class}.")
        for name in self.prompts:
            descriptor_prompt(name)


@dataclass(frozen=True)
class Unusable:
    """A reply without descriptors.

    Attributes:
        class_name: whose descriptors were asked for.
        prompt: name of the prompt.
        model: the language model.
        reason: why there are none.
    """

    class_name: str
    prompt: str
    model: str
    reason: str


@dataclass(frozen=True)
class DescriptorBank:
    """Descriptors of classes, and where they come from.

    Attributes:
        descriptors: class -> its different descriptors, in class order; classes without any are left out.
        without: the classes without any descriptor.
        unusable: the replies that held none.
        options: how it was made.
    """

    descriptors: dict[str, tuple[str, ...]]
    without: tuple[str, ...]
    unusable: tuple[Unusable, ...]
    options: BankOptions

    def write(self, path: Path) -> None:
        """Write the bank, JSON {class: [descriptors]}, and what it was made with beside it.

        The same answers give the same bytes. Each file appears whole or not at all.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        bank = json.dumps(self.descriptors, indent=1, ensure_ascii=False) + "\n"
        origin = {
            "schema_version": SCHEMA_VERSION,
            "bank_sha256": hashlib.sha256(bank.encode()).hexdigest(),
            "language_models": [endpoint.settings() for endpoint in self.options.endpoints],
            "prompts": {name: descriptor_prompt(name) for name in self.options.prompts},
            "max_per_class": self.options.max_per_class,
            "classes_without": self.without,
            "unusable_replies": [asdict(reply) for reply in self.unusable],
        }
        for target, text in (
            (origin_path(path), json.dumps(origin, indent=1, ensure_ascii=False) + "\n"),
            (path, bank),
        ):
            with written_whole(target) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")


def _write(path: Path, text: str) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def make_bank(
    class_names: Sequence[str], options: BankOptions, *, log: Path | None = None, progress: bool = True
) -> DescriptorBank:
    """Ask language models for the descriptors of classes; each question is asked, and paid for, once.

    Of several prompts or language models, a class takes the first descriptor of each reply, then the second of each,
    and so on, so that a limit cuts all replies alike.

    Args:
        class_names: names, in class order; equal ones are one class.
        options: whom to ask, and what.
        log: file that keeps every reply as it comes; what it holds is not asked again. None keeps none.
        progress: draw a bar on standard error.

    Raises:
        EndpointError: a question stayed without an answer; the answers to the others are in the log.
        UsageError: the library is not installed, or the endpoint does not accept the key, the model or a question.
        DataError: the replies hold fewer than two different descriptors.
    """
    names = tuple(dict.fromkeys(class_names))
    asked = [(name, prompt) for name in names for prompt in options.prompts]
    questions = [descriptor_question(prompt, name) for name, prompt in asked]
    lists: dict[str, list[tuple[str, ...]]] = {name: [] for name in names}
    unusable = []
    for endpoint in options.endpoints:
        answers = ask_all(
            endpoint, questions, doing=f"descriptors by {endpoint.model}", log=log, schema=SCHEMA, progress=progress
        )
        for (name, prompt), answer in zip(asked, answers, strict=True):
            found, reason = read_descriptors(answer)
            lists[name].append(found)
            if reason is not None:
                unusable.append(Unusable(name, prompt, endpoint.model, reason))
    merged = {name: _merge(of_class)[: options.max_per_class] for name, of_class in lists.items()}
    descriptors = {name: found for name, found in merged.items() if found}
    _require_bank(descriptors, unusable)
    return DescriptorBank(descriptors, tuple(name for name in names if not merged[name]), tuple(unusable), options)


def _merge(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The first of each list, the second of each, ..., without repeats."""
    return different(chain.from_iterable(zip_longest(*lists, fillvalue="")))


def _require_bank(descriptors: dict[str, tuple[str, ...]], unusable: Sequence[Unusable]) -> None:
    count = len(set(chain.from_iterable(descriptors.values())))
    if count < FEWEST:
        why = f"; the first reply without any: {unusable[0].reason}" if unusable else ""
        raise DataError(
            f"Expected at least {FEWEST} different descriptors in the replies, found {count}{why}; ask another model."
        )
