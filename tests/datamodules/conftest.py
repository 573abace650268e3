from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mkbench.backbones import Geometry


@pytest.fixture
def geometry():
    return Geometry(size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def noise():
    """Smooth non-square colours: (40, 56, 3) uint8."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (10, 14, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((56, 40), Image.Resampling.BICUBIC))


@pytest.fixture
def tree(tmp_path):
    """Makes {folder: [file, ...]} below a new folder; every file is a small image of a colour of its own."""

    def make(folders) -> Path:
        root = tmp_path / "images"
        root.mkdir()
        for number, (folder, files) in enumerate(folders.items()):
            (root / folder).mkdir(parents=True)
            for place, file in enumerate(files):
                Image.new("RGB", (20, 12), (20 * number, 30 * place, 90)).save(root / folder / file, format="PNG")
        return root

    return make
