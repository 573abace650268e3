"""A world in which classification by descriptions can be worked out by hand: three colours are all there is.

The words of `AXES` are unit vectors along red, green and blue, a text is the sum of its words, and an image is its
mean colour. Every class looks as it is called, so its prompt is its own axis. Of the descriptors, "petals" are red,
"veins" green and "clouds" blue, and a description "class: descriptor" lies between the two axes:

    rose: petals (1, 0, 0)      leaf: veins (0, 1, 0)      sky: clouds (0, 0, 1), sky: veins (0, 0.707, 0.707)

so that by own descriptors rose is (1, 0, 0), leaf (0, 1, 0) and sky their mean (0, 0.354, 0.854). All class prompts are
at right angles, so the neighbors of each class are the two others. With "veins" found in images of leaves alone, it
is mined for rose (sky has it already): rose becomes the mean of (1, 0, 0) and (0.707, 0.707, 0), (0.854, 0.354, 0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning as L
import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from mkbench.backbones import Backbone, Geometry, PatchFeatures
from mkbench.callbacks import ResultWriter
from mkbench.datamodules import ImageFolder
from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord, write_group
from mkbench.runs.run_folder import write_json
from mkbench.systems import DescriptorZeroShot
from mkbench.systems.provenance import describe_model

AXES = {"rose": 0, "petals": 0, "leaf": 1, "veins": 1, "sky": 2, "clouds": 2}
BANK = {"sky": ["clouds", "veins"], "rose": ["petals"], "leaf": ["veins"]}
CLASSES = ("leaf", "rose", "sky")  # as folders sort
TEMPLATE = "{class}: {descriptor}"
VEINS = 1  # its place in the bank

#: An image that is a rose by own descriptors (0.6 against 0.65 * 0.854 = 0.555 for sky), but not with "veins" added
#: (0.6 * 0.854 = 0.512).
BLUISH_ROSE = (153, 0, 166)
#: An image that is a rose either way.
RED_ROSE = (255, 0, 0)
#: An image that is sky by own descriptors (0.7 * 0.854 = 0.598 against 0.5) and as a prompt.
SKY = (128, 0, 179)
LEAF = (0, 255, 0)


class WordBackbone(Backbone):
    """The model of the world above.

    Args:
        scale: of the text embeddings; a model of its own, which sees and says the same.
    """

    def __init__(self, scale: float = 1.0) -> None:
        geometry = Geometry(size=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), interpolation="bilinear")
        super().__init__(name="words", geometry=geometry, grid=(2, 2), embed_dim=3, feature_dim=3)
        self.scale = torch.nn.Parameter(torch.tensor(scale))

    def encode_image(self, pixels: Tensor) -> Tensor:
        return self.prepare_pixels(pixels).float().mean(dim=(2, 3))

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        rows = torch.zeros(len(texts), 3)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text):
                if word in AXES:
                    row[AXES[word]] += self.scale
        return rows

    def patch_features(self, pixels: Tensor, kind: str = "tokens") -> PatchFeatures:
        raise NotImplementedError


def write_colours(root: Path, images: Mapping[str, Mapping[str, tuple[int, int, int]]]) -> Path:
    """Write images of one colour each: class -> file name -> colour."""
    for label, colours in images.items():
        (root / label).mkdir(parents=True)
        for name, colour in colours.items():
            Image.fromarray(np.full((4, 4, 3), colour, dtype=np.uint8)).save(root / label / name)
    return root


def colour_data(root: Path, bank: Mapping[str, Sequence[str]] | Sequence[str] = BANK) -> ImageFolder:
    """The images below `root`, with a bank beside them."""
    path = root.with_suffix(".json")
    path.write_text(json.dumps(bank), encoding="utf-8")
    return ImageFolder(root, bank=path, templates=["a {}"], num_workers=0)


def word_system(**options: object) -> DescriptorZeroShot:
    """The system with the toy model; options as of the system, and `scale` of the model."""
    backbone = WordBackbone(float(options.pop("scale", 1.0)))  # type: ignore[arg-type]
    return DescriptorZeroShot(backbone, **{"template": TEMPLATE, "text_cache": "off", **options})  # type: ignore[arg-type]


def write_mined(folder: Path, data: ImageFolder, found: Mapping[str, Sequence[int]], *, scale: float = 1.0) -> Path:
    """Write the run folder of a run that found the given descriptors in all images of a class, and none in others."""
    backbone = word_system(scale=scale)
    for spec in data.specs:
        assert spec.class_index is not None
        label = data.class_names[spec.class_index]
        ids = list(found.get(label, []))
        row = {
            "class_index": spec.class_index,
            "class_name": label,
            "explainer": "pca",
            "predicted_index": 0,
            "descriptor_ids": ids,
            "importance": [1.0] * len(ids),
        }
        table = pa.Table.from_pylist([{**row, "sample_id": name} for name in spec.sample_ids], schema=ROW_SCHEMA)
        write_group(folder, GroupRecord(spec.key, table))
    results = {
        "curves": {},
        "schema_version": 1,
        "system": "mutual_knowledge",
        "model": describe_model(backbone),
        "data": {**data.describe(), "images": sum(len(spec.sample_ids) for spec in data.specs), "unreadable": []},
        "settings": {"explainers": {"pca": {}}},
        "metrics": [],
        "fallbacks": {},
    }
    write_json(folder / "results.json", results)
    return folder


def evaluate(system: DescriptorZeroShot, data: ImageFolder, root: Path) -> Path:
    """Run a system over data; return its run folder."""
    trainer = L.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ResultWriter(root)],
        default_root_dir=root,
    )
    trainer.predict(system, datamodule=data, return_predictions=False)
    return root / "words"
