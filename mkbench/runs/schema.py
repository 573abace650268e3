"""Schema of ``results.json``, and the check of a document against it."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, TypedDict, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

#: Of ``results.json`` and ``manifest.json``; a run folder of another version is refused.
SCHEMA_VERSION = 1
#: Low and high end of a 95 % interval; a list of two in the file.
Bounds = tuple[float, float]


class ModelEntry(TypedDict):
    """The model of a run; ``family`` is None where it is unknown, ``grid`` the rows and columns of patches."""

    name: str
    label: str
    family: str | None
    parameters: int
    random_weights: bool
    fingerprint: str
    image_size: int
    grid: list[int]
    precision: str


class _BankEntry(TypedDict):
    source: str
    sha256: str
    size: int


class BankEntry(_BankEntry, total=False):
    """The concept bank of a run; ``prompts`` and ``language_models`` of one that `mkbench bank` made."""

    prompts: list[str]
    language_models: list[str]


class PartialEntry(TypedDict):
    """Share of the class groups that a run over a part of its data has."""

    groups: int
    of: int


class _DataEntry(TypedDict):
    name: str
    classes: int
    images: int
    unreadable: list[str]


class DataEntry(_DataEntry, total=False):
    """The data of a run; a DataModule may add entries of its own."""

    class_list: int
    class_names_sha256: str
    bank: BankEntry
    templates: list[str]
    group_size: int | None
    limit_images_per_class: int | None
    samples_sha256: str | None
    resize: str
    seed: int
    not_images: int
    partial: PartialEntry


class _MetricResult(TypedDict):
    name: str
    explainer: str | None
    value: float | None


class MetricResult(_MetricResult, total=False):
    """A metric of the model (``explainer`` None) or of an explainer, over ``n`` images or heads."""

    higher_is_better: bool | None
    n: int
    interval: Bounds | None


class ControlEntry(TypedDict):
    """A metric less that of a control over the same images; ``separates`` where the interval is on the better side."""

    metric: str
    explainer: str | None
    control: str
    difference: float
    interval: Bounds
    n: int
    separates: bool


class _DifferenceEntry(TypedDict):
    metric: str
    minus: str
    value: float
    interval: Bounds
    n: int


class DifferenceEntry(_DifferenceEntry, total=False):
    """A metric of a classifier less that of the classifier ``minus`` over the same images."""

    explainer: str | None


class MiningEntry(TypedDict):
    """Images that the runs which descriptors were mined from had seen, and the descriptors of each class."""

    seen: dict[str, int]
    classes: list[dict[str, Any]]


class _RunResults(TypedDict):
    schema_version: int
    system: str
    model: ModelEntry
    data: DataEntry
    settings: dict[str, Any]
    metrics: list[MetricResult]
    fallbacks: dict[str, dict[str, int]]


class RunResults(_RunResults, total=False):
    """A parsed ``results.json``; a system may add entries of its own.

    ``system`` is what was run, in snake case (``mutual_knowledge``); ``curves`` hold the averaged curves of each
    explainer by their names; ``controls`` and ``differences`` are paired differences over the same images.
    """

    curves: dict[str, dict[str, list[float]]]
    controls: list[ControlEntry]
    differences: list[DifferenceEntry]
    mining: MiningEntry
    class_names: list[str]


class Environment(TypedDict, total=False):
    """A parsed ``environment.json``: speed, device and versions, none of which may change a metric.

    ``forward_ms`` is the time of an image in the forward pass that all explainers share; ``explainer_costs`` hold what
    each adds to it, for an image: ``forwards``, the images that pass the image encoder, and ``ms``.
    """

    images_computed: int
    seconds: float
    images_per_second: float
    forward_ms: float
    explainer_costs: dict[str, dict[str, float]]
    devices: int
    device: str
    precision: str
    seed: int
    fingerprint: str
    versions: dict[str, str]


class DrawnPart(TypedDict):
    """A part of an image in its figure.

    ``number`` is the one that the figure has for it; ``outlines`` are closed polygons, filled by the even-odd rule,
    of corners x, y in shares of the sides of the image.
    """

    number: int
    descriptors: list[str]
    outlines: list[list[tuple[float, float]]]


class FigureRegions(TypedDict):
    """A parsed ``figures/sample-*.json``, which says where in the figure of an image its parts lie.

    ``panels`` are the places of the image in the figure: left, top, width and height in shares of the figure's sides.
    """

    schema_version: int
    panels: list[tuple[float, float, float, float]]
    parts: list[DrawnPart]


#: Largest integer of which a 64-bit number still tells each from the next.
_LARGEST = 2**53

_NAMES: dict[Any, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    NoneType: "null",
    list: "a list",
    dict: "an object",
}


def find_fault(content: object, schema: Any, place: str = "") -> str | None:
    """Say where a parsed JSON document departs from its schema; None if it does not.

    Args:
        content: the document, or a part of it.
        schema: a TypedDict, or the annotation of an entry of one. Entries that it does not name are not looked at.
        place: dotted path of the part.

    Returns:
        The place, what was expected there and what was found, for an error message.

    Raises:
        TypeError: an annotation of another kind than those of this module.

    Example:
        >>> find_fault({"source": "critters", "sha256": "ab", "size": "many"}, BankEntry, "data.bank")
        'data.bank.size to be an integer, found a string'
        >>> find_fault({"source": "critters", "sha256": "ab"}, BankEntry, "data.bank")
        'data.bank.size, found none'
        >>> find_fault([1, 2.5], Bounds | None) is None
        True
    """
    origin, options = get_origin(schema), get_args(schema)
    if schema is Any:
        return None
    if origin in (Union, UnionType):
        faults = [find_fault(content, option, place) for option in options if option is not NoneType]
        return None if None in faults or (content is None and NoneType in options) else faults[0]
    kind = dict if is_typeddict(schema) else list if origin is tuple else origin or schema
    if kind not in _NAMES:
        raise TypeError(f"Expected an annotation of JSON, got {schema!r}.")
    if not _is_of(content, kind):
        return f"{place} to be {_NAMES[kind]}, found {_NAMES.get(type(content), type(content).__name__)}"
    if isinstance(content, int) and abs(content) > _LARGEST:
        return f"{place} to be at most {_LARGEST}, found {content}"
    return next(filter(None, _faults_inside(content, schema, place)), None)


def _is_of(content: object, kind: type) -> bool:
    """Tell whether a value is of a kind; an integer is a number too, true and false are neither."""
    if isinstance(content, bool):
        return kind is bool
    return isinstance(content, (int, float) if kind is float else kind)


def _faults_inside(content: Any, schema: Any, place: str) -> list[str | None]:
    """Check the entries of an object or a list."""
    origin, options = get_origin(schema), get_args(schema)
    if is_typeddict(schema):
        return _entry_faults(cast(Mapping[str, object], content), schema, f"{place}." if place else "")
    if origin is dict:
        return [find_fault(entry, options[1], f"{place}.{name}") for name, entry in content.items()]
    if origin is tuple and len(content) != len(options):
        return [f"{place} to hold {len(options)} entries, found {len(content)}"]
    if origin in (list, tuple):
        kinds = options if origin is tuple else options * len(content)
        pairs = zip(content, kinds, strict=True)
        return [find_fault(entry, kind, f"{place}[{number}]") for number, (entry, kind) in enumerate(pairs)]
    return []


def _entry_faults(content: Mapping[str, object], schema: Any, prefix: str) -> list[str | None]:
    """Check an object: all entries that it must have, and the kinds of those that it has."""
    missing: list[str | None] = [
        f"{prefix}{name}, found none" for name in sorted(schema.__required_keys__ - content.keys())
    ]
    kinds = get_type_hints(schema)
    return missing + [find_fault(content[name], kind, prefix + name) for name, kind in kinds.items() if name in content]
