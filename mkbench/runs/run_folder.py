"""Names of the files in a run folder, and JSON files that are written whole."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mkbench.atomic_files import written_whole
from mkbench.errors import DataError
from mkbench.text_files import parse_json

GROUPS, LOG, FIGURES = "groups", "groups.log", "figures"
RESULTS, ENVIRONMENT, MANIFEST, CONFIG = "results.json", "environment.json", "manifest.json", "config.yaml"
#: The texts that descriptor ids of the rows stand for, by their place in the list.
DESCRIPTORS = "descriptors.json"
#: What runs that decompose attention heads have beside these.
CONTRIBUTIONS, HEADS, LABELS, ANSWERS = "contributions", "heads.json", "labels.json", "answers.jsonl"
#: The page of a run, or of those of a bench.
REPORT = "report.html"
HEAD_REMOVAL, PRUNING, ANALYSES = "head_removal.json", "head_pruning.json", "analyses"
HEAD_TRUTH, CONCEPT_HEAD_ABLATION = "head_truth.json", "concept_head_ablation.json"
#: CorLoc by other settings, of a run of mutual knowledge.
FOREGROUND = "foreground.json"

#: Of a process that was killed while it wrote.
_TEMPORARY = (
    *(".*.json.*", ".config.yaml.*", ".run.lock.*", f".{REPORT}.*"),
    *(f"{GROUPS}/.*.parquet.*", f"{CONTRIBUTIONS}/.*.safetensors.*", f"{FIGURES}/.*.png.*", f"{FIGURES}/.*.pdf.*"),
    f"{FIGURES}/.*.json.*",
)
#: With what followed from fewer groups, or from other ones.
_LEFT_BEHIND = (
    *(*_TEMPORARY, RESULTS, HEADS, LABELS, HEAD_REMOVAL, PRUNING),
    *(HEAD_TRUTH, CONCEPT_HEAD_ABLATION, FOREGROUND, REPORT),
)

#: All that a run writes; anything else in the folder is the user's.
_WRITTEN = (
    *(*_LEFT_BEHIND, f"{GROUPS}/*.parquet", f"{CONTRIBUTIONS}/*.safetensors", f"{FIGURES}/*.png", f"{FIGURES}/*.pdf"),
    f"{FIGURES}/*.json",
    *(MANIFEST, DESCRIPTORS, ENVIRONMENT, LOG, f"{ANALYSES}/*.png", f"{ANALYSES}/*.pdf", f"{ANALYSES}/*.json"),
)


def clear_run(run: Path, *, finished: bool) -> None:
    """Delete what an earlier run left half done, and what followed from fewer groups.

    Args:
        run: folder of the run.
        finished: delete what it finished, too; anything that a run does not write stays.

    >>> clear_run(Path("nowhere"), finished=True)
    """
    _delete(run, _WRITTEN if finished else _LEFT_BEHIND)


def clear_temporary(run: Path) -> None:
    """Delete the temporary files of a process that was killed while it wrote.

    >>> clear_temporary(Path("nowhere"))
    """
    _delete(run, _TEMPORARY)


def _delete(run: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in run.glob(pattern):
            path.unlink()


def group_path(run: Path, key: str) -> Path:
    """Return where the rows of a class group lie.

    >>> group_path(Path("vit"), "00003-000").as_posix()
    'vit/groups/00003-000.parquet'
    """
    return run / GROUPS / f"{key}.parquet"


def write_text_atomically(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that no reader ever sees half of it."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, keys in the order given."""
    write_text_atomically(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no file.

    Raises:
        DataError: the file holds something else.

    >>> read_object(Path("nowhere.json")) is None
    True
    """
    if not path.is_file():
        return None
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"Expected JSON in {path}, found something else ({error}); run the benchmark again.") from error
    if not isinstance(content, dict):
        raise DataError(f"Expected a JSON object in {path}, found {type(content).__name__}; run the benchmark again.")
    return content
