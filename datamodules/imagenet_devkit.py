"""ImageNet 2012 development kit: the classes of the images of the flat layout."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from mkbench.datamodules.listed_source import read_lines
from mkbench.errors import DataError, name_some

#: The folder that ILSVRC2012_devkit_t12.tar.gz unpacks to.
DEVKIT = "ILSVRC2012_devkit_t12"
_ADVICE = f"unpack {DEVKIT}.tar.gz so that the file lies there, or name the unpacked folder with --data.devkit"


def read_validation_labels(devkit: Path, wnids: Collection[str]) -> list[str]:
    """Return the WordNet id of every validation image, in the order of the images' numbers.

    Args:
        devkit: the unpacked development kit, the folder above ``data/``.
        wnids: the WordNet ids of the classes.

    Raises:
        DataError: a file of the kit is missing, damaged or not of ImageNet 2012.
    """
    meta, ground_truth = devkit / "data" / "meta.mat", devkit / "data" / "ILSVRC2012_validation_ground_truth.txt"
    lines = read_lines(ground_truth, advice=_ADVICE)
    classes = _read_class_numbers(meta)
    if set(classes.values()) != set(wnids):
        raise DataError(
            f"Expected the {len(wnids)} classes of ImageNet 2012 in {meta}, found {len(classes)} that are not the same "
            f"(different are {name_some(sorted(set(classes.values()) ^ set(wnids)))}); {_ADVICE}."
        )
    strange = [line for line in lines if not line.isdecimal() or int(line) not in classes]
    if strange:
        raise DataError(
            f"Expected the number of a class (1 to {len(classes)}) on each line of {ground_truth}, found "
            f"{name_some(strange)}; restore the original file."
        )
    return [classes[int(line)] for line in lines]


def _read_class_numbers(meta: Path) -> dict[int, str]:
    """Return ILSVRC2012_ID -> WordNet id of the classes: the synsets without children."""
    if not meta.is_file():
        raise DataError(f"Expected a file {meta}, found none; {_ADVICE}.")
    try:
        content = loadmat(str(meta), appendmat=False, squeeze_me=True, variable_names=["synsets"])
        synsets = np.atleast_1d(content["synsets"])
        classes = synsets[synsets["num_children"].astype(int) == 0]
        return {int(number): str(wnid) for number, wnid in zip(classes["ILSVRC2012_ID"], classes["WNID"], strict=True)}
    except Exception as error:  # a damaged file makes the reader raise nearly anything
        reason = f"{type(error).__name__}: {error}"
        raise DataError(
            f"Expected the synsets of the development kit in {meta}, found a damaged or different file ({reason}); "
            f"{_ADVICE}."
        ) from error
