from collections.abc import Callable
from pathlib import Path

import pytest

from mkbench.backbones import Geometry
from mkbench.datamodules import ImageFolder
from mkbench.errors import DataError, UsageError


@pytest.fixture
def chosen(
    photo_tree: Callable[..., Path], write_bank: Callable[[], Path], tmp_path: Path
) -> Callable[[str], ImageFolder]:
    """A folder of three classes of three images, with a file of sample ids."""

    def make(text: str, **options: int) -> ImageFolder:
        (tmp_path / "samples.txt").write_text(text)
        root = tmp_path / "photos"
        if not root.exists():
            photo_tree(images=3)
        return ImageFolder(root, bank=write_bank(), samples=tmp_path / "samples.txt", **options)

    return make


def test_only_the_chosen_are_left_in_the_order_of_the_data(chosen: Callable[..., ImageFolder]) -> None:
    data = chosen("cat/2.png\n\n  ant/1.png\nant/0.png\n")
    assert [spec.sample_ids for spec in data.specs] == [("ant/0.png", "ant/1.png"), ("cat/2.png",)]
    assert [spec.class_index for spec in data.specs] == [0, 2]  # prediction stays among all three classes
    assert (data.describe()["classes"], data.describe()["class_list"]) == (2, 3)


def test_limits_count_what_is_left(chosen: Callable[..., ImageFolder]) -> None:
    data = chosen("ant/1.png\nant/2.png\n", limit_images_per_class=1)
    assert [spec.sample_ids for spec in data.specs] == [("ant/1.png",)]


def test_description_tells_subsets_apart_but_not_orders(chosen: Callable[..., ImageFolder]) -> None:
    one, same, other = (
        chosen(text).describe()["samples_sha256"]
        for text in ("ant/1.png\nant/2.png", "ant/2.png\nant/1.png", "ant/1.png")
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant/1.png\nant/1.png\n", r"found 1 of them more than once \(such as 'ant/1.png'\)"),
        ("\n", "Expected different sample ids, one a line, in .*, found none"),
        (
            "ant/9.png\nowl/1.png\n",
            r"found 2 that it does not have \(such as 'ant/9.png'; its own look like 'ant/0.png'",
        ),
    ],
)
def test_wrong_ids_are_named(chosen: Callable[..., ImageFolder], text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _ = chosen(text).specs


def test_file_must_exist_and_be_text(chosen: Callable[..., ImageFolder], tmp_path: Path) -> None:
    data = chosen("ant/1.png")
    (tmp_path / "samples.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        _ = data.specs
    (tmp_path / "samples.txt").unlink()
    with pytest.raises(UsageError, match=r"Expected a file of sample ids at .*; check --data.samples"):
        _ = chosen("").__class__(tmp_path / "photos", samples=tmp_path / "none.txt").specs


def test_ground_truth_comes_along_where_there_is_one(chosen: Callable[..., ImageFolder], tmp_path: Path) -> None:
    data = chosen("ant/1.png\ncat/2.png\n")
    geometry = Geometry(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    with pytest.raises(UsageError, match="Expected data with ground truth"):
        data.dataset(geometry, data.specs, with_ground_truth=True)
    (tmp_path / "boxes.csv").write_text("class,file,x_min,y_min,x_max,y_max\ncat,2.png,0,0,39,47\ncat,0.png,1,1,2,2\n")
    boxed = ImageFolder(tmp_path / "photos", samples=tmp_path / "samples.txt", boxes=tmp_path / "boxes.csv")
    groups = boxed.dataset(geometry, boxed.specs, with_ground_truth=True)
    boxes = [groups[index].ground_truth.boxes for index in (0, 1)]  # type: ignore[union-attr]
    assert [[found.tolist() for found in own or []] for own in boxes] == [[[]], [[[0, 0, 7, 7]]]]
