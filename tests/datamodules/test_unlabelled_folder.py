from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packed_images import write_flat, write_names
from PIL import Image

from mkbench.datamodules import UnlabelledFolder
from mkbench.errors import DataError, UsageError
from mkbench.runs.group_files import finished_groups, read_groups

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "unlabelled_folder.yaml"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    return write_names(tmp_path / "names.txt", ["owl", "bat"])


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Five images; the red of number i is 20 * i."""
    folder = tmp_path / "holiday"
    (folder / "deeper").mkdir(parents=True)
    for number in range(5):
        Image.new("RGB", (8, 6), (20 * number, 0, 0)).save(folder / f"{number}.png")
    (folder / "deeper" / "9.png").write_bytes((folder / "0.png").read_bytes())
    (folder / ".0.png").touch()
    (folder / "notes.txt").touch()
    return folder


def test_sorted_images_in_runs(flat: Path, names: Path, geometry: Any) -> None:
    data = UnlabelledFolder(flat, class_names=names, group_size=2)
    assert data.class_names == ("owl", "bat")
    assert [(spec.key, spec.class_index, spec.sample_ids) for spec in data.specs] == [
        ("unlabelled-000000", None, ("0.png", "1.png")),
        ("unlabelled-000001", None, ("2.png", "3.png")),
        ("unlabelled-000002", None, ("4.png",)),
    ]
    group = data.dataset(geometry, data.specs)[1]
    assert (group.key, group.class_index) == ("unlabelled-000001", None)
    assert group.images[:, 0, 0, 0].tolist() == [40, 60]


def test_description_says_how_images_are_grouped_and_that_there_are_no_labels(
    flat: Path, names: Path, write_bank: Callable[[], Path]
) -> None:
    description = UnlabelledFolder(flat, class_names=names, bank=write_bank()).describe()
    assert (description["name"], description["group_size"], description["labelled"]) == ("holiday", 64, False)
    assert (description["classes"], description["class_list"]) == (0, 2)
    assert json.loads(json.dumps(description)) == description


def test_limit_and_samples(flat: Path, names: Path, tmp_path: Path) -> None:
    (tmp_path / "samples.txt").write_text("4.png\n1.png\n2.png\n")
    data = UnlabelledFolder(flat, class_names=names, samples=tmp_path / "samples.txt", limit_images=2)
    assert [spec.sample_ids for spec in data.specs] == [("1.png", "2.png")]
    with pytest.raises(UsageError, match=r"--data\.limit_images to be at least 1, found 0"):
        UnlabelledFolder(flat, limit_images=0)


def test_a_mapping_gives_its_names(flat: Path, tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text('{"n2": "owl", "n1": "bat"}')
    assert UnlabelledFolder(flat, class_names=tmp_path / "names.json").class_names == ("owl", "bat")


def test_class_names_are_required(flat: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"Expected a file of class names, found none; give .*--data\.class_names FILE"
    ):
        UnlabelledFolder(flat).specs  # noqa: B018
    with pytest.raises(DataError, match=r"at least one class name in .*empty\.txt, found none"):
        UnlabelledFolder(flat, class_names=write_names(tmp_path / "empty.txt", [])).specs  # noqa: B018


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("absent", r"a folder of images at .*absent, found nothing; check --data\.root"),
        ("holiday/0.png", r"a folder of images at .*0\.png, found a file; check --data\.root"),
        (
            ".",
            r"Expected images \(\.apng, .*\) directly in .*, found none; check --data\.root, or take .*ImageFolder",
        ),
    ],
)
def test_folders_without_images(flat: Path, names: Path, tmp_path: Path, root: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        UnlabelledFolder(tmp_path / root, class_names=names).specs  # noqa: B018


@pytest.fixture
def flat_words(folder_words: list[str], photo_tree: Callable[..., Path], tmp_path: Path) -> list[str]:
    """`mkbench predict` on the images of the class folders in `photos/`, without their labels."""
    write_flat(photo_tree(), tmp_path / "flat")
    write_names(tmp_path / "names.txt", ["ant", "bee", "cat"])
    own = [f"--config={CONFIG}", "--data.root=flat", "--data.class_names=names.txt"]
    return ["predict", *own, *(word for word in folder_words[1:] if not word.startswith(("--config", "--data.root")))]


def metrics(results: dict[str, Any], explainer: str) -> dict[str, Any]:
    return {metric["name"]: metric for metric in results["metrics"] if metric["explainer"] == explainer}


@pytest.mark.parametrize("size", [1, 2])
def test_same_values_as_with_labels_but_for_accuracies(
    command: Callable[..., Any], folder_words: list[str], flat_words: list[str], size: int
) -> None:
    # Two images of a class follow each other in the flat folder, so that runs of two are the classes. The seed of
    # K-means differs with the name of the group; PCA has none.
    options = ["--model.scope=image", f"--data.group_size={size}"]
    labelled = command(*folder_words, *options)
    rows = [
        row for key in finished_groups(labelled.run) for row in read_groups(labelled.run, [key])[0].rows.to_pylist()
    ]
    expected = labelled.results()
    outcome = command(*flat_words, *options, "--results.overwrite=true")
    assert (outcome.code, outcome.error) == (0, "")
    results = outcome.results()
    assert metrics(results, "pca") == metrics(expected, "pca")
    assert results["curves"]["mutual_information"]["pca"] == expected["curves"]["mutual_information"]["pca"]
    assert {metric["name"] for metric in expected["metrics"]} - {metric["name"] for metric in results["metrics"]} == {
        "top1"  # three classes have no top-5
    }
    keys = finished_groups(outcome.run)
    assert keys == [f"unlabelled-{part:06d}" for part in range(6 // size)]
    found = [row for record in read_groups(outcome.run, keys) for row in record.rows.to_pylist()]
    for name in ("class_index", "class_name", "top1", "top5"):
        assert {row[name] for row in found} == {None}
    assert sorted(row["predicted_index"] for row in found) == sorted(row["predicted_index"] for row in rows)


def test_what_needs_labels_is_refused_before_anything_is_written(
    command: Callable[..., Any], flat_words: list[str]
) -> None:
    outcome = command(*flat_words, "--model.scope=class", "--model.condition_on=true")
    assert outcome.code == 2
    assert "--model.scope image (unrelated images" in outcome.error
    assert "--model.condition_on predicted (no true class is known), found true" in outcome.error
    assert not outcome.run.exists()


def test_figures_are_drawn_of_images_spread_over_the_folder(command: Callable[..., Any], flat_words: list[str]) -> None:
    # Of six images in runs of four, three samples are numbers 0, 2 and 4, the last of them in the second run.
    run = command(*flat_words, "--data.group_size=4", "--figures.samples=3").run
    drawn = sorted(path.stem for path in (run / "figures").glob("sample-*.png"))
    assert drawn == [f"sample-unlabelled-{number:06d}-{name}" for number in (0, 2, 4) for name in ("kmeans", "pca")]


def test_second_call_goes_on_and_the_table_has_a_dash(command: Callable[..., Any], flat_words: list[str]) -> None:
    run = command(*flat_words, "--data.group_size=2").run
    before = (run / "results.json").read_bytes()
    (run / "results.json").unlink()
    (run / "groups" / "unlabelled-000001.parquet").unlink()
    outcome = command(*flat_words, "--data.group_size=2")
    assert outcome.code == 0
    assert (run / "results.json").read_bytes() == before
    assert json.loads((run / "environment.json").read_text())["images_computed"] == 2
    table = command("compare", run, "--out=table")
    assert table.code == 0
    files = sorted(path.name for path in Path("table").iterdir())
    assert files == ["ranks.csv", "table.csv", "table.md", "table.tex"]  # no figure over accuracy
    line = next(line for line in Path("table/table.md").read_text().splitlines() if "| PCA |" in line)
    assert line.split(" | ")[2] == "\u2013"
