from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from packed_images import write_tar

from mkbench.datamodules.webdataset_index import (
    Member,
    Sample,
    TarSource,
    expand_braces,
    find_shards,
    group_samples,
    index_shards,
    split_name,
)
from mkbench.errors import DataError, UsageError

KEYS = ("jpg", "png")


def index(*shards: Path) -> dict[str, Sample]:
    return index_shards(shards, image_keys=KEYS, label_key="cls")


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("a.tar", ["a.tar"]),
        ("v-{000..002}.tar", ["v-000.tar", "v-001.tar", "v-002.tar"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{x,yy}/{1..2}.tar", ["x/1.tar", "x/2.tar", "yy/1.tar", "yy/2.tar"]),
        ("{x}.tar", ["{x}.tar"]),
        ("{3..1}.tar", []),
    ],
)
def test_braces(pattern: str, texts: list[str]) -> None:
    assert expand_braces(pattern) == texts


def test_shards_by_folder_pattern_and_name(tmp_path: Path) -> None:
    shards = [write_tar(tmp_path / f"v-{number}.tar", []) for number in (1, 0)]
    (tmp_path / "notes.txt").touch()
    assert find_shards(str(tmp_path)) == shards[::-1]
    assert find_shards(str(tmp_path / "v-{0..1}.tar")) == shards[::-1]
    assert find_shards(str(tmp_path / "v-*.tar")) == shards[::-1]
    assert find_shards(str(tmp_path / "v-1.tar")) == shards[:1]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("v-{0..2}.tar", r"found no .*v-1\.tar \(2 of 3 are missing\); check --data\.shards"),
        ("x-*.tar", r"Expected tar shards at .*x-\*\.tar, found none; check --data\.shards"),
        ("empty", r"Expected tar shards at .*empty, found none"),
    ],
)
def test_missing_shards(tmp_path: Path, pattern: str, message: str) -> None:
    write_tar(tmp_path / "v-0.tar", [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        find_shards(str(tmp_path / pattern))


@pytest.mark.parametrize("address", ["https://example.org/v-{0..1}.tar", "pipe:curl x", "s3://bucket/v.tar"])
def test_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"Expected shards in a folder, found .*; fetch them first"):
        find_shards(address)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("7.png", ("7", "png")),
        ("./val/7.seg.PNG", ("val/7", "seg.png")),
        ("a.b/7.png", ("a.b/7", "png")),
        ("7", ("7", "")),
    ],
)
def test_keys_end_at_the_first_dot_of_the_file(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


def test_members_are_found_where_they_lie(tmp_path: Path) -> None:
    first = write_tar(tmp_path / "0.tar", [("7.jpg", b"J" * 700), ("7.cls", b"1\n"), ("7.pyd", b"never read")])
    second = write_tar(tmp_path / "1.tar", [("8.cls", b"owl"), ("8.seg.png", b"mask"), ("8.png", b"P" * 5)])
    samples = index(first, second)
    assert list(samples) == ["7", "8"]
    assert samples["7"] == Sample(0, {"jpg": Member(0, 512, 700)}, "1")
    assert (samples["8"].shard, samples["8"].label, list(samples["8"].images)) == (1, "owl", ["png"])
    for path, key in ((first, "jpg"), (second, "png")):
        member = samples["7" if key == "jpg" else "8"].images[key]
        assert path.read_bytes()[member.offset : member.offset + member.size] == (
            b"J" * 700 if key == "jpg" else b"P" * 5
        )


def test_a_key_in_two_shards_is_told_apart_by_its_shard(tmp_path: Path) -> None:
    files = [("7.png", b""), ("7.cls", b"0")]
    shards = [write_tar(tmp_path / "val-0.tar", files), write_tar(tmp_path / "val-1.tar", [*files, ("8.png", b"")])]
    samples = index_shards(shards, image_keys=["png"], label_key="cls")
    assert list(samples) == ["val-0/7", "val-1/7", "val-1/8"]
    assert [sample.shard for sample in samples.values()] == [0, 1, 1]


def test_a_sample_does_not_lie_in_two_shards(tmp_path: Path) -> None:
    shards = [write_tar(tmp_path / "0.tar", [("7.png", b"")]), write_tar(tmp_path / "1.tar", [("7.cls", b"0")])]
    samples = index_shards(shards, image_keys=["png"], label_key="cls")
    with pytest.raises(DataError, match="found no label for '0/7'"):
        group_samples(samples, {"0": 0}, 1, image_keys=["png"])


def test_shards_of_one_name_cannot_tell_keys_apart(tmp_path: Path) -> None:
    shards = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shards.append(write_tar(tmp_path / folder / "0.tar", [("7.png", b"")]))
    with pytest.raises(DataError, match="shards of different names, or different keys in them, found neither"):
        index_shards(shards, image_keys=["png"], label_key="cls")


@pytest.mark.parametrize(
    "names",
    [
        ["22.05.jpg", "22.05.cls", "22.06.jpg", "22.06.cls"],  # no image of the key 22
        ["a.jpg", "a.cls", "22.05.jpg", "22.05.cls"],  # others are right
        ["22.jpg", "22.cls", "22.05.jpg", "22.05.cls"],  # and the key 22 has an image too
        ["22.cls", "22.05.JPG"],
    ],
)
def test_keys_with_a_dot_are_refused(tmp_path: Path, names: list[str]) -> None:
    shard = write_tar(tmp_path / "0.tar", [(name, b"0") for name in names])
    message = (
        r"keys without a dot in .*0\.tar, found '22\.05\.(jpg|JPG)', whose key is '22' and whose extension '05\.jpg'"
    )
    with pytest.raises(DataError, match=message):
        index_shards([shard], image_keys=["jpg"], label_key="cls")


def test_other_files_of_a_sample_are_passed_over(tmp_path: Path) -> None:
    names = ["22.jpg", "22.cls", "22.seg.jpg", "22.depth.png", "22.coarse.cls"]
    shard = write_tar(tmp_path / "0.tar", [(name, b"0") for name in names])
    samples = index_shards([shard], image_keys=["jpg"], label_key="cls")
    assert {key: list(sample.images) for key, sample in samples.items()} == {"22": ["jpg"]}
    named = index_shards([shard], image_keys=["seg.jpg"], label_key="coarse.cls")
    assert list(named["22"].images) == ["seg.jpg"]


def test_keys_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "0.tar", [("caf\udce9.jpg", b"")])
    with pytest.raises(DataError, match=r"names in UTF-8 in .*0\.tar, found 1 of 1"):
        index_shards([shard], image_keys=["jpg"], label_key="cls")


@pytest.mark.parametrize("name", ["7.png", "7.cls"])
def test_keys_that_repeat_within_a_shard(tmp_path: Path, name: str) -> None:
    shard = write_tar(tmp_path / "0.tar", [(name, b"1"), (name, b"1")])
    with pytest.raises(DataError, match=r"found '7' twice in .*0\.tar; write them anew"):
        index(shard)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: whole[:1200], id="cut within an image"),
        pytest.param(lambda whole: whole[:2560], id="cut between two members"),
        pytest.param(lambda whole: whole[:2560] + b"x" * 512 + whole[3072:], id="second header overwritten"),
        pytest.param(lambda whole: b"x" * 512 + whole[512:], id="first header overwritten"),
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(gzip.compress, id="compressed"),
    ],
)
def test_damaged_shards_are_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    # A header of 512 bytes, 2000 bytes padded to 2048, and the next header: it begins at 2560.
    path = write_tar(tmp_path / "0.tar", [("7.png", b"P" * 2000), ("7.cls", b"1"), ("8.png", b"Q")])
    assert len(index(path)) == 2
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"a whole, uncompressed tar file at .*0\.tar, found one that is not \("):
        index(path)


def test_labels_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a number or a name as label in 7\.cls of .*\(2000 bytes\); name the extens"):
        index(write_tar(tmp_path / "0.tar", [("7.cls", b"1" * 2000)]))
    with pytest.raises(DataError, match=r"as label in 7\.cls of .*found something else \('utf-8' codec"):
        index(write_tar(tmp_path / "1.tar", [("7.cls", b"\xff\xfe")]))


def test_groups_keep_the_order_and_take_the_first_kind_of_image() -> None:
    samples = {
        "b": Sample(0, {"png": Member(0, 1, 1), "jpg": Member(0, 2, 2)}, "owl"),
        "a": Sample(0, {"png": Member(0, 3, 3)}, "01"),
        "c": Sample(0, {"jpg": Member(0, 4, 4)}, "0"),
    }
    positions = {"0": 0, "1": 1, "owl": 1, "bat": 0}
    bats, owls = group_samples(samples, positions, 2, image_keys=KEYS)
    assert list(owls.items()) == [("b", Member(0, 2, 2)), ("a", Member(0, 3, 3))]
    assert list(bats) == ["c"]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (Sample(0, {"png": Member(0, 1, 1)}), r"found no label for 'k'; name the extensions with --data\.image_keys"),
        (Sample(0, {}, "1"), "found no image for 'k'"),
        (Sample(0, {"png": Member(0, 1, 1)}, "2"), r"that --data\.class_names knows, found '2' for 'k'; give a list"),
        (Sample(0, {"png": Member(0, 1, 1)}, "eel"), "found 'eel' for 'k'"),
    ],
)
def test_samples_that_are_not_whole(sample: Sample, message: str) -> None:
    with pytest.raises(DataError, match=message):
        group_samples({"k": sample}, {"0": 0, "1": 1}, 2, image_keys=KEYS)


def test_shard_that_is_gone_is_an_unreadable_image(tmp_path: Path) -> None:
    source = TarSource((tmp_path / "0.tar",), ("owl",), ({"k": Member(0, 512, 4)},))
    with pytest.raises(DataError, match=r"Expected k in .*0\.tar, found No such file or directory; restore the shard"):
        source.read(0, "k")
    (tmp_path / "0.tar").write_bytes(bytes(600))
    with pytest.raises(DataError, match=r"Expected a readable image at .*0\.tar:k, found something that is no imag"):
        source.read(0, "k")
