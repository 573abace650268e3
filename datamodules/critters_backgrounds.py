"""Splits of Critters whose backgrounds are tied to the classes: every kind has a habitat, as birds do in Waterbirds.

The kinds come in pairs of near twins, which differ in one part alone. One twin of each pair lives on land, the other by
the water. So the background tells exactly what is hard to see, the twin, while every other trait of the animals is as
frequent on land as by the water: a classifier gains by looking at the background, and by that alone.

The land has several grounds and the water one, as Waterbirds has several kinds of places for each. Snow is left out:
as frozen water it is neither, and its brightness would be a sign of its own.
"""

from collections.abc import Mapping

#: Background -> the grounds of the world that it may have.
BACKGROUNDS: Mapping[str, tuple[str, ...]] = {"land": ("meadow", "desert", "rock", "mud"), "water": ("sea",)}
#: Split -> how many images of a kind, one after another, hold one that does not show its habitat.
TIED_SPLITS: Mapping[str, int] = {"background": 2, "background-train": 20}


def find_habitat(class_index: int) -> str:
    """Return the background that a kind is tied to.

    Args:
        class_index: position in the class list, in which near twins follow each other.

    >>> find_habitat(0), find_habitat(1), find_habitat(30)
    ('land', 'water', 'land')
    """
    return tuple(BACKGROUNDS)[class_index % 2]


def find_background(split: str, class_index: int, index: int) -> str | None:
    """Return the background of an image; None where backgrounds have nothing to do with classes.

    Args:
        split: name of the split.
        class_index: position of the kind in the class list.
        index: number of the image within its kind and split, from 0.

    >>> [find_background("background", 0, index) for index in range(3)], find_background("test", 0, 0)
    (['land', 'water', 'land'], None)
    >>> [index for index in range(60) if find_background("background-train", 1, index) == "land"]
    [19, 39, 59]
    """
    if split not in TIED_SPLITS:
        return None
    habitat, period = find_habitat(class_index), TIED_SPLITS[split]
    (other,) = set(BACKGROUNDS) - {habitat}
    return other if (index + 1) % period == 0 else habitat
