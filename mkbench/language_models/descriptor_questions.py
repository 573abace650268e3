"""Questions for the descriptors of a class, and how their answers are read."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mkbench.errors import UsageError, did_you_mean
from mkbench.language_models.answer_log import Answer
from mkbench.language_models.replies import NOT_JSON, read_json, reason_unusable, unwrap
from mkbench.text_files import split_lines

#: JSON schema of an answer.
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"descriptors": {"type": "array", "items": {"type": "string"}}},
    "required": ["descriptors"],
    "additionalProperties": False,
}
NO_DESCRIPTORS = "no descriptors"
_FILE = Path(__file__).resolve().parents[1] / "assets" / "banks" / "prompts.json"
_MARK = re.compile(r"^\s*(?:[-*\u2022\u2013]|\d+[.)])\s+")  # of an entry in a list of plain text


@cache
def _prompts() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return content


def prompt_names() -> list[str]:
    """List the names of the published prompts.

    >>> prompt_names()
    ['P1', 'P2', 'P3', 'P4']
    """
    return list(_prompts()["questions"])


def descriptor_prompt(name: str) -> str:
    """Return a published prompt with the form of the answer, and ``{category}`` where the class goes.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.4; the words on the form of the answer
    are this project's.

    Raises:
        UsageError: no prompt of this name.

    >>> descriptor_prompt("P3").splitlines()[0]
    'What specific attributes distinguish a {category}?'
    """
    if name not in prompt_names():
        raise UsageError(f"Expected a prompt, found {name!r}; {did_you_mean(name, prompt_names())}.")
    return f"{_prompts()['questions'][name]}\n{_prompts()['form']}"


def descriptor_question(name: str, class_name: str) -> str:
    """Return the question of a prompt for a class; braces and underscores in its name are no trouble.

    >>> descriptor_question("P3", "snowy_owl").splitlines()[0]
    'What specific attributes distinguish a snowy owl?'
    """
    return descriptor_prompt(name).replace("{category}", " ".join(class_name.replace("_", " ").split()))


def read_descriptors(answer: Answer) -> tuple[tuple[str, ...], str | None]:
    r"""Read the descriptors in an answer: JSON as asked for, a JSON list, or else a list of plain text.

    Returns:
        Different descriptors and None, or none and the reason why there are none.

    >>> read_descriptors(Answer('{"descriptors": ["large eyes", "Large eyes.", "wings"]}'))
    (('large eyes', 'wings'), None)
    >>> read_descriptors(Answer("It has:\n- large eyes\n2. wings"))
    (('large eyes', 'wings'), None)
    >>> read_descriptors(Answer("It is hard to say."))
    ((), 'not the JSON asked for')
    """
    reason = reason_unusable(answer)
    if reason is not None:
        return (), reason
    content = read_json(answer)
    entries = content.get("descriptors") if isinstance(content, dict) else content
    if content is None:
        marked = [line for line in split_lines(unwrap(answer.content or "")) if _MARK.match(line)]
        entries = marked or None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        return (), NOT_JSON
    descriptors = different(map(_clean, entries))
    return descriptors, None if descriptors else NO_DESCRIPTORS


def _clean(entry: str) -> str:
    return " ".join(_MARK.sub("", entry).split()).strip(" .,;")


def different(descriptors: Iterable[str]) -> tuple[str, ...]:
    """Keep the first of descriptors that differ in case alone, and drop empty ones.

    >>> different(["Wings", "", "wings", "large eyes"])
    ('Wings', 'large eyes')
    """
    first: dict[str, str] = {}
    for descriptor in descriptors:
        if descriptor:
            first.setdefault(descriptor.casefold(), descriptor)
    return tuple(first.values())
