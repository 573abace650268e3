"""Labels of heads as data: one JSON file, from which every metric of them can be computed again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mkbench.atomic_files import written_whole
from mkbench.errors import DataError, UsageError
from mkbench.heads.labels.records import HeadLabel, HeadTexts, Judgement, Source
from mkbench.text_files import parse_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class LabelledHead:
    """A head with its property, and whether its texts fit it."""

    texts: HeadTexts
    label: HeadLabel
    judgement: Judgement


@dataclass(frozen=True)
class ShuffledLabels:
    """Judgements of the same heads with permuted labels: the shuffled baseline.

    Attributes:
        labels: of each head, None where it got none.
        fits: which of the head's own texts fit that label; None where it was not judged.
    """

    labels: tuple[str | None, ...]
    fits: tuple[tuple[bool, ...] | None, ...]


@dataclass(frozen=True)
class LabelDocument:
    """The labels of a model's heads.

    Attributes:
        heads: in their order, layer by layer.
        shuffled: the same heads under shuffled labels; empty without this control.
        labeller: settings of what found the labels.
        judge: settings of what judged them.
    """

    heads: tuple[LabelledHead, ...]
    shuffled: tuple[ShuffledLabels, ...]
    labeller: Mapping[str, object]
    judge: Mapping[str, object]

    def write(self, path: Path) -> None:
        """Write the file; it appears whole or not at all.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        content = {
            "schema_version": SCHEMA_VERSION,
            "labeller": self.labeller,
            "judge": self.judge,
            "heads": [_to_entry(head) for head in self.heads],
            "shuffled": [asdict(one) for one in self.shuffled],
        }
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _to_entry(head: LabelledHead) -> dict[str, Any]:
    return {
        **asdict(head.texts),
        "label": head.label.label,
        "label_reason": head.label.reason,
        "label_source": asdict(head.label.source),
        "fits": head.judgement.fits,
        "fits_reason": head.judgement.reason,
        "fits_source": asdict(head.judgement.source),
    }


def read_labels(path: Path) -> LabelDocument:
    """Read a file of labels.

    What was not written by ``LabelDocument.write`` needs only ``heads``, a list of objects with ``layer``, ``head``,
    ``label`` and, for judgements, ``fits``.

    Raises:
        UsageError: the file is missing or cannot be read.
        DataError: it holds anything else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labels.json"
        ...     _ = path.write_text('{"heads": [{"layer": 11, "head": 3, "label": "colour"}]}')
        ...     document = read_labels(path)
        >>> document.heads[0].texts.name, document.heads[0].label.label
        ('layer 11 head 3', 'colour')
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"Expected a file of labels at {path}, found no readable file ({error.strerror}); check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"Labels {path} are not UTF-8 (byte {error.start}); save them as UTF-8.") from error
    try:
        return _from_content(parse_json(text), path)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f'Expected labels of heads in {path} ({{"heads": [{{"layer", "head", "label"}}, ...]}}), found '
            f"something else ({type(error).__name__}: {str(error)[:100]}); repair it or label again."
        ) from error


def _from_content(content: dict[str, Any], path: Path) -> LabelDocument:
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema version {version!r}, this mkbench reads {SCHEMA_VERSION}")
    heads = tuple(_from_entry(entry, Source(path.name)) for entry in content["heads"])
    places = [(head.texts.layer, head.texts.head) for head in heads]
    if len(set(places)) != len(places):
        raise ValueError("a head is there twice")
    shuffled = tuple(
        ShuffledLabels(tuple(map(_label, one["labels"])), tuple(map(_fits, one["fits"])))
        for one in content.get("shuffled", [])
    )
    if any(len(one.labels) != len(heads) or len(one.fits) != len(heads) for one in shuffled):
        raise ValueError("shuffled labels of other heads")
    return LabelDocument(heads, shuffled, dict(content.get("labeller", {})), dict(content.get("judge", {})))


def _from_entry(entry: dict[str, Any], source: Source) -> LabelledHead:
    layer, head, texts = entry["layer"], entry["head"], entry.get("texts", [])
    if type(layer) is not int or type(head) is not int or not all(isinstance(text, str) for text in texts):
        raise TypeError("layer and head must be whole numbers, texts strings")
    fits = _fits(entry.get("fits"))
    if fits is not None and texts and len(fits) != len(texts):
        raise ValueError("fits must be one for each text")
    label = HeadLabel(_label(entry["label"]), _source(entry, "label_source", source), entry.get("label_reason"))
    judgement = Judgement(fits, _source(entry, "fits_source", source), entry.get("fits_reason"))
    return LabelledHead(HeadTexts(layer, head, tuple(texts)), label, judgement)


def _source(entry: dict[str, Any], key: str, default: Source) -> Source:
    return Source(**entry[key]) if key in entry else default


def _label(label: object) -> str | None:
    if label is not None and not isinstance(label, str):
        raise TypeError(f"a label must be a string or null, found {label!r}")
    return label


def _fits(fits: Sequence[object] | None) -> tuple[bool, ...] | None:
    if fits is None:
        return None
    if not isinstance(fits, list) or not all(isinstance(fit, bool) for fit in fits):
        raise TypeError(f"fits must be true or false for each text, found {fits!r}")
    return tuple(bool(fit) for fit in fits)
