from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packed_images import image_table, write_flat, write_names, write_shards

from mkbench.backbones import Geometry
from mkbench.datamodules import HuggingFace, ImageFolder, UnlabelledFolder, WebDataset
from mkbench.datamodules.class_groups import GroupSpec, content_of
from mkbench.datamodules.group_loader import group_loader
from mkbench.datamodules.huggingface_stream import StreamedImage, open_stored, store_images
from mkbench.datamodules.image_content import UNREADABLE, bytes_digest, file_digest, group_digest
from mkbench.datamodules.webdataset_index import Member, TarSource

GEOMETRY = Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def test_digest_is_size_and_hash_of_the_content(tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "a.png").write_bytes(content)
    expected = f"{3 << 20}:{hashlib.sha256(content).hexdigest()}"
    assert file_digest(tmp_path / "a.png") == bytes_digest(content) == expected


def test_what_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    for name in ("pipe.png", "circle.png", "nowhere.png", "."):
        assert file_digest(tmp_path / name) == UNREADABLE


def test_group_is_told_apart_by_name_content_and_order() -> None:
    groups = [{"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "2", "b": "1"}, {"a": "1"}, {"a": "1", "c": "2"}]
    assert len({group_digest(group) for group in groups}) == len(groups)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_groups_carry_the_digest_of_their_files(photo_tree: Callable[..., Path], num_workers: int) -> None:
    data = ImageFolder(photo_tree(), num_workers=num_workers)
    (data.root / "bee" / "1.png").write_bytes(b"no image")
    found = [group.content for group in group_loader(data.dataset(GEOMETRY, data.specs), num_workers=data.num_workers)]
    assert found == [data.content(spec) for spec in data.specs]
    by_hand = {name: bytes_digest((data.root / name).read_bytes()) for name in ("bee/0.png", "bee/1.png")}
    assert found[1] == group_digest(by_hand)


def folder(root: Path, place: Path) -> Any:
    return ImageFolder(root), root / "ant" / "0.png"


def flat(root: Path, place: Path) -> Any:
    if not (place / "flat").is_dir():
        write_flat(root, place / "flat")
    names = write_names(place / "names.txt", ["ant"])
    return UnlabelledFolder(place / "flat", class_names=names), place / "flat" / "ant-0.png"


def shards(root: Path, place: Path) -> Any:
    write_shards(root, place / "shards")
    names = write_names(place / "names.txt", ["ant", "bee", "cat"])
    return WebDataset(place / "shards", class_names=names), sorted((place / "shards").glob("*.tar"))[0]


@pytest.mark.parametrize("make", [folder, flat, shards])
def test_a_changed_byte_is_seen(make: Any, photo_tree: Callable[..., Path], tmp_path: Path) -> None:
    root = photo_tree()
    (data, file), (again, _) = make(root, tmp_path), make(root, tmp_path)
    before = [data.content(spec) for spec in data.specs]
    assert before == [again.content(spec) for spec in again.specs]
    content = bytearray(file.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 1  # within the pixels of the first image
    file.write_bytes(content)
    changed = [old != new for old, new in zip(before, (data.content(spec) for spec in data.specs), strict=True)]
    assert changed == [True] + [False] * (len(before) - 1)


def test_rows_of_a_table_are_told_apart(photo_tree: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    image_table(photo_tree()).save_to_disk(str(tmp_path / "table"))
    data = HuggingFace(tmp_path / "table", split="validation")
    by_hand = {spec.key: spec for spec in data.specs}["00000-000"]
    files = [tmp_path / "photos" / "ant" / name for name in ("0.png", "1.png")]
    digests = [bytes_digest(file.read_bytes()) for file in files]
    assert data.content(by_hand) == group_digest(dict(zip(by_hand.sample_ids, digests, strict=True)))


def test_images_of_a_stream_are_those_kept(tmp_path: Path) -> None:
    store_images([StreamedImage(7, 0, b"...")], tmp_path / "kept", ["owl"])
    source = open_stored(tmp_path / "kept", "test")
    assert source.digest(0, "test/00000007") == bytes_digest(b"...")


def test_lost_shard_is_unreadable_not_an_error(tmp_path: Path) -> None:
    source = TarSource((tmp_path / "0.tar",), ("owl",), ({"k": Member(0, 512, 4)},))
    assert content_of(source, GroupSpec(0, 0, ("k",))) == group_digest({"k": UNREADABLE})


def test_chosen_samples_have_the_digests_of_their_source(photo_tree: Callable[..., Path], tmp_path: Path) -> None:
    root, chosen = photo_tree(), tmp_path / "chosen.txt"
    chosen.write_text("ant/0.png\nant/1.png\n", encoding="utf-8")
    some, whole = ImageFolder(root, samples=chosen), ImageFolder(root)
    assert some.content(some.specs[0]) == whole.content(whole.specs[0])
