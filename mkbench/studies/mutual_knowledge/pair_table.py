"""Tables of pairs of models: all of them for files, those next to each other in rank for the console."""

from collections.abc import Callable, Sequence

from mkbench.runs.results import explainer_label
from mkbench.studies.mutual_knowledge.pairs import QUANTITIES, Pair
from mkbench.tables import BELOW, Cell, Column, ResultTable, csv_bounds

HOLDS_0 = "holds 0"  # remark of a difference whose interval does
_POINT_DECIMALS = 1  # of accuracy in points
_CAPTION = "Differences over the images that both models have, with 95 % intervals of the paired bootstrap"
_CHANCE = "An interval holds for its pair alone; among many pairs some intervals miss 0 at random."


def _difference(key: str) -> Callable[[Pair], Cell]:
    """The difference, and whether its interval holds 0."""

    def cell(pair: Pair) -> Cell:
        unclear = pair.clear_of_zero(key) is False
        return Cell(pair.differences[key], remark=HOLDS_0 if unclear else "", style="dim" if unclear else "")

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


def pairs_table(pairs: Sequence[Pair], *, decimals: int = 2, notes: Sequence[str] = ()) -> ResultTable:
    """Declare the table of all pairs; ``a > b`` says that a ranks higher, by excess AUC.

    Args:
        pairs: of one or more explainers.
        decimals: of differences in nats.
        notes: lines below the table.

    >>> pairs_table([]).notes[-1].splitlines()[-1]
    'An interval holds for its pair alone; among many pairs some intervals miss 0 at random.'
    """
    columns = [
        Column(None, lambda pair: pair.explainer, csv="explainer"),
        Column(None, lambda pair: pair.first, csv="first"),
        Column(None, lambda pair: pair.second, csv="second"),
        Column("parts", lambda pair: explainer_label(pair.explainer), text=True),
        Column("models", lambda pair: f"{pair.first} > {pair.second}", text=True),
        Column("images", lambda pair: pair.images, csv="images"),
        *_quantities(decimals),
    ]
    about = f"{_CAPTION}; “{HOLDS_0}”: its interval does.\n{_CHANCE}"
    return ResultTable(columns, pairs, notes=[about, *notes])


def neighbors_table(pairs: Sequence[Pair], *, decimals: int = 2) -> ResultTable:
    """Declare the comparison of each model with the next in rank, for a terminal of 80 columns or more.

    Args:
        pairs: of one or more explainers; of those, the neighbors in rank are shown.
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
        [pair for pair in pairs if pair.neighbors],
        title="Each model and the next in rank (by excess AUC)",
        notes=[f"{_CAPTION}; n: images; “{HOLDS_0}”: its interval does."],
        section=lambda pair: pair.explainer,
        layouts=(BELOW,),
    )
