"""Subset of a data set, named by a file of sample ids."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mkbench.datamodules.class_groups import ImageSource
from mkbench.datamodules.ground_truth import GroundTruthReader, ground_truth_reader
from mkbench.datamodules.image_content import DigestReader, digest_reader
from mkbench.errors import DataError, UsageError
from mkbench.text_files import split_lines


def read_sample_ids(path: Path) -> frozenset[str]:
    r"""Read sample ids, one a line; blank lines are left out.

    Raises:
        UsageError: no such file.
        DataError: it is not UTF-8 text, holds no id, or one of them twice.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "samples.txt"
    ...     _ = path.write_text("owl/1.png\nbat/7.png\n")
    ...     sorted(read_sample_ids(path))
    ['bat/7.png', 'owl/1.png']
    """
    if not path.is_file():
        raise UsageError(f"Expected a file of sample ids at {path}, found none; check --data.samples.")
    try:
        lines = split_lines(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"Expected sample ids as UTF-8 text in {path}, found something else; save it so.") from error
    counts = Counter(line.strip() for line in lines if line.strip())
    twice = [sample_id for sample_id, count in counts.items() if count > 1]
    if twice or not counts:
        found = f"{len(twice)} of them more than once (such as {twice[0]!r})" if twice else "none"
        raise DataError(f"Expected different sample ids, one a line, in {path}, found {found}; correct the file.")
    return frozenset(counts)


@dataclass(frozen=True)
class SampleSubset:
    """A source of images, without those that were not chosen; the order stays the source's.

    Attributes:
        source: where the images come from.
        chosen: ids of the images to keep.
    """

    source: ImageSource
    chosen: frozenset[str]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in class order, of all classes: prediction stays among them."""
        return self.source.class_names

    @property
    def sha256(self) -> str:
        """Hash of the chosen ids, whatever their order in the file."""
        return hashlib.sha256("\n".join(sorted(self.chosen)).encode()).hexdigest()

    @property
    def ground_truth(self) -> GroundTruthReader | None:
        """Ground-truth reader of the images; None where the source has none."""
        return ground_truth_reader(self.source)

    @property
    def digest(self) -> DigestReader | None:
        """Digests of the images' files; None where the source has no files."""
        return digest_reader(self.source)

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return the chosen ids of a class; there may be none."""
        return [sample_id for sample_id in self.source.sample_ids(class_index) if sample_id in self.chosen]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        return self.source.read(class_index, sample_id)


def choose_samples(source: ImageSource, path: Path) -> SampleSubset:
    """Keep the images that a file names.

    Raises:
        UsageError: no such file.
        DataError: the file is no list of different ids, or names an image that the source does not have.
    """
    chosen = read_sample_ids(path)
    known = {sample_id for index in range(len(source.class_names)) for sample_id in source.sample_ids(index)}
    unknown = sorted(chosen - known)
    if unknown:
        raise DataError(
            f"Expected {path} to name images of the data set, found {len(unknown)} that it does not have (such as "
            f"{unknown[0]!r}; its own look like {min(known, default='')!r}); correct the file."
        )
    return SampleSubset(source, chosen)
