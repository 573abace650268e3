"""Group files of a run: the rows of every class group in Parquet, written as the group finishes."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TypedDict, overload

import pyarrow as pa
import pyarrow.parquet as pq

from mkbench.atomic_files import written_whole
from mkbench.errors import DataError
from mkbench.runs.run_folder import GROUPS, LOG, group_path
from mkbench.runs.schema import find_fault
from mkbench.text_files import parse_json

_META_KEY = b"mkbench"
#: What reading a damaged file raises; most of pyarrow's errors are ValueErrors.
_DAMAGES = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)

#: One row for each image and explainer. Of images without labels class_index, class_name, top1 and top5 are null.
ROW_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("class_index", pa.int64()),
        ("class_name", pa.string()),
        ("explainer", pa.string()),
        ("predicted_index", pa.int64()),
        ("top1", pa.bool_()),
        ("top5", pa.bool_()),
        ("num_parts", pa.int64()),
        ("descriptor_ids", pa.list_(pa.int64())),
        ("importance", pa.list_(pa.float64())),
        ("part_descriptor_ids", pa.list_(pa.int64())),
        ("hits", pa.list_(pa.bool_())),
        ("curve", pa.list_(pa.float64())),
        ("chance_curve", pa.list_(pa.float64())),
        ("concept_entropy", pa.float64()),
    ]
)

#: The columns of a run without explanations, which has one row for each image.
IMAGE_SCHEMA = pa.schema(
    [ROW_SCHEMA.field(name) for name in ("sample_id", "class_index", "class_name", "predicted_index", "top1")]
)


class _RequiredMeta(TypedDict):
    fallbacks: dict[str, dict[str, int]]
    unreadable: list[str]


class _Meta(_RequiredMeta, total=False):
    content: str | None


@dataclass(frozen=True)
class GroupRecord:
    """Record of one class group: rows, fallbacks and unreadable images.

    Attributes:
        key: name of the group, ``GroupSpec.key``.
        rows: columns of ``ROW_SCHEMA``, then those of the run's scorers; a row for each image and explainer. Without
            explanations: columns of ``IMAGE_SCHEMA``, then those of the system; a row for each image.
        fallbacks: explainer -> rule -> how often it applied; ``foreground`` for the stage before the explainers.
        unreadable: messages about images that were left out.
        content: digest of the files of all images, ``ClassGroup.content``; None where it is not known.
    """

    key: str
    rows: pa.Table
    fallbacks: dict[str, dict[str, int]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    content: str | None = None


def write_group(run: Path, record: GroupRecord) -> Path:
    """Write a finished group to ``groups/<key>.parquet``; the file appears whole or not at all."""
    path = group_path(run, record.key)
    meta = {"fallbacks": record.fallbacks, "unreadable": list(record.unreadable), "content": record.content}
    table = _conform(record.rows).replace_schema_metadata({_META_KEY: json.dumps(meta).encode()})
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)
    return path


def _conform(rows: pa.Table) -> pa.Table:
    """Bring the columns that every run has to their types and places; those of scorers keep theirs."""
    common = ROW_SCHEMA if "explainer" in rows.schema.names else IMAGE_SCHEMA
    schema = pa.schema([*common, *(field for field in rows.schema if field.name not in common.names)])
    return rows.select(schema.names).cast(schema)


def log_group(run: Path, record: GroupRecord, *, images: int) -> None:
    """Add a line to ``groups.log``: when which group was written, and a digest of its file.

    It is one short append, so that devices may share the log.
    """
    digest = _digest(group_path(run, record.key).read_bytes())
    with (run / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC  {record.key}  {images} images  {digest}\n")


def _digest(content: bytes) -> str:
    return f"blake2b:{hashlib.blake2b(content, digest_size=16).hexdigest()}"


def _logged_digest(path: Path) -> str | None:
    """Return the digest that the log has of a group file; None where a kill, or an earlier version, left none."""
    log = path.parent.parent / LOG
    if not log.is_file():  # a named pipe would not end
        return None
    try:
        state = log.stat()
        return _read_log(log, state.st_mtime_ns, state.st_size).get(path.stem)
    except OSError:
        return None


@lru_cache(maxsize=8)
def _read_log(log: Path, changed: int, size: int) -> dict[str, str]:
    """Read the digest of every group, the last one of a group that was written twice.

    Only once for all groups as long as the log stays the same, so that resuming takes time in proportion to the groups.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return {fields[1]: fields[3] for line in lines if len(fields := line.split("  ")) == 4}


def has_digest(run: Path, key: str) -> bool:
    """Tell whether the log has a digest of a group file, which reading it compares with.

    >>> has_digest(Path("nowhere"), "00000-000")
    False
    """
    return _logged_digest(group_path(run, key)) is not None


def _open(path: Path) -> pq.ParquetFile:
    """Open a group file after comparing it with its digest in the log.

    Raises:
        ValueError: it is not the file that was written, or no Parquet file.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    logged = _logged_digest(path)
    if logged is not None and logged != _digest(content):
        raise ValueError(f"its content is not that which {LOG} has a digest of")
    return pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)


def read_group(path: Path) -> GroupRecord:
    """Read one group file.

    Raises:
        DataError: the file is damaged or no group file.
    """
    try:
        with _open(path) as file:
            table = file.read(use_threads=False)
        meta = parse_json(table.schema.metadata[_META_KEY].decode("utf-8"))
        fault = find_fault(meta, _Meta)
        if fault is not None:
            raise ValueError(fault)
        rows = _conform(table.replace_schema_metadata(None))
        return GroupRecord(path.stem, rows, meta["fallbacks"], tuple(meta["unreadable"]), meta.get("content"))
    except _DAMAGES as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"Expected a group file at {path}, found a damaged one ({error}); run the same command again, which computes "
        "it anew."
    )


def finished_groups(run: Path) -> list[str]:
    """Return the keys of the finished groups of a run, sorted; what is no file, such as a named pipe, is none."""
    return sorted(path.stem for path in (run / GROUPS).glob("[!.]*.parquet") if path.is_file())


def read_groups(run: Path, keys: Sequence[str]) -> list[GroupRecord]:
    """Read the groups of a run in the given order."""
    return [read_group(group_path(run, key)) for key in keys]


class GroupFiles(Sequence[GroupRecord]):
    """The groups of a run, each read from its file when it is asked for, so that memory need not hold all of them.

    Args:
        run: folder of the run.
        keys: of its groups, in the wanted order.

    >>> len(GroupFiles(Path("nowhere"), ["00000-000"]))
    1
    """

    def __init__(self, run: Path, keys: Sequence[str]) -> None:
        self._run, self._keys = run, list(keys)

    @overload
    def __getitem__(self, index: int) -> GroupRecord: ...

    @overload
    def __getitem__(self, index: slice) -> "GroupFiles": ...

    def __getitem__(self, index: int | slice) -> "GroupRecord | GroupFiles":
        """Read a group, or return some of them unread.

        Raises:
            DataError: the file is damaged or no group file.
        """
        if isinstance(index, slice):
            return GroupFiles(self._run, self._keys[index])
        return read_group(group_path(self._run, self._keys[index]))

    def __len__(self) -> int:
        """Count the groups."""
        return len(self._keys)


def read_columns(run: Path, names: Sequence[str], *, optional: pa.Schema | None = None) -> pa.Table:
    """Read some columns of the rows of all finished groups of a run.

    Args:
        run: folder of the run.
        names: of columns of ``ROW_SCHEMA``.
        optional: columns that not every run has; null where one has not.

    Raises:
        DataError: a group file is damaged.
    """
    empty = _schema_of(names, optional).empty_table()
    groups = (rows for _, rows in stream_columns(run, names, optional=optional))
    return pa.concat_tables([empty, *groups]).combine_chunks()


def stream_columns(
    run: Path, names: Sequence[str], *, optional: pa.Schema | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Read some columns of the rows of a run, one group after another, so that memory holds one of them.

    Args:
        run: folder of the run.
        names: of columns of ``ROW_SCHEMA``.
        optional: columns that not every run has; null where one has not.

    Yields:
        Key and rows of each finished group, in the order of the keys.

    Raises:
        DataError: a group file is damaged.
    """
    schema = _schema_of(names, optional)
    for key in finished_groups(run):
        path = group_path(run, key)
        try:
            with _open(path) as file:  # for files this small a quarter of the time of `read_table`
                there = [name for name in schema.names if name in names or name in file.schema_arrow.names]
                table = file.read(columns=there, use_threads=False).replace_schema_metadata(None)
            for name in set(schema.names) - set(there):
                table = table.append_column(name, pa.nulls(len(table), schema.field(name).type))
            rows = table.select(schema.names).cast(schema)
        except _DAMAGES as error:
            raise _damaged(path, error) from error
        yield key, rows


def _schema_of(names: Sequence[str], optional: pa.Schema | None) -> pa.Schema:
    own = pa.schema([ROW_SCHEMA.field(name) for name in names])
    return pa.unify_schemas([own, optional or pa.schema([])])
