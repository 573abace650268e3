from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mkbench.datamodules import Critters, ImageFolder, UnlabelledFolder
from mkbench.errors import DataError, UsageError
from mkbench.studies.run_batches import first_images, run_batches
from mkbench.systems import HeadDecomposition


@pytest.fixture(scope="module")
def system(tiny_model: Path) -> HeadDecomposition:
    return HeadDecomposition(f"local-dir:{tiny_model}", encoder_chunk=3)


def critters(**options: int | None) -> Critters:
    return Critters(images_per_class=4, limit_classes=2, num_workers=0, **options)  # type: ignore[arg-type]


def ids(data: Critters) -> list[str]:
    return [sample_id for spec in data.specs for sample_id in spec.sample_ids]


def test_images_come_as_the_run_encoded_them(system: HeadDecomposition) -> None:
    data = critters()
    batches = list(run_batches(system, data, ids(data), progress=False))
    assert [classes.tolist() for _, classes in batches] == [[0, 0, 0], [0], [1, 1, 1], [1]]
    dataset = data.dataset(system.geometry, data.specs)
    expected = torch.cat([dataset[0].images, dataset[1].images])
    assert torch.equal(torch.cat([images for images, _ in batches]), expected)
    few = list(run_batches(system, critters(group_size=2), ids(data), images_per_class=3, progress=False))
    assert [classes.tolist() for _, classes in few] == [[0, 0], [0], [1, 1], [1]]
    assert torch.equal(torch.cat([images for images, _ in few]), expected[[0, 1, 2, 4, 5, 6]])


@pytest.mark.parametrize(("group_size", "sizes"), [(None, [3, 3]), (2, [2, 1, 2, 1]), (3, [3, 3]), (4, [3, 3])])
def test_first_images_of_each_class(group_size: int | None, sizes: list[int]) -> None:
    data = critters(group_size=group_size)
    kept = first_images(data, 3)
    assert [len(spec.sample_ids) for spec in kept] == sizes
    assert [name for spec in kept for name in spec.sample_ids] == [ids(data)[place] for place in (0, 1, 2, 4, 5, 6)]
    assert first_images(data, None) == first_images(data, 9) == data.specs


def test_images_must_be_those_that_the_run_could_read(
    system: HeadDecomposition, photo_tree: Callable[..., Path]
) -> None:
    root = photo_tree(("ant", "bee"))
    for image in (root / "ant").iterdir():
        image.write_text("broken")
    data = ImageFolder(root, num_workers=0)
    readable = ids(data)[2:]
    batches = list(run_batches(system, data, readable, progress=False))
    assert [classes.tolist() for _, classes in batches] == [[1, 1]]  # nothing of a class that could not be read
    with pytest.raises(DataError, match=r"found 2 more or fewer in the class group 00000-000 \(such as 'ant/0\.png'\)"):
        list(run_batches(system, data, ids(data), progress=False))
    with pytest.raises(
        DataError, match=r"found 1 more or fewer in the class group 00001-000 .*--results\.overwrite true"
    ):
        list(run_batches(system, data, readable[1:], progress=False))


def test_images_without_labels_are_refused(system: HeadDecomposition, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Expected images whose classes are known, found"):
        next(run_batches(system, UnlabelledFolder(tmp_path), [], progress=False))
