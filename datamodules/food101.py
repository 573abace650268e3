"""Food-101 data set."""

from pathlib import Path
from typing import Literal

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
from mkbench.text_files import parse_json

Split = Literal["test", "train"]
_ADVICE = "unpack food-101.tar.gz there, or check --data.root (the folder that holds food-101/, or that folder itself)"


class Food101(ClassGroupDataModule):
    """Food-101 (Bossard et al., 2014): 101 dishes with 250 test and 750 training images each.

    Files lie as torchvision expects them: ``food-101/meta/`` with ``classes.txt`` (the class order), ``labels.txt``
    (the class names) and ``test.txt`` or ``test.json``, and ``food-101/images/`` with a folder for each class.

    Args:
        root: the folder that holds ``food-101/``, or that folder itself.
        split: ``"test"`` or ``"train"``.
        templates: see :class:`ClassGroupDataModule`.
        options: see :class:`ClassGroupDataModule`.

    Raises:
        UsageError: what :class:`ClassGroupDataModule` refuses.
        DataError: when the images are first asked for: files that are missing or not as described.

    >>> Food101(Path("data")).name
    'food101-test'
    """

    def __init__(
        self,
        root: str | Path,
        *,
        split: Split = "test",
        templates: str | list[str] = "food101",
        **options: Unpack[BankOptions],
    ) -> None:
        super().__init__(templates=templates, **options)
        self.name = f"food101-{split}"
        self.root, self.split = Path(root), split

    def make_source(self) -> ListedSource:
        """Read the lists in ``meta/``."""
        root = self.root / "food-101" if (self.root / "food-101").is_dir() else self.root
        classes, names = _read_classes(root / "meta")
        listed_in, stems = _read_split(root / "meta", self.split)
        images = []
        for stem in stems:
            index = classes.get(stem.split("/", 1)[0])
            if index is None or "/" not in stem:
                raise DataError(
                    f"Expected images as class/image, with a class of classes.txt, in {listed_in}, found {stem!r}; "
                    "restore the original file."
                )
            file = f"{stem}.jpg"
            images.append(ListedImage(index, sample_id=file, path=file))
        source = make_listed_source(root / "images", names, images, listed_in=listed_in, decoding=self.decoding)
        require_every_class(source, list(classes), listed_in=listed_in, advice="restore the original file")
        return source


def _read_classes(meta: Path) -> tuple[dict[str, int], list[str]]:
    """Return class -> index, and the names in class order."""
    listed = read_lines(meta / "classes.txt", advice=_ADVICE)
    names = read_lines(meta / "labels.txt", advice=_ADVICE)
    classes = {name: index for index, name in enumerate(listed)}
    if not len(classes) == len(listed) == len(names):
        raise DataError(
            f"Expected different classes in {meta / 'classes.txt'} and a name for each in labels.txt beside it, found "
            f"{len(listed)} lines ({len(classes)} different) and {len(names)} names; restore the original files."
        )
    return classes, names


def _read_split(meta: Path, split: Split) -> tuple[Path, list[str]]:
    """Return the file that lists a split, and its images as ``class/image``."""
    text, structured = meta / f"{split}.txt", meta / f"{split}.json"
    if text.is_file() or not structured.is_file():
        return text, read_lines(text, advice=_ADVICE)
    try:
        content = parse_json(structured.read_text(encoding="utf-8"))
        stems = [stem for listed in content.values() for stem in listed]
        if not all(isinstance(stem, str) for stem in stems):
            raise ValueError("something else than texts in the lists")
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"Expected a mapping from class to images as JSON in {structured}, found something else ({error}); "
            "restore the original file."
        ) from error
    return structured, stems
