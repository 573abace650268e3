from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mkbench.cli.doctor.data import list_images
from mkbench.cli.doctor.measurement import Measurement, device_memory, measure, peak_memory, tensor_bytes
from mkbench.concepts import load_bank
from mkbench.datamodules import ImageFolder
from mkbench.errors import DataError
from mkbench.systems import MutualKnowledge

CPU = torch.device("cpu")


@pytest.fixture
def system(tiny_model: Path) -> MutualKnowledge:
    return MutualKnowledge(f"local-dir:{tiny_model}", refine="components", num_language_concepts=5, pool=6)


def test_a_measurement_on_the_data(system: MutualKnowledge, folders: ImageFolder) -> None:
    measured = measure(system, folders, list_images(folders), folders.bank)
    assert measured.images == 2  # of one class
    assert measured.pixels == 32 * 32
    assert 0 < measured.seconds < 60
    assert 0 < measured.text_seconds < 60
    assert 1_000 < measured.row_bytes < 20_000
    # Features of 16 patches, 7 times; logits of 5 parts, 8 times; and what the result holds.
    assert measured.held_bytes > 4 * (7 * 16 * 32 + 8 * 5 * 24)
    assert system.text is None  # random texts must not be left behind


def test_groups_are_no_larger_than_those_of_the_run(system: MutualKnowledge, folders: ImageFolder) -> None:
    folders.group_size = 1
    assert measure(system, folders, list_images(folders), folders.bank).images == 1


def test_random_texts_of_a_bank_that_is_too_small(
    system: MutualKnowledge, folders: ImageFolder, tmp_path: Path
) -> None:
    (tmp_path / "small.txt").write_text("wings\neyes\n")
    bank = load_bank(tmp_path / "small.txt")
    assert measure(system, folders, list_images(folders), bank).images == 2


def test_unreadable_images_are_passed_over(system: MutualKnowledge, folders: ImageFolder) -> None:
    (folders.root / "ant" / "0.png").write_bytes(b"no image")
    assert measure(system, folders, list_images(folders), folders.bank).images == 1
    (folders.root / "ant" / "1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="Expected a readable image of the class 'ant' to measure the time on"):
        measure(system, folders, list_images(folders), folders.bank)


def test_memory_of_a_group() -> None:
    # 40 images of 64 x 64 pixels fill 163,840 of the 262,144 pixels of a chunk, 4 images 16,384.
    measured = Measurement(4, 64 * 64, 1.0, 1.0, 1.0, peak_bytes=10**9, held_bytes=10**6)
    assert measured.group_bytes(3) == measured.group_bytes(4) == 10**9
    assert measured.group_bytes(40) == 10**9 + 36 * 10**6 + (163_840 - 16_384) * 4_000
    full = (262_144 - 16_384) * 4_000
    assert measured.group_bytes(1000) == 10**9 + 996 * 10**6 + full
    assert measured.most_images(10**9 + full + 96 * 10**6) == 100
    assert measured.most_images(10**6) == 1
    unknown = Measurement(4, 64 * 64, 1.0, 1.0, 1.0, peak_bytes=None, held_bytes=10**6)
    assert unknown.group_bytes(1000) is None


def test_bytes_of_tensors_wherever_they_are() -> None:
    @dataclass
    class Holder:
        tensor: Tensor
        name: str

    pair = namedtuple("pair", "first second")
    value = {"a": Holder(torch.zeros(3, dtype=torch.float64), "x"), "b": pair(torch.zeros(2, dtype=torch.int8), [None])}
    assert tensor_bytes(value) == 24 + 2
    assert tensor_bytes(torch.zeros(2, 5)) == 40
    assert tensor_bytes("text") == 0


def test_memory_of_process_and_machine() -> None:
    peak, whole = peak_memory(CPU), device_memory(CPU)
    assert peak is not None
    assert whole is not None
    assert 10**7 < peak < whole


def test_memory_of_other_devices_is_not_known() -> None:
    assert peak_memory(torch.device("meta")) is None
    assert device_memory(torch.device("meta")) is None


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells it apart")
def test_memory_of_what_started_the_process_does_not_count() -> None:
    held = bytearray(1_500_000_000)
    program = (
        "import torch; from mkbench.cli.doctor.measurement import peak_memory; print(peak_memory(torch.device('cpu')))"
    )
    asked = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert int(asked.stdout) < len(held)
