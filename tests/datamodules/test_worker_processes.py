from __future__ import annotations

import resource
import shutil
import sys
from multiprocessing.reduction import ForkingPickler
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from mkbench.backbones import Geometry
from mkbench.datamodules import worker_processes
from mkbench.datamodules.class_groups import ClassGroupDataset, GroupSpec
from mkbench.datamodules.group_loader import group_loader

GEOMETRY = Geometry(size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
#: A group of 100 images takes 1.2 MB.
SPECS = [GroupSpec(0, part, tuple(str(100 * part + number) for number in range(100))) for part in range(3)]


class Limited:
    """Images filled with their number; a worker that reads one can make no file or shared memory above 0.5 MB."""

    class_names = ("one",)

    def sample_ids(self, class_index: int) -> list[str]:
        return [sample_id for spec in SPECS for sample_id in spec.sample_ids]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        if get_worker_info() is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            with pytest.raises(RuntimeError, match="File too large"):
                torch.zeros(500_001, dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
        return torch.full((3, 64, 64), int(sample_id) % 251, dtype=torch.uint8)


class Usage(NamedTuple):
    free: int


def small_shared_memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free))


def test_class_larger_than_shared_memory_arrives_as_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    small_shared_memory(monkeypatch, 64_000_000)
    dataset = ClassGroupDataset(Limited(), SPECS, GEOMETRY)
    groups = list(group_loader(dataset, num_workers=2))
    for spec, group, expected in zip(SPECS, groups, group_loader(dataset, num_workers=0), strict=True):
        assert (group.key, group.sample_ids) == (spec.key, expected.sample_ids)
        assert torch.equal(group.images, expected.images)


def test_small_tensors_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    small_shared_memory(monkeypatch, 64_000)
    build, _ = worker_processes._reduce(torch.zeros(1000, dtype=torch.uint8))
    assert build is not torch.from_numpy
    build, arguments = worker_processes._reduce(torch.arange(1001, dtype=torch.uint8))
    assert build is torch.from_numpy
    assert torch.equal(build(*arguments), torch.arange(1001, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("error", "said"), [(EOFError(), ""), (ConnectionResetError(), ""), (ValueError("odd"), "odd")]
)
def test_a_worker_says_nothing_of_a_model_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(ForkingPickler, "register", lambda *_: None)  # of this process
    worker_processes.prepare_worker(0)
    sys.excepthook(type(error), error, None)
    assert said in capsys.readouterr().err if said else not capsys.readouterr().err
