"""Tables of pairs of models: all of them for files, those next to each other in rank for the console."""

from collections.abc import Callable, Sequence

from mkbench.concepts.controls import CONTROLS
from mkbench.runs.results import explainer_label
from mkbench.studies.mutual_knowledge.pairs import LEVEL, QUANTITIES, Pair
from mkbench.tables import BELOW, Cell, Column, ResultTable, csv_bounds

UNDECIDED = "undecided"  # a difference whose interval holds 0, or whose adjusted p is 0.05 or more
_POINT_DECIMALS = 1  # of accuracy in points
_CAPTION = (
    "Differences over the images that both models have, with 95 % intervals over images (paired bootstrap); of AUC "
    "and excess AUC with all curves padded to the longest of both models"
)
_APART = (
    f"{UNDECIDED}: the interval over images holds 0, or p of the paired t test, adjusted for all pairs of an explainer "
    f"(Holm), is {LEVEL} or more"
)
_CLASSES = "The CSV has p, and intervals over classes (whole classes drawn), for claims about classes not measured."


def _difference(key: str) -> Callable[[Pair], Cell]:
    """The difference, and whether its interval holds 0."""

    def cell(pair: Pair) -> Cell:
        unclear = pair.apart(key) is False
        return Cell(pair.differences[key], remark=UNDECIDED if unclear else "", style="dim" if unclear else "")

    return cell


def _quantities(decimals: int) -> list[Column]:
    return [
        Column(
            heading,
            _difference(key),
            decimals=_POINT_DECIMALS if key == "top1" else decimals,
            signed=True,
            csv=csv_bounds(key),
        )
        for key, heading in QUANTITIES.items()
    ]


def _for_programs(key: str) -> list[Column]:
    def bound(end: int) -> Callable[[Pair], float | None]:
        return lambda pair: pair.class_intervals[key][end] if key in pair.class_intervals else None

    return [
        Column(
            None, lambda pair: None if pair.differences[key] is None else pair.p_values.get(key), csv=f"{key}_p_holm"
        ),
        Column(None, bound(0), csv=f"{key}_class_low"),
        Column(None, bound(1), csv=f"{key}_class_high"),
    ]


def pairs_table(pairs: Sequence[Pair], *, decimals: int = 2, notes: Sequence[str] = ()) -> ResultTable:
    """Declare the table of all pairs; ``a > b`` says that a ranks higher, by excess AUC.

    Args:
        pairs: of one or more explainers.
        decimals: of differences in nats.
        notes: lines below the table.

    >>> pairs_table([]).notes[-1].splitlines()[-1]
    'The CSV has p, and intervals over classes (whole classes drawn), for claims about classes not measured.'
    """
    columns = [
        Column(None, lambda pair: pair.explainer, csv="explainer"),
        Column(None, lambda pair: pair.first, csv="first"),
        Column(None, lambda pair: pair.second, csv="second"),
        Column("parts", lambda pair: explainer_label(pair.explainer), text=True),
        Column("models", lambda pair: f"{pair.first} > {pair.second}", text=True),
        Column("images", lambda pair: pair.images, csv="images"),
        *_quantities(decimals),
        *(column for key in QUANTITIES for column in _for_programs(key)),
    ]
    about = f"{_CAPTION}; {_APART}.\n{_CLASSES}"
    return ResultTable(columns, pairs, notes=[about, *notes])


def neighbors_table(pairs: Sequence[Pair], *, decimals: int = 2) -> ResultTable:
    """Declare the comparison of each model with the next in rank, for a terminal of 80 columns or more.

    Args:
        pairs: of one or more explainers; of those, the neighbors in rank are shown, but for the controls.
        decimals: of differences in nats.

    >>> neighbors_table([]).rows
    []
    """
    columns = [
        Column("models", lambda pair: Cell(pair.first, remark=f"> {pair.second}"), text=True),
        Column("parts", lambda pair: Cell(explainer_label(pair.explainer), remark=f"n {pair.images}"), text=True),
        *_quantities(decimals),
    ]
    return ResultTable(
        columns,
        [pair for pair in pairs if pair.neighbors and pair.explainer not in CONTROLS],
        title="Each model and the next in rank (by excess AUC)",
        notes=[f"{_CAPTION}; n: images; {_APART}."],
        section=lambda pair: pair.explainer,
        layouts=(BELOW,),
    )
