from __future__ import annotations

from pathlib import Path

import pytest
from report_runs import write_object, write_run

from mkbench.errors import DataError
from mkbench.runs.finished_runs import Run, read_runs
from mkbench.studies.mutual_knowledge.drawn_images import DrawnImage, read_drawn_images


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_runs(write_run(tmp_path / "run"))[0]


def test_image_in_words(run: Run) -> None:
    """The last image of a class is taken for an owl; the first concept of each image is a language concept too."""
    found = read_drawn_images(run, {("bat/1.png", "pca"), ("owl/0.png", "kmeans"), ("gone.png", "pca")})
    assert set(found) == {("bat/1.png", "pca"), ("owl/0.png", "kmeans")}
    assert found["bat/1.png", "pca"] == DrawnImage(
        class_name="bat",
        predicted_name="owl",
        correct=False,
        num_parts=2,
        concepts=(("striped wings", 0.9, True), ("four legs", 0.8, False)),
        information=(2.0, 0.5, 0.0),
        chance=(0.0, 0.0, 0.0),
        scores={},
    )
    assert found["owl/0.png", "kmeans"].correct


def test_nothing_is_read_where_nothing_was_drawn(run: Run) -> None:
    (run.folder / "groups" / "00000-000.parquet").write_bytes(b"damaged")
    assert read_drawn_images(run, set()) == {}


def test_run_of_before_descriptors_were_kept(run: Run) -> None:
    (run.folder / "descriptors.json").unlink()
    assert read_drawn_images(run, {("owl/0.png", "pca")}) == {}


@pytest.mark.parametrize(
    ("content", "said"), [({"a": 1}, "Expected a list of descriptors"), (["one"], "Expected ids below 1 of the descr")]
)
def test_other_descriptors_are_refused(run: Run, content: object, said: str) -> None:
    write_object(run.folder / "descriptors.json", content)
    with pytest.raises(DataError, match=said):
        read_drawn_images(run, {("owl/0.png", "pca")})


def test_descriptors_that_are_no_json(run: Run) -> None:
    (run.folder / "descriptors.json").write_text("[", encoding="utf-8")
    with pytest.raises(DataError, match="found no JSON"):
        read_drawn_images(run, {("owl/0.png", "pca")})
