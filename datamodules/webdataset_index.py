"""Index of tar shards, by which an image is read without unpacking."""

import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from mkbench.datamodules.image_content import bytes_digest
from mkbench.datamodules.image_files import AS_STORED, Decoding, decode_image, require_utf8_names
from mkbench.errors import DataError, UsageError

#: A label is a number or a name; a longer member is something else.
_LONGEST_LABEL = 1024


def expand_braces(pattern: str) -> list[str]:
    """Return the texts that a pattern with ``{a,b}`` and ``{000..049}`` stands for; braces do not nest.

    >>> expand_braces("{a,b}-{08..11}.tar")[2:6]
    ['a-10.tar', 'a-11.tar', 'b-08.tar', 'b-09.tar']
    """
    pieces = [_alternatives(piece) for piece in re.split(r"(\{[^{}]*\})", pattern)]
    return ["".join(choice) for choice in product(*pieces)]


def _alternatives(piece: str) -> list[str]:
    numbers = re.fullmatch(r"\{(\d+)\.\.(\d+)\}", piece)
    if numbers:
        first, last = numbers.groups()
        return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
    return piece[1:-1].split(",") if re.fullmatch(r"\{[^{}]*,[^{}]*\}", piece) else [piece]


def find_shards(pattern: str) -> list[Path]:
    """Return the shards in a folder (its ``*.tar``), of a pattern with braces or asterisks, or a single one.

    Raises:
        DataError: none, or one of a pattern with braces is missing.
        UsageError: an address instead of a path.
    """
    if re.match(r"(pipe|\w+)://?|pipe:", pattern):
        raise UsageError(f"Expected shards in a folder, found {pattern}; fetch them first and give their path.")
    if Path(pattern).is_dir():
        shards = sorted(Path(pattern).glob("*.tar"))
    else:
        shards = [shard for text in expand_braces(pattern) for shard in _glob(text)]
    missing = [str(shard) for shard in shards if not shard.is_file()]
    if missing or not shards:
        found = f"no {missing[0]} ({len(missing)} of {len(shards)} are missing)" if missing else "none"
        raise DataError(
            f"Expected tar shards at {pattern}, found {found}; check --data.shards: a folder, or a pattern such as "
            "DIR/val-{000000..000049}.tar."
        )
    return shards


def _glob(text: str) -> list[Path]:
    path = Path(text)
    if not re.search(r"[*?\[]", text):
        return [path]
    relative = path.relative_to(path.anchor)
    return sorted(Path(path.anchor).glob(str(relative)))


class Member(NamedTuple):
    """Place of a file in the shards.

    Attributes:
        shard: number of the shard.
        offset: of its first byte in the shard.
        size: bytes.
    """

    shard: int
    offset: int
    size: int


@dataclass
class Sample:
    """Image and label files of one key.

    Attributes:
        shard: number of the shard that holds it.
        images: extension -> image.
        label: content of the label; None: there is none.
    """

    shard: int
    images: dict[str, Member] = field(default_factory=dict)
    label: str | None = None


def index_shards(shards: Sequence[Path], *, image_keys: Sequence[str], label_key: str) -> dict[str, Sample]:
    """Read the headers of all shards, and the labels; files with other extensions, whatever they hold, are not read.

    Args:
        shards: uncompressed tar files.
        image_keys: extensions of images, without a dot.
        label_key: extension of the labels.

    Returns:
        Sample id -> what belongs to it, in the order of the shards. The id is the key (path up to the first dot of the
        file's name), after the name of the shard where a key is in several of them: ``val-000001/17``.

    Raises:
        DataError: a shard that is damaged or compressed, a key that repeats in a shard, or one that ends at a dot
            within what was meant as the key.
    """
    read = [_index_shard(shard, number, image_keys, label_key) for number, shard in enumerate(shards)]
    repeated = len(set().union(*read)) < sum(map(len, read))
    stems = [shard.name.removesuffix(".tar") for shard in shards]
    if repeated and len(set(stems)) < len(stems):
        raise DataError(
            "Expected shards of different names, or different keys in them, found neither; rename the shards, from "
            "whose names the sample ids are made."
        )
    return {
        f"{stem}/{key}" if repeated else key: sample
        for stem, samples in zip(stems, read, strict=True)
        for key, sample in samples.items()
    }


def _index_shard(shard: Path, number: int, image_keys: Sequence[str], label_key: str) -> dict[str, Sample]:
    """Return key -> what belongs to it, of one shard."""
    samples: dict[str, Sample] = {}
    dotted = _DottedNames(image_keys, label_key)
    for name, member, label in _read_headers(shard, number, {*image_keys, label_key}, label_key, dotted):
        key, extension = split_name(name)
        sample = samples.setdefault(key, Sample(number))
        if extension in sample.images if label is None else sample.label is not None:
            raise DataError(f"Expected different keys in the shards, found {key!r} twice in {shard}; write them anew.")
        if label is None:
            sample.images[extension] = member
        else:
            sample.label = label
    dotted.require_none(samples, shard)
    require_utf8_names(samples, shard)
    return samples


class _DottedNames:
    """Members such as ``22.05.jpg`` that would be passed over: their key is ``22``, their extension ``05.jpg``.

    ``22.seg.png`` beside ``22.jpg`` is of that form too, and rightly passed over. So a name is taken for a mistake only
    if its key has no image otherwise, or if it has both an image and a label of its own.
    """

    def __init__(self, image_keys: Sequence[str], label_key: str) -> None:
        self._image_keys, self._label_key = set(image_keys), label_key
        self._images: dict[str, str] = {}
        self._labels: set[str] = set()

    def note(self, name: str) -> None:
        """Note a member that has none of the extensions."""
        stem, _, extension = name.removeprefix("./").rpartition(".")
        if extension.lower() in self._image_keys:
            self._images.setdefault(stem, name)
        elif extension.lower() == self._label_key:
            self._labels.add(stem)

    def require_none(self, samples: Mapping[str, Sample], shard: Path) -> None:
        """Refuse names that are taken for a mistake."""
        for stem, name in self._images.items():
            key, extension = split_name(name)
            if stem in self._labels or key not in samples or not samples[key].images:
                raise DataError(
                    f"Expected keys without a dot in {shard}, found {name!r}, whose key is {key!r} and whose extension "
                    f"{extension!r} by the rule of WebDataset, so that images would be passed over; write the shards "
                    f"anew, or give --data.image_keys the extension."
                )


def split_name(name: str) -> tuple[str, str]:
    """Return key and extension of a member: its extension begins at the first dot of the file's name.

    >>> split_name("./val/n01.42.JPG"), split_name("7.cls")
    (('val/n01', '42.jpg'), ('7', 'cls'))
    """
    folder, slash, file = name.removeprefix("./").rpartition("/")
    stem, _, extension = file.partition(".")
    return folder + slash + stem, extension.lower()


def _read_headers(
    shard: Path, number: int, extensions: set[str], label_key: str, dotted: "_DottedNames"
) -> Iterator[tuple[str, Member, str | None]]:
    """Yield name, place and, for labels, content of the members with one of the extensions; note the others."""
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                extension = split_name(member.name)[1]
                if not member.isreg() or member.issparse():
                    continue
                if extension not in extensions:
                    dotted.note(member.name)
                    continue
                label = _read_label(tar, member, shard) if extension == label_key else None
                yield member.name, Member(number, member.offset_data, member.size), label
            end = tar.offset
        with shard.open("rb") as file:  # the library takes a damaged header, and a missing end, for the end
            file.seek(end)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"no further header and no end mark at byte {end}")
    except (tarfile.TarError, EOFError) as error:
        raise DataError(
            f"Expected a whole, uncompressed tar file at {shard}, found one that is not ({error}); fetch it again, or "
            "unpack its compression."
        ) from error


def _read_label(tar: tarfile.TarFile, member: tarfile.TarInfo, shard: Path) -> str:
    file = tar.extractfile(member)
    content = file.read(_LONGEST_LABEL + 1) if file is not None else b""
    try:
        if len(content) > _LONGEST_LABEL:
            raise ValueError(f"{member.size} bytes")
        return content.decode("utf-8").strip()
    except ValueError as error:
        raise DataError(
            f"Expected a number or a name as label in {member.name} of {shard}, found something else ({error}); name "
            "the extension of the labels with --data.label_key."
        ) from error


def group_samples(
    samples: Mapping[str, Sample], positions: Mapping[str, int], count: int, *, image_keys: Sequence[str]
) -> tuple[dict[str, Member], ...]:
    """Return key -> image for each of `count` classes; of several images the first of ``image_keys`` is taken.

    Args:
        samples: what ``index_shards`` has found.
        positions: class index of every label.
        count: number of classes.
        image_keys: extensions of images, without a dot.

    Raises:
        DataError: a key without image or label, or with a label that is not known.

    >>> samples = {"7": Sample(0, {"png": Member(0, 512, 90)}, "owl")}
    >>> group_samples(samples, {"owl": 1}, 2, image_keys=["jpg", "png"])
    ({}, {'7': Member(shard=0, offset=512, size=90)})
    """
    classes: list[dict[str, Member]] = [{} for _ in range(count)]
    for key, sample in samples.items():
        if sample.label is None or not sample.images:
            missing = "no label" if sample.label is None else "no image"
            raise DataError(
                f"Expected an image and a label for every key, found {missing} for {key!r}; name the extensions with "
                "--data.image_keys and --data.label_key."
            )
        label = sample.label
        index = positions.get(label, positions.get(label.lstrip("0") or "0"))
        if index is None:
            raise DataError(
                f"Expected labels that --data.class_names knows, found {label!r} for {key!r}; give a list of all "
                "classes in the order of their numbers, or a mapping from label to name."
            )
        classes[index][key] = next(sample.images[name] for name in image_keys if name in sample.images)
    return tuple(classes)


@dataclass(frozen=True)
class TarSource:
    """Images in tar shards, read by their offset; sample ids are the keys.

    Attributes:
        shards: the shards.
        class_names: name of each class, in class order.
        members: for each class, key -> image, in the order of the shards.
        decoding: how the images are decoded.
    """

    shards: tuple[Path, ...]
    class_names: tuple[str, ...]
    members: tuple[Mapping[str, Member], ...]
    decoding: Decoding = AS_STORED

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return the keys of a class's images; there may be none."""
        return list(self.members[class_index])

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        shard = self.shards[self.members[class_index][sample_id].shard]
        return decode_image(self._encoded(class_index, sample_id), f"{shard}:{sample_id}", self.decoding)

    def digest(self, class_index: int, sample_id: str) -> str:
        """Return the digest of an image's file."""
        return bytes_digest(self._encoded(class_index, sample_id))

    def _encoded(self, class_index: int, sample_id: str) -> bytes:
        member = self.members[class_index][sample_id]
        shard = self.shards[member.shard]
        try:
            with shard.open("rb") as file:
                file.seek(member.offset)
                return file.read(member.size)
        except OSError as error:
            raise DataError(f"Expected {sample_id} in {shard}, found {error.strerror}; restore the shard.") from error
