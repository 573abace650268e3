"""Runs that go on over images which are not those of then any more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mkbench.runs.group_files import read_group

KEYS = ["00000-000", "00001-000", "00002-000"]


def kept(run: Path) -> list[bytes]:
    files = [run / "results.json", run / "manifest.json", *sorted((run / "groups").iterdir())]
    return [file.read_bytes() for file in files]


def fresh(command: Callable[..., Any], words: list[str], run: Path, *options: str) -> list[bytes]:
    """What an uninterrupted run over the images as they are now writes."""
    shutil.rmtree(run)
    assert command(*words, *options).code == 0
    return kept(run)


def test_changed_image_is_computed_again_with_its_group_alone(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], explained: list[str]
) -> None:
    root = photo_tree()
    run = command(*folder_words).run
    shutil.copy(root / "cat" / "0.png", root / "bee" / "1.png")
    explained.clear()
    with pytest.warns(UserWarning, match=r"The group 00001-000 is computed again: the content of its images has"):
        assert command(*folder_words).code == 0
    assert explained == [KEYS[1]]
    after = kept(run)
    explained.clear()
    assert command(*folder_words).code == 0
    assert explained == []
    assert after == kept(run) == fresh(command, folder_words, run)


@pytest.mark.parametrize("options", [(), ("--data.group_size=1",)])
def test_advice_about_an_unreadable_image_works(
    command: Callable[..., Any],
    folder_words: list[str],
    photo_tree: Callable[..., Path],
    explained: list[str],
    options: tuple[str, ...],
) -> None:
    root = photo_tree()
    bad, last = root / "bee" / "0.png", root / "cat" / "1.png"
    for path in (bad, last):
        path.write_bytes(b"no image")
    outcome = command(*folder_words, *options)
    assert "replace or remove the file" in outcome.results()["data"]["unreadable"][0]
    shutil.copy(root / "ant" / "0.png", bad)  # replaced,
    last.unlink()  # and removed
    explained.clear()
    with pytest.warns(UserWarning, match="is computed again"):
        assert command(*folder_words, *options).code == 0
    assert len(explained) == (1 if options else 2)
    assert outcome.results()["data"]["unreadable"] == []
    assert outcome.results()["data"]["images"] == 5
    assert kept(outcome.run) == fresh(command, folder_words, outcome.run, *options)


def test_last_group_may_vanish(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], explained: list[str]
) -> None:
    root = photo_tree()
    (root / "cat" / "1.png").write_bytes(b"no image")
    words = [*folder_words, "--data.group_size=1"]
    run = command(*words).run
    (root / "cat" / "1.png").unlink()
    explained.clear()
    assert command(*words).code == 0
    assert explained == []  # nothing is left to compute, yet the results no longer name the image
    assert kept(run) == fresh(command, words, run)


def test_image_that_had_results_is_not_dropped(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path]
) -> None:
    root = photo_tree()
    run = command(*folder_words).run
    before = kept(run)
    (root / "cat" / "1.png").unlink()
    outcome = command(*folder_words)
    assert outcome.code == 2
    assert "differs in groups" in outcome.error
    assert kept(run) == before


def test_larger_limit_reads_what_was_too_large(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], explained: list[str]
) -> None:
    photo_tree()
    assert command(*folder_words, "--data.max_pixels=100").code == 1
    with pytest.warns(UserWarning, match=r"'\w+/0.png', which could not be read, can be read now"):
        assert command(*folder_words).code == 0
    assert explained == KEYS


def test_run_of_an_earlier_version_is_gone_on_with(
    command: Callable[..., Any], folder_words: list[str], photo_tree: Callable[..., Path], explained: list[str]
) -> None:
    photo_tree()
    run = command(*folder_words).run
    for key in KEYS:
        path = run / "groups" / f"{key}.parquet"
        assert read_group(path).content is not None
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        meta = json.loads(table.schema.metadata[b"mkbench"])
        del meta["content"]
        pq.write_table(table.replace_schema_metadata({b"mkbench": json.dumps(meta).encode()}), path)
    (run / "groups.log").unlink()
    explained.clear()
    assert command(*folder_words).code == 0
    assert explained == []
