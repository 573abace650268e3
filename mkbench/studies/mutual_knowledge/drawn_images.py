"""Images of a run that figures were drawn of, in words."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from mkbench.errors import DataError
from mkbench.runs.finished_runs import Run
from mkbench.runs.group_files import stream_columns
from mkbench.runs.run_folder import DESCRIPTORS
from mkbench.runs.schema import find_fault
from mkbench.text_files import parse_json

_COLUMNS = (
    *("sample_id", "explainer", "class_index", "class_name", "predicted_index", "top1"),
    *("num_parts", "descriptor_ids", "importance", "hits", "curve", "chance_curve"),
)
#: Class scores while parts are removed or brought back; only runs with a scorer of it have them.
_SCORES = pa.schema(
    (f"{mode}_scores", pa.list_(pa.float64()))
    for mode in ("deletion", "insertion", "exact_deletion", "exact_insertion")
)


@dataclass(frozen=True)
class DrawnImage:
    """An explained image in words.

    Attributes:
        class_name: None for an image without a label.
        predicted_name: None where no image of the run has that class.
        correct: whether the prediction is right; None without a label.
        num_parts: parts that were found.
        concepts: vision concepts, most important first: descriptor, importance, whether it is a language concept too.
        information: mutual information, nats, with the first 0, 1, ... of the concepts removed.
        chance: the same at chance.
        scores: column of class scores -> the score with the first 0, 1, ... parts removed or brought back; none where
            the run has no removal curves of the image.
    """

    class_name: str | None
    predicted_name: str | None
    correct: bool | None
    num_parts: int
    concepts: tuple[tuple[str, float, bool], ...]
    information: tuple[float, ...]
    chance: tuple[float, ...]
    scores: Mapping[str, tuple[float, ...]]


def read_drawn_images(run: Run, drawn: Collection[tuple[str, str]]) -> dict[tuple[str, str], DrawnImage]:
    """Read what a run found in some of its images; one group file is in memory at a time.

    Args:
        run: a finished run of mutual knowledge.
        drawn: sample id and explainer of each.

    Returns:
        Those that the run has.

    Raises:
        DataError: a damaged group file or list of descriptors.
    """
    wanted = pa.array({sample_id for sample_id, _ in drawn}, pa.string())
    rows: list[dict[str, Any]] = []
    names: dict[int, str] = {}
    for _, group in stream_columns(run.folder, _COLUMNS, optional=_SCORES) if drawn else ():
        if len(group) and group["class_index"][0].is_valid:
            names[group["class_index"][0].as_py()] = group["class_name"][0].as_py()
        rows += group.filter(pc.is_in(group["sample_id"], wanted)).to_pylist()
    found = {(row["sample_id"], row["explainer"]): row for row in rows}
    texts = _descriptors(run) if found else None
    return {} if texts is None else {key: _in_words(found[key], names, texts, run) for key in drawn if key in found}


def _descriptors(run: Run) -> list[str] | None:
    """The texts that ids of descriptors stand for; None for a run of before they were kept."""
    path = run.folder / DESCRIPTORS
    if not path.is_file():
        return None
    try:
        texts = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"Expected a list of descriptors in {path}, found no JSON ({error}); run `mkbench predict` again."
        ) from error
    fault = find_fault(texts, list[str])
    if fault is not None:
        raise DataError(f"Expected a list of descriptors in {path}, found another; run `mkbench predict` again.")
    return cast(list[str], texts)


def _in_words(row: dict[str, Any], names: dict[int, str], texts: list[str], run: Run) -> DrawnImage:
    ids = row["descriptor_ids"]
    if any(not 0 <= i < len(texts) for i in ids):
        raise DataError(
            f"Expected ids below {len(texts)} of the descriptors of {run.folder}, found {max(ids)}; run `mkbench "
            "predict` again with --results.overwrite true."
        )
    return DrawnImage(
        class_name=row["class_name"],
        predicted_name=names.get(row["predicted_index"]),
        correct=row["top1"],
        num_parts=row["num_parts"],
        concepts=tuple(zip((texts[i] for i in ids), row["importance"], row["hits"], strict=True)),
        information=tuple(row["curve"]),
        chance=tuple(row["chance_curve"]),
        scores={name: tuple(row[name]) for name in _SCORES.names if row[name] is not None},
    )
