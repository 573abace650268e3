from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from packed_images import image_table, interleaved, write_names, write_saved
from PIL import Image

from mkbench.datamodules import HuggingFace, ImageFolder
from mkbench.errors import DataError, UsageError

datasets = pytest.importorskip("datasets", reason="needs pip install 'mkbench[data]'")

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "huggingface.yaml"
CLASSES = ["ant", "bee", "cat"]
#: Rows of the classes in turn: ant, bee, cat, ant, bee, cat.
IDS = [("validation/00000000", "validation/00000003"), ("validation/00000001", "validation/00000004")]
IDS += [("validation/00000002", "validation/00000005")]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No connection, no files outside the test's folder, no bars."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def photos(photo_tree: Callable[..., Path]) -> Path:
    return photo_tree()


@pytest.fixture
def saved(photos: Path, tmp_path: Path) -> str:
    return str(write_saved(photos, tmp_path / "saved"))


@pytest.fixture
def parquet(photos: Path, tmp_path: Path) -> str:
    (tmp_path / "parquet").mkdir()
    image_table(photos).to_parquet(tmp_path / "parquet" / "validation-00000-of-00001.parquet")
    return str(tmp_path / "parquet")


def ids(data: HuggingFace) -> list[tuple[str, ...]]:
    return [spec.sample_ids for spec in data.specs]


def images(data: HuggingFace | ImageFolder, geometry: Any) -> list[torch.Tensor]:
    return [data.dataset(geometry, data.specs)[index].images for index in range(len(data.specs))]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["saved", "parquet"])
def test_rows_are_grouped_by_class(
    request: pytest.FixtureRequest, kind: str, streaming: bool, photos: Path, geometry: Any
) -> None:
    data = HuggingFace(request.getfixturevalue(kind), streaming=streaming)
    assert data.class_names == tuple(CLASSES)
    assert ids(data) == IDS
    assert data.name == f"{kind}-validation"
    for found, expected in zip(images(data, geometry), images(ImageFolder(photos), geometry), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("streaming", [False, True])
def test_folder_of_images(tmp_path: Path, photos: Path, geometry: Any, streaming: bool) -> None:
    (tmp_path / "tree").mkdir()
    photos.rename(tmp_path / "tree" / "test")
    data = HuggingFace(str(tmp_path / "tree"), split="test", streaming=streaming)
    assert data.class_names == tuple(CLASSES)
    assert ids(data)[1] == ("test/00000002", "test/00000003")
    assert images(data, geometry)[1].shape == (2, 3, 16, 16)


def test_one_split_that_was_saved_alone(photos: Path, tmp_path: Path) -> None:
    table = image_table(photos)
    table.save_to_disk(str(tmp_path / "alone"))
    assert ids(HuggingFace(str(tmp_path / "alone"))) == IDS  # it does not know its name
    table._split = datasets.Split.TRAIN
    table.save_to_disk(str(tmp_path / "train"))
    with pytest.raises(UsageError, match=r"Expected the split 'validation' in .*train, found 'train'; .*--data\.split"):
        HuggingFace(str(tmp_path / "train")).specs  # noqa: B018
    assert HuggingFace(str(tmp_path / "train"), split="train").specs[0].sample_ids[0] == "train/00000000"


@pytest.mark.parametrize("option", ["name", "revision"])
def test_saved_folder_has_one_configuration(saved: str, option: str) -> None:
    with pytest.raises(UsageError, match=r"neither --data\.name nor --data\.revision for .*saved, found one; leave it"):
        HuggingFace(saved, **{option: "x"}).specs  # type: ignore[arg-type] # noqa: B018


def test_listing_decodes_nothing(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("an image was decoded")

    monkeypatch.setattr(Image, "open", refuse)
    assert ids(HuggingFace(saved)) == IDS
    assert ids(HuggingFace(saved, streaming=True)) == IDS


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"limit_classes": 2}, IDS[:2]),
        ({"limit_images_per_class": 1}, [own[:1] for own in IDS]),
        ({"limit_classes": 1, "limit_images_per_class": 9}, IDS[:1]),
        ({"samples": "samples.txt"}, [IDS[0][1:], IDS[1][:1]]),
        ({"samples": "samples.txt", "limit_classes": 1}, [IDS[0][1:]]),
    ],
)
def test_limits_and_samples(
    parquet: str, tmp_path: Path, streaming: bool, options: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    if "samples" in options:
        options = {**options, "samples": write_names(tmp_path / "samples.txt", [IDS[1][0], IDS[0][1]])}
    data = HuggingFace(parquet, streaming=streaming, **options)
    assert ids(data) == expected
    assert data.class_names == tuple(CLASSES)


def test_streaming_stops_when_there_is_enough(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = HuggingFace._class_of
    monkeypatch.setattr(
        HuggingFace,
        "_class_of",
        lambda self, label, row, *rest: (seen.append(row), original(self, label, row, *rest))[1],
    )
    _ = HuggingFace(saved, streaming=True, limit_classes=2, limit_images_per_class=1).specs
    assert seen == [0, 1]


def test_unknown_samples_are_named_streamed_or_not(parquet: str, tmp_path: Path) -> None:
    samples = write_names(tmp_path / "samples.txt", ["validation/00000001", "validation/00000077", "owl/1.png"])
    for streaming in (False, True):
        with pytest.raises(DataError, match=r"found 2 that it does not have \(such as 'owl/1\.png'; its own look like"):
            HuggingFace(parquet, streaming=streaming, samples=samples).specs  # noqa: B018


def test_cache_serves_later_runs_of_the_same_choice(
    parquet: str, tmp_path: Path, geometry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"streaming": True, "cache": tmp_path / "kept", "limit_images_per_class": 1}
    first = images(HuggingFace(parquet, **options), geometry)
    monkeypatch.setattr(HuggingFace, "_open", lambda self: pytest.fail("the data set was opened"))
    again = HuggingFace(parquet, **options)
    assert ids(again) == [own[:1] for own in IDS]
    assert all(torch.equal(one, other) for one, other in zip(first, images(again, geometry), strict=True))
    names = write_names(tmp_path / "names.txt", CLASSES)
    for change in ({"limit_images_per_class": 2}, {"class_names": names}, {"split": "test"}, {"revision": "v1"}):
        with pytest.raises(pytest.fail.Exception, match="the data set was opened"):
            HuggingFace(parquet, **{**options, **change}).specs  # noqa: B018


def test_class_names_from_a_file(saved: str, tmp_path: Path) -> None:
    names = write_names(tmp_path / "names.txt", ["army ant", "bee", "wild cat"])
    data = HuggingFace(saved, class_names=names)
    assert (data.class_names, ids(data)) == (("army ant", "bee", "wild cat"), IDS)
    (tmp_path / "names.json").write_text(json.dumps({"cat": "wild cat", "ant": "army ant", "bee": "bee"}))
    data = HuggingFace(saved, class_names=tmp_path / "names.json")
    assert (data.class_names, ids(data)) == (("wild cat", "army ant", "bee"), [IDS[2], IDS[0], IDS[1]])
    with pytest.raises(DataError, match="a name for each of the 3 class labels, found 1 names"):
        HuggingFace(saved, class_names=write_names(tmp_path / "one.txt", ["ant"])).specs  # noqa: B018


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["text", "number"])
def test_labels_without_names_of_their_own(photos: Path, tmp_path: Path, kind: str, streaming: bool) -> None:
    rows = [
        {"image": path.read_bytes(), "kind": CLASSES[i] if kind == "text" else i} for path, i in interleaved(photos)
    ]
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "plain"))
    options: dict[str, Any] = {"image_column": "image", "label_column": "kind", "streaming": streaming}
    with pytest.raises(UsageError, match=r"Expected a file of class names, found none; .*--data\.class_names FILE"):
        HuggingFace(str(tmp_path / "plain"), **options).specs  # noqa: B018
    names = write_names(tmp_path / "names.txt", CLASSES)
    assert ids(HuggingFace(str(tmp_path / "plain"), class_names=names, **options)) == IDS
    fewer = write_names(tmp_path / "fewer.txt", CLASSES[:2])
    found = "'cat'" if kind == "text" else "2"
    with pytest.raises(DataError, match=rf"labels of the classes in the column 'kind' of .*, found {found} in row 2"):
        HuggingFace(str(tmp_path / "plain"), class_names=fewer, **options).specs  # noqa: B018


def test_split_without_labels(tmp_path: Path, photos: Path) -> None:
    table = image_table(photos)
    table.map(lambda row: {"label": None}).save_to_disk(str(tmp_path / "hidden"))
    for streaming in (False, True):
        with pytest.raises(DataError, match=r"found None in row 0; give .* or choose a split with labels"):
            HuggingFace(str(tmp_path / "hidden"), streaming=streaming).specs  # noqa: B018


@pytest.mark.parametrize("streaming", [False, True])
def test_bad_images_are_skipped_and_named(tmp_path: Path, photos: Path, geometry: Any, streaming: bool) -> None:
    table = image_table(photos).cast_column("image", datasets.Image(decode=False))
    spoilt = table.map(
        lambda row, index: {"image": None if index == 0 else {"bytes": b"no image", "path": None}}, with_indices=True
    )
    features = datasets.Features(spoilt.features)
    datasets.concatenate_datasets([spoilt.cast(features), table]).save_to_disk(str(tmp_path / "spoilt"))
    data = HuggingFace(str(tmp_path / "spoilt"), streaming=streaming)
    group = data.dataset(geometry, data.specs)[0]
    assert group.sample_ids == ("validation/00000006", "validation/00000009")
    assert [message.split(", found")[0] for message in group.unreadable] == [
        f"Expected a readable image at {sample_id}" for sample_id in IDS[0]
    ]


def test_columns_that_are_not_there(saved: str) -> None:
    with pytest.raises(DataError, match=r"columns 'img' and 'label' in the data set .*, found 'image', 'label'; name"):
        HuggingFace(saved, image_column="img").specs  # noqa: B018
    with pytest.raises(DataError, match=r"Expected images in the column 'label', found ClassLabel\(.*image_column"):
        HuggingFace(saved, image_column="label").specs  # noqa: B018


@pytest.mark.parametrize("streaming", [False, True])
def test_hub_that_cannot_be_reached(streaming: bool) -> None:
    message = (
        r"Expected the data set 'ethz/food101' \(name 'full', split 'validation', revision 'v1'\) in a folder or on "
        r"the Hugging Face hub, found neither: .*Hub.*; check --data\.path .*, or give a folder made by save_to_disk as"
    )
    with pytest.raises(DataError, match=message):
        HuggingFace("ethz/food101", name="full", revision="v1", streaming=streaming).specs  # noqa: B018


def test_unknown_split_is_explained(parquet: str, saved: str) -> None:
    with pytest.raises(DataError, match=r"found neither: Unknown split \"test\"\. Should be one of \['validation'\]"):
        HuggingFace(parquet, split="test").specs  # noqa: B018
    with pytest.raises(UsageError, match=r"Expected the split 'test' in .*, found 'validation'"):
        HuggingFace(saved, split="test").specs  # noqa: B018


def test_code_in_a_data_set_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "coded"
    folder.mkdir()
    (folder / "coded.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(DataError, match="Expected the data set"):
        HuggingFace(str(folder)).specs  # noqa: B018
    assert not (tmp_path / "ran").exists()


def test_stream_that_breaks_off(saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(cell: Any) -> bytes:
        raise ConnectionError("the line is dead\nmore")

    monkeypatch.setattr("mkbench.datamodules.huggingface.encoded_image", break_off)
    with pytest.raises(
        DataError, match=r"as a stream, found that it broke off at row 0 \(the line is dead\); run again"
    ):
        HuggingFace(saved, streaming=True, cache=tmp_path / "kept").specs  # noqa: B018
    assert list((tmp_path / "kept").iterdir()) == []


def test_description_tells_sources_apart_but_not_streaming(saved: str, write_bank: Callable[[], Path]) -> None:
    def describe(**options: Any) -> dict[str, Any]:
        return HuggingFace(saved, bank=write_bank(), **options).describe()

    plain = describe()
    assert (plain["split"], plain["revision"], plain["configuration"]) == ("validation", None, None)
    assert json.loads(json.dumps(plain)) == plain
    assert describe(streaming=True) == plain
    assert describe(limit_images_per_class=1) != plain


@pytest.mark.parametrize("streaming", [False, True])
def test_source_can_be_sent_to_worker_processes(parquet: str, geometry: Any, streaming: bool) -> None:
    data = HuggingFace(parquet, streaming=streaming)
    here = data.dataset(geometry, data.specs)
    there = pickle.loads(pickle.dumps(here))
    assert torch.equal(here[1].images, there[1].images)


def test_temporary_folder_is_gone_at_the_end(saved: str) -> None:
    code = f"from mkbench.datamodules import HuggingFace\nprint(HuggingFace({saved!r}, streaming=True).source.folder)\n"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    folder = Path(finished.stdout.strip())
    assert folder.is_absolute()
    assert not folder.exists()
    assert not folder.parent.exists()


def test_library_is_imported_only_when_it_is_needed() -> None:
    code = "import sys, mkbench.datamodules; print('datasets' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


@pytest.mark.parametrize("options", [["--data.num_workers=2"], ["--data.streaming=true"]])
def test_results_are_those_of_the_same_images_in_folders(
    command: Callable[..., Any], folder_words: list[str], saved: str, options: list[str]
) -> None:
    expected = command(*folder_words).results()
    rest = [word for word in folder_words[1:] if not word.startswith(("--config", "--data.root"))]
    outcome = command(
        "predict", f"--config={CONFIG}", f"--data.path={saved}", *rest, *options, "--results.overwrite=true"
    )
    assert (outcome.code, outcome.error) == (0, "")
    for part in ("metrics", "curves", "fallbacks"):
        assert outcome.results()[part] == expected[part]
