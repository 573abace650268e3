"""JSON in the answers of language models, and why there is none."""

from typing import Any

from mkbench.language_models.answer_log import Answer
from mkbench.text_files import parse_json

REFUSED, CUT_OFF, EMPTY, NOT_JSON = "refused", "cut off", "empty reply", "not the JSON asked for"


def reason_unusable(answer: Answer) -> str | None:
    """Say why an answer holds nothing to read; None if it may.

    >>> reason_unusable(Answer("Red, gr", finish_reason="length")), reason_unusable(Answer("Red"))
    ('cut off', None)
    """
    if answer.refusal or answer.finish_reason == "content_filter":
        return REFUSED
    if answer.finish_reason == "length":
        return CUT_OFF
    return None if answer.content and answer.content.strip() else EMPTY


def read_object(answer: Answer) -> tuple[dict[str, Any] | None, str | None]:
    """Return the JSON object of an answer and None, or None and the reason why there is none.

    >>> read_object(Answer('{"label": "colour"}')), read_object(Answer("It is hard to say."))
    (({'label': 'colour'}, None), (None, 'not the JSON asked for'))
    """
    reason = reason_unusable(answer)
    if reason is not None:
        return None, reason
    content = read_json(answer)
    return (content, None) if isinstance(content, dict) else (None, NOT_JSON)


def read_json(answer: Answer) -> Any:
    r"""Return what JSON an answer holds, be it in a fence of Markdown or after reasoning; None where there is none.

    >>> read_json(Answer('<think>Feathers?</think>\n```json\n["large eyes"]\n```'))
    ['large eyes']
    """
    try:
        return parse_json(unwrap(answer.content or ""))
    except ValueError:
        return None


def unwrap(content: str) -> str:
    r"""Take away the reasoning that some models put before their answer, and a fence of Markdown around it.

    >>> unwrap('<think>Feathers?</think>\n```json\n["large eyes"]\n```')
    '\n["large eyes"]\n'
    """
    bare = content.rpartition("</think>")[2].strip()
    fenced = bare.startswith("```") and bare.endswith("```")
    return bare.strip("`").removeprefix("json") if fenced else bare
