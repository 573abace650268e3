"""Places365 validation split."""

from pathlib import Path
from typing import Any

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.listed_source import (
    ListedImage,
    ListedSource,
    make_listed_source,
    read_lines,
    require_every_class,
)
from mkbench.datamodules.options import BankOptions, Unpack
from mkbench.errors import DataError

_ADVICE = "unpack filelist_places365-standard.tar into that folder, or check --data.root"


def place_name(category: str) -> str:
    """Return what prompts call a category: its path without the folder of the first letter, in words.

    >>> place_name("/a/apartment_building/outdoor")
    'apartment building outdoor'
    """
    return " ".join(category.strip("/").split("/")[1:]).replace("_", " ")


class Places365(ClassGroupDataModule):
    """The validation split of Places365 (Zhou et al., 2017): 36,500 images of 365 kinds of places.

    Files lie as torchvision expects them: ``categories_places365.txt``, whose numbers are the class order,
    ``places365_val.txt``, and the images in ``val_256/`` or ``val_large/``. A class is called by its path without the
    folder of the first letter and with spaces: ``/a/apartment_building/outdoor`` is "apartment building outdoor".

    Args:
        root: the folder with all of these.
        small: take the images of 256 x 256 pixels in ``val_256/``, not the large ones in ``val_large/``.
        templates: see :class:`ClassGroupDataModule`.
        options: see :class:`ClassGroupDataModule`.

    Raises:
        UsageError: what :class:`ClassGroupDataModule` refuses.
        DataError: when the images are first asked for: files that are missing or not as described.

    >>> Places365(Path("data/places365")).name
    'places365-val'
    """

    def __init__(
        self,
        root: str | Path,
        *,
        small: bool = True,
        templates: str | list[str] = "places365",
        **options: Unpack[BankOptions],
    ) -> None:
        super().__init__(templates=templates, **options)
        self.name = "places365-val"
        self.root, self.small = Path(root), small

    def make_source(self) -> ListedSource:
        """Read the lists; torchvision's own reader would insist on the checksums of the original files."""
        categories = _read_categories(self.root / "categories_places365.txt")
        listed_in = self.root / "places365_val.txt"
        images = [
            ListedImage(label, sample_id=path, path=path)
            for path, label in _read_labelled(listed_in, classes=len(categories))
        ]
        folder = self.root / ("val_256" if self.small else "val_large")
        names = [place_name(category) for category in categories]
        source = make_listed_source(folder, names, images, listed_in=listed_in, decoding=self.decoding)
        require_every_class(source, categories, listed_in=listed_in, advice="restore the original file")
        return source

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data, the size of the files with it: sample ids do not tell the two apart."""
        return super().describe() | {"small": self.small}


def _read_categories(path: Path) -> list[str]:
    """Return the categories in the order of their numbers."""
    labelled = _read_labelled(path)
    categories = {label: category for category, label in labelled}
    if sorted(categories) != list(range(len(labelled))) or not all(map(place_name, categories.values())):
        raise DataError(
            f"Expected categories such as /a/airfield, numbered from 0 to {len(labelled) - 1}, in {path}, found other "
            "lines; restore the original file."
        )
    return [categories[label] for label in range(len(labelled))]


def _read_labelled(path: Path, *, classes: int | None = None) -> list[tuple[str, int]]:
    """Read lines of a text and a number, which is below ``classes``."""
    pairs = []
    for line in read_lines(path, advice=_ADVICE):
        text, _, label = line.rpartition(" ")
        if not text or not label.isdecimal() or (classes is not None and int(label) >= classes):
            wanted = "a number" if classes is None else f"the number of a class (0 to {classes - 1})"
            raise DataError(
                f"Expected a path and {wanted} on each line of {path}, found {line!r}; restore the original file."
            )
        pairs.append((text.strip(), int(label)))
    return pairs
