"""Answers of a language model on disk, added one by one, so that none is asked for or paid for twice."""

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from mkbench.text_files import split_lines


@dataclass(frozen=True)
class Answer:
    """Answer of a language model.

    Attributes:
        content: its words; None where it gave none.
        finish_reason: why it stopped, as the endpoint says it: ``stop``, ``length``, ``content_filter``, ...
        refusal: its words of refusal, where the endpoint has a field for them.
    """

    content: str | None
    finish_reason: str | None = None
    refusal: str | None = None


class AnswerLog:
    """A file with a line of JSON for each answer; it is read once and then only added to.

    A line that is not whole, such as the last one after a kill, does not count: its question is asked again. Several
    threads may add answers.

    Args:
        path: the file, made with the first answer; None keeps answers in memory alone.

    >>> log = AnswerLog(None)
    >>> log.add("a question's hash", Answer("yes"))
    >>> log.answers
    {"a question's hash": Answer(content='yes', finish_reason=None, refusal=None)}
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._torn = False
        if path is not None and path.is_file():
            content = path.read_text(encoding="utf-8", errors="replace")
            self._torn = bool(content) and not content.endswith("\n")
            for line in split_lines(content):
                self.answers.update(_read_line(line))

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer; it is on the disk when this returns.

        Raises:
            OSError: the file cannot be written.
        """
        with self._lock:
            self.answers[key] = answer
            if self.path is None:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"key": key, **asdict(answer)}) + "\n"
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._torn + line)
                file.flush()
                os.fsync(file.fileno())
            self._torn = False


def _read_line(line: str) -> dict[str, Answer]:
    """The answer of a line, by its key; nothing if the line is damaged."""
    try:
        entry = json.loads(line)
        key = entry.pop("key")
        answer = Answer(**entry)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    fields = (answer.content, answer.finish_reason, answer.refusal)
    whole = isinstance(key, str) and all(value is None or isinstance(value, str) for value in fields)
    return {key: answer} if whole else {}
