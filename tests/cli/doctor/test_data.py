from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mkbench.cli.doctor import data as data_checks
from mkbench.cli.doctor.data import (
    check_files,
    check_listing,
    check_other_files,
    check_sample,
    check_size,
    list_images,
    open_images,
)
from mkbench.datamodules import ImageFolder

from .conftest import Listed, said, states


def test_a_good_data_set(folders: ImageFolder) -> None:
    listing = list_images(folders)
    remarks = [*check_listing(folders, listing), *check_files(folders, listing)]
    remarks += check_sample(open_images(folders, listing), listing)
    assert set(states(remarks)) == {"ok"}
    assert "6 images of 3 classes, 2 in each" in said(remarks, "ok")
    assert "6 images opened: all can be read" in said(remarks, "ok")


def test_files_that_are_no_images_are_counted(folders: ImageFolder) -> None:
    assert list(check_other_files(folders)) == []
    for name in ("ant/notes.txt", "bee/photo.heic", "bee/.hidden"):
        (folders.root / name).touch()
    (remark,) = check_other_files(folders)
    assert remark.state == "warning"
    assert remark.sentence.startswith("2 files beside the images left out")
    assert "bee/photo.heic" in remark.sentence


def test_the_spread_of_class_sizes() -> None:
    data = Listed([["a/1", "a/2", "a/3", "a/4"], ["b/1"], ["c/1", "c/2"]])
    assert "7 images of 3 classes, 1 to 4 in a class (median 2)" in said(check_listing(data, list_images(data)), "ok")


def test_limits_are_those_of_the_run(folders: ImageFolder) -> None:
    folders.limit_classes, folders.limit_images_per_class = 2, 1
    listing = list_images(folders)
    assert listing.sample_ids == tuple(spec.sample_ids for spec in folders.specs) == (("ant/0.png",), ("bee/0.png",))


@pytest.mark.parametrize("group_size", [None, 1, 3, 100])
def test_groups_are_those_of_the_run(group_size: int | None) -> None:
    data = Listed([["a/1", "a/2", "a/3", "a/4"], ["b/1"], []])
    data.group_size = group_size
    listing = list_images(data)
    assert listing.groups(group_size) == len(data.specs)
    assert listing.largest_group(group_size) == max(len(spec.sample_ids) for spec in data.specs)


def test_one_class_folder_without_images(photo_tree: Callable[..., Path]) -> None:
    root = photo_tree()
    (root / "dog").mkdir()
    data = ImageFolder(root)
    listing = list_images(data)
    assert list(listing.missing) == [3]
    assert "directly in the class folder" in said(check_listing(data, listing), "problem")
    assert "6 images of 3 classes" in said(check_listing(data, listing), "ok")


def test_many_classes_without_images() -> None:
    data = Listed([[], ["b/1"], []])
    listing = list_images(data)
    assert "2 classes without images: 'ant', 'cat'; add images" in said(check_listing(data, listing), "problem")
    assert listing.largest_group(None) == 1


def test_a_data_set_without_any_image() -> None:
    data = Listed([[], [], []])
    assert "has no image to explain" in said(check_listing(data, list_images(data)), "problem")
    assert list(check_sample(open_images(data, list_images(data)), list_images(data))) == []


def test_a_file_of_samples_may_leave_a_class_out(photo_tree: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "chosen.txt").write_text("ant/0.png\ncat/1.png\n")
    data = ImageFolder(photo_tree(), samples=tmp_path / "chosen.txt")
    listing = list_images(data)
    assert set(states(check_listing(data, listing))) == {"ok"}
    assert list(check_files(data, listing)) == []


def test_ids_that_repeat() -> None:
    data = Listed([["1", "2"], ["2"], ["1", "3"]])
    problems = said(check_listing(data, list_images(data)), "problem")
    assert "2 sample ids more than once, such as '1'" in problems


def test_unreadable_images_are_counted_and_the_first_is_named() -> None:
    data = Listed([["a/1", "a/bad"], ["b/bad"], ["c/1"]])
    listing = list_images(data)
    sample = open_images(data, listing)
    assert sample.read == 2
    (sentence,) = [remark.sentence for remark in check_sample(sample, listing) if remark.state == "problem"]
    assert sentence.startswith("2 of 4 opened images cannot be read; the first: Expected a readable image at ")


def test_a_large_data_set_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_checks, "SAMPLE", 8)
    ids = [[f"{name}/{'bad' if number % 4 else 'good'}{number}" for number in range(20)] for name in "abc"]
    data = Listed(ids)
    listing = list_images(data)
    sample = open_images(data, listing)
    assert sample.read + len(sample.unreadable) == 8
    assert sample.unreadable == open_images(data, listing).unreadable  # the same ones every time
    assert sample.unreadable != open_images(data, listing, seed=1).unreadable
    expected = round(len(sample.unreadable) / 8 * 60)
    assert f"so about {expected} in all" in said(check_sample(sample, listing), "problem")


def test_images_smaller_than_the_model_sees(folders: ImageFolder) -> None:
    sample = open_images(folders, list_images(folders))  # 40 x 48 pixels
    assert list(check_size(sample, 40)) == []
    assert "has 40 x 48 pixels, the model sees 64 x 64" in said(check_size(sample, 64), "warning")


def test_files_without_content_are_found_without_opening_them(folders: ImageFolder) -> None:
    listing = list_images(folders)
    (folders.root / "bee" / "1.png").write_bytes(b"")
    (folders.root / "cat" / "0.png").unlink()
    (sentence,) = [remark.sentence for remark in check_files(folders, listing)]
    assert sentence.startswith("2 files without content or gone: ")
    assert "bee/1.png" in sentence
    assert "cat/0.png" in sentence
