from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mkbench.datamodules.huggingface_stream import (
    StreamedImage,
    Wanted,
    open_stored,
    parse_row,
    row_id,
    store_images,
)
from mkbench.errors import DataError


def taken(wanted: Wanted, labels: list[int]) -> list[int]:
    """Rows that are kept of a stream of labels, which is left as soon as there is enough."""
    rows = []
    for row, label in enumerate(labels):
        if wanted.take(row, label):
            rows.append(row)
        if wanted.enough:
            return [*rows, -1]
    return rows


@pytest.mark.parametrize(
    ("classes", "per_class", "rows", "expected"),
    [
        (3, None, None, [0, 1, 2, 3, 4, 5]),
        (2, None, None, [0, 2, 3, 5]),  # of class 2 nothing, and the end of the stream decides
        (3, 1, None, [0, 1, 2, -1]),
        (2, 1, None, [0, 2, -1]),
        (3, 2, None, [0, 1, 2, 3, 4, 5, -1]),
        (3, 3, None, [0, 1, 2, 3, 4, 5]),
        (1, 1, frozenset({2, 1}), [1, 2, -1]),
        (3, None, frozenset({4, 9}), [4]),
        (3, None, frozenset(), [-1]),
    ],
)
def test_what_is_taken_and_when_it_is_enough(
    classes: int, per_class: int | None, rows: frozenset[int] | None, expected: list[int]
) -> None:
    assert taken(Wanted(classes=classes, per_class=per_class, rows=rows), [0, 2, 1, 0, 2, 1]) == expected


@pytest.mark.parametrize(("row", "sample_id"), [(0, "test/00000000"), (123456789, "test/123456789")])
def test_ids_lead_back_to_rows(row: int, sample_id: str) -> None:
    assert row_id("test", row) == sample_id
    assert parse_row(sample_id, "test") == row


@pytest.mark.parametrize("sample_id", ["val/00000001", "test/1", "test/00000001.png", "00000001", "test/", ""])
def test_other_ids_are_no_rows(sample_id: str) -> None:
    assert parse_row(sample_id, "test") is None


def test_stored_images_are_grouped(tmp_path: Path) -> None:
    images = [StreamedImage(3, 1, b"a"), StreamedImage(5, 0, b"b"), StreamedImage(8, 1, b"c")]
    store_images(images, tmp_path / "cache" / "kept", ["bat", "owl", "eel"])
    source = open_stored(tmp_path / "cache" / "kept", "test")
    assert source.class_names == ("bat", "owl", "eel")
    assert [source.sample_ids(index) for index in range(3)] == [
        ["test/00000005"],
        ["test/00000003", "test/00000008"],
        [],
    ]
    with pytest.raises(DataError, match="Expected a readable image at test/00000005, found something that is no ima"):
        source.read(0, "test/00000005")
    (tmp_path / "cache" / "kept" / "00000005").unlink()
    with pytest.raises(DataError, match=r"Expected the image test/00000005 in .*kept, found No such file"):
        source.read(0, "test/00000005")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["kept"]


def test_stream_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[StreamedImage]:
        yield StreamedImage(0, 0, b"a")
        raise DataError("broke off")

    with pytest.raises(DataError, match="broke off"):
        store_images(broken(), tmp_path / "kept", ["bat"])
    with pytest.raises(DataError, match="found none of those wanted; check the split and the limits"):
        store_images([], tmp_path / "kept", ["bat"])
    assert list(tmp_path.iterdir()) == []


def test_first_of_two_devices_wins(tmp_path: Path) -> None:
    def slow() -> Iterator[StreamedImage]:
        store_images([StreamedImage(0, 0, b"first")], tmp_path / "other", ["bat"])
        (tmp_path / "other").rename(tmp_path / "kept")
        yield StreamedImage(0, 0, b"second")

    store_images(slow(), tmp_path / "kept", ["bat"])
    assert (tmp_path / "kept" / "00000000").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_damaged_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Expected kept images in .*, found a damaged folder; delete it"):
        open_stored(tmp_path, "test")
