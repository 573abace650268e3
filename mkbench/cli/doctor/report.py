"""Report of the doctor: findings in the order they were made."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from mkbench.cli.doctor.findings import Area, Finding, Remark
from mkbench.errors import MkbenchError, sentence

T = TypeVar("T")


class Report:
    """Findings of the doctor, of checks that fail too, so that one fault hides no other.

    Args:
        say: told what is being done, for whoever waits.

    Attributes:
        findings: in the order they were made.

    >>> report = Report(lambda doing: None)
    >>> report.attempt("data", lambda: 1 // 0, doing="dividing") is None
    True
    >>> report.findings[0].sentence
    'ZeroDivisionError: integer division or modulo by zero'
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.findings: list[Finding] = []

    def note(
        self, area: Area, remarks: Iterable[Remark], *, doing: str | None = None, model: str | None = None
    ) -> None:
        """Write down the remarks of a check, up to where it fails."""
        if doing is not None:
            self.say(doing)
        try:
            for remark in remarks:
                self.findings.append(Finding(area, remark.state, remark.sentence, model))
        except Exception as error:  # whatever it is, the other checks go on
            self._fail(area, error, model)

    def attempt(self, area: Area, make: Callable[[], T], *, doing: str, model: str | None = None) -> T | None:
        """Return what `make` makes; None if it fails, which is a problem then."""
        self.say(doing)
        try:
            return make()
        except Exception as error:
            self._fail(area, error, model)
            return None

    def _fail(self, area: Area, error: Exception, model: str | None) -> None:
        kind = "" if isinstance(error, MkbenchError) else f"{type(error).__name__}: "
        self.findings.append(Finding(area, "problem", f"{kind}{sentence(error).rstrip('.')}", model))


def merge(findings: Sequence[Finding], models: Sequence[str | None]) -> list[Finding]:
    """Return the findings; what holds for every one of several models is said once.

    >>> same = [Finding("bank", "ok", "all fit", model) for model in ("a", "b")]
    >>> merge([*same, Finding("model", "ok", "loaded", "a")], ["a", "b"])
    [Finding(area='bank', state='ok', sentence='all fit', model=None), \
Finding(area='model', state='ok', sentence='loaded', model='a')]
    """
    said: dict[Finding, set[str | None]] = {}
    for finding in findings:
        said.setdefault(replace(finding, model=None), set()).add(finding.model)
    merged: dict[Finding, None] = {}
    for finding in findings:
        shared = replace(finding, model=None)
        merged[shared if said[shared] >= set(models) else finding] = None
    return list(merged)
