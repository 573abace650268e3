import pickle
from pathlib import Path

import pytest
import torch
from data_trees import write_image

from mkbench.datamodules.listed_source import ListedImage, ListedSource, leads_outside, make_listed_source, read_lines
from mkbench.errors import DataError

LIST = Path("meta/list.txt")


def test_images_are_sorted_and_read_from_their_paths(tmp_path):
    write_image(tmp_path / "x" / "1.jpg", 1)
    write_image(tmp_path / "2.jpg", 2)
    listed = [ListedImage(1, "b", "2.jpg"), ListedImage(1, "a", "x/1.jpg")]
    source = make_listed_source(tmp_path, ["bat", "owl"], listed, listed_in=LIST)
    assert source.class_names == ("bat", "owl")
    assert (source.sample_ids(0), source.sample_ids(1)) == ([], ["a", "b"])
    assert source.read(1, "a").shape == (3, 8, 16)
    assert not torch.equal(source.read(1, "a"), source.read(1, "b"))


def test_it_can_be_sent_to_worker_processes_cheaply(tmp_path):
    # An id that is the path itself is sent once: 20,000 of them with 31 characters each, and little else.
    paths = [f"class/ILSVRC2012_val_{i:05d}.JPEG" for i in range(20_000)]
    listed = [ListedImage(0, path, path) for path in paths]
    source = make_listed_source(tmp_path, ["class"], listed, listed_in=LIST)
    sent = pickle.dumps(source)
    assert pickle.loads(sent) == source
    assert len(sent) < 20_000 * (len(paths[0]) + 10)


def test_an_id_twice_is_refused_also_in_different_classes(tmp_path):
    listed = [ListedImage(0, "a", "1.jpg"), ListedImage(1, "a", "2.jpg")]
    with pytest.raises(DataError, match=r"different images in meta.list\.txt, found 'a' twice; restore"):
        make_listed_source(tmp_path, ["bat", "owl"], listed, listed_in=LIST)


@pytest.mark.parametrize(
    "path", ["../1.jpg", "x/../../1.jpg", "/etc/1.jpg", "C:/1.jpg", "C:1.jpg", "..\\1.jpg", "", ".."]
)
def test_paths_that_lead_out_are_refused(tmp_path, path):
    assert leads_outside(path)
    with pytest.raises(DataError, match=r"Expected paths below .* in meta.list\.txt, found '.*'; restore"):
        make_listed_source(tmp_path, ["bat"], [ListedImage(0, "a", path)], listed_in=LIST)


def test_missing_folder_of_images(tmp_path):
    with pytest.raises(DataError, match=r"Expected the folder of images .*absent, found none; unpack them there or"):
        make_listed_source(tmp_path / "absent", ["bat"], [], listed_in=LIST)


def test_missing_image_is_named(tmp_path):
    source = ListedSource(tmp_path, ("bat",), ({"a": "x/1.jpg"},))
    with pytest.raises(DataError, match=r"readable image at .*x.1\.jpg, found no such file"):
        source.read(0, "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"Expected a file .*list\.txt, found none; unpack it\."),
        (b"\xe9t\xe9", r"Expected UTF-8 text in .*list\.txt, found something else; restore"),
        (b" \n\n", r"Expected lines of text in .*list\.txt, found none; restore"),
    ],
)
def test_unreadable_lists(tmp_path, content, message):
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_lines(tmp_path / "list.txt", advice="unpack it")


def test_lines_of_any_system(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfbat\r\n\r\n owl \r\n")
    assert read_lines(tmp_path / "list.txt", advice="") == ["bat", "owl"]
