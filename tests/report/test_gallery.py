from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image
from report_runs import write_figure, write_run

from mkbench.errors import DataError
from mkbench.report.gallery import read_gallery
from mkbench.runs.finished_runs import Run, read_runs


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_runs(write_run(tmp_path / "run"))[0]


def decoded(uri: str) -> Image.Image:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_figures_are_smaller_copies_with_their_words(run: Run) -> None:
    write_figure(run.folder, title="owl/0.png")
    write_figure(run.folder, "mutual-information-curve.png")  # no image: it is drawn anew
    ((picture,), left_out) = read_gallery(run, most=9)
    assert left_out == 0
    assert decoded(picture.uri).size == (picture.width, picture.height) == (1000, 486)
    assert picture.title == "owl/0.png, PCA parts"
    assert picture.words is not None
    assert picture.words.concepts[0] == ("striped wings", 0.9, True)
    assert picture.alternative == "owl/0.png, PCA parts: 2 parts, 2 concepts, named below the figure."


def test_figure_that_does_not_say_its_image(run: Run) -> None:
    write_figure(run.folder, size=(40, 20))
    ((picture,), _) = read_gallery(run, most=9)
    assert (picture.words, picture.width, picture.explainer) == (None, 40, "pca")
    assert picture.alternative == "Figure of the run: sample-00000-pca.png."


def test_names_of_figures(run: Run) -> None:
    names = ["sample-00001-whole-image.png", "sample-unlabelled-000007-pca.png", "segmentation-00001.png"]
    for name in [*names, "mine.png"]:
        write_figure(run.folder, name, size=(8, 8))
    pictures, _ = read_gallery(run, most=9)
    assert [picture.name for picture in pictures] == names
    assert [picture.explainer for picture in pictures] == ["whole-image", "pca", ""]


def test_no_more_than_asked_for(run: Run) -> None:
    for number in range(5):
        write_figure(run.folder, f"sample-0000{number}-pca.png", size=(8, 8))
    pictures, left_out = read_gallery(run, most=2)
    assert ([picture.name[:12] for picture in pictures], left_out) == (["sample-00000", "sample-00001"], 3)


@pytest.mark.parametrize("content", [b"", b"<svg></svg>", b"\x89PNG\r\n\x1a\n damaged"])
def test_damaged_figure_is_named(run: Run, content: bytes) -> None:
    path = write_figure(run.folder)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"Expected a figure at .*sample-00000-pca.png, found a damaged one"):
        read_gallery(run, most=9)


def test_figure_that_was_cut_is_named(run: Run) -> None:
    path = write_figure(run.folder)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="found a damaged one"):
        read_gallery(run, most=9)
