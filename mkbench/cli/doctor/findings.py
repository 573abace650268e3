"""Findings of the doctor, their report, and how numbers and durations are written in them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeVar

from mkbench.errors import MkbenchError, sentence

T = TypeVar("T")
State = Literal["ok", "warning", "problem"]
Area = Literal["model", "class list", "bank", "data", "resources"]


class Remark(NamedTuple):
    """State and sentence of one check.

    Attributes:
        state: ``problem``: the run would fail, or its numbers would mean nothing; ``warning``: worth knowing.
        sentence: what was found; of a problem also what to do.
    """

    state: State
    sentence: str


@dataclass(frozen=True)
class Finding:
    """Remark of a check with its area and model.

    Attributes:
        area: what was checked.
        state: as of ``Remark``.
        sentence: as of ``Remark``.
        model: the model it holds for; None for all.
    """

    area: Area
    state: State
    sentence: str
    model: str | None = None


def ok(sentence: str) -> Remark:
    """Return a remark that all is well."""
    return Remark("ok", sentence)


def warning(sentence: str) -> Remark:
    """Return a remark about something worth knowing."""
    return Remark("warning", sentence)


def problem(sentence: str) -> Remark:
    """Return a remark about something to mend before the run."""
    return Remark("problem", sentence)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "image"), counted(4229, "descriptor"), counted(2, "class", "classes")
    ('1 image', '4,229 descriptors', '2 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Return a time in the one or two units that matter.

    >>> [duration(seconds) for seconds in (0.2, 41.2, 95, 1499, 3600 * 5.34, 86400 * 3.5)]
    ['less than 1 s', 'about 41 s', 'about 1 min 35 s', 'about 25 min', 'about 5 h 20 min', 'about 3 d 12 h']
    """
    if seconds < 1:
        return "less than 1 s"
    for large, length, small, step in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= 10 * length:
            return f"about {round(seconds / length):,} {large}"
        if seconds >= length:
            whole, rest = divmod(round(seconds / step), length // step)
            return f"about {whole} {large}" + (f" {rest} {small}" if rest else "")
    return f"about {round(seconds)} s"


def examples(names: list[str], shown: int = 3) -> str:
    """Return the first names, quoted, and how many more there are.

    >>> examples(["owl", "bat"]), examples(["a", "b", "c", "d", "e"])
    ("'owl', 'bat'", "'a', 'b', 'c' and 2 more")
    """
    rest = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(repr(name) for name in names[:shown]) + rest


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
