"""How pairs of models are shown: all of them as CSV and Markdown, those next to each other in rank on the console."""

import csv
import io
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from mkbench.runs.results import ABSENT, bound_cells, explainer_label
from mkbench.studies.mutual_knowledge.pairs import QUANTITIES, Pair
from mkbench.studies.mutual_knowledge.table import fixed, markdown_table

NOT_APART = "not apart"  # a difference whose interval holds 0
_POINT_DECIMALS = 1  # of accuracy in points
_CAPTION = "Differences over the images that both models have, with 95 % intervals of the paired bootstrap"
_CHANCE = "An interval holds for its pair alone; among many pairs some are apart by chance."


def _difference(pair: Pair, key: str, decimals: int) -> list[str]:
    """Signed difference, interval, and whether they are apart, as far as there are any."""
    difference = pair.differences[key]
    if difference is None:
        return [ABSENT, "", ""]
    digits = _POINT_DECIMALS if key == "top1" else decimals
    value = f"{round(difference.value, digits) + 0.0:+.{digits}f}"
    if difference.interval is None:
        return [value, "", ""]
    interval = ", ".join(fixed(bound, digits) for bound in difference.interval)
    return [value, f"[{interval}]", "" if pair.apart(key) else NOT_APART]


def pairs_csv(pairs: Sequence[Pair]) -> str:
    """Render pairs for programs: a row for each pair, full precision, absent values empty.

    >>> print(pairs_csv([]), end="")
    explainer,first,second,images,auc,auc_low,auc_high,excess,excess_low,excess_high,top1,top1_low,top1_high
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [f"{key}{bound}" for key in QUANTITIES for bound in ("", "_low", "_high")]
    writer.writerow(["explainer", "first", "second", "images", *columns])
    for pair in pairs:
        line: list[str | float | None] = [pair.explainer, pair.first, pair.second, pair.images]
        for key in QUANTITIES:
            difference = pair.differences[key]
            line += bound_cells(difference)
        writer.writerow(line)
    return out.getvalue()


def pairs_markdown(pairs: Sequence[Pair], *, decimals: int = 2, notes: Sequence[str] = ()) -> str:
    """Render all pairs as Markdown; ``a > b`` says that a ranks higher, by excess AUC.

    Args:
        pairs: of one or more explainers.
        decimals: of differences in nats.
        notes: lines below the table.

    >>> print(pairs_markdown([]).splitlines()[-1])
    An interval holds for its pair alone; among many pairs some are apart by chance.
    """
    cells = []
    for pair in pairs:
        shown = [" ".join(filter(None, _difference(pair, key, decimals))) for key in QUANTITIES]
        cells.append([explainer_label(pair.explainer), f"{pair.first} > {pair.second}", str(pair.images), *shown])
    headers = ["parts", "models", "images", *QUANTITIES.values()]
    table = markdown_table(headers, cells, left=("parts", "models"))
    about = f"{_CAPTION}; “{NOT_APART}”: the interval holds 0.\n{_CHANCE}\n"
    return "\n".join([table, about, *(f"{note}\n" for note in notes)])


def pairs_console(pairs: Sequence[Pair], *, decimals: int = 2) -> Table:
    """Render the comparison of each model with the next in rank for a terminal of 80 columns or more.

    Args:
        pairs: of one or more explainers; of those, the neighbours in rank are shown.
        decimals: of differences in nats.

    >>> pairs_console([]).row_count
    0
    """
    about = Text(f"{_CAPTION}; n: images; {NOT_APART}: the interval holds 0.")
    title = Text("Each model and the next in rank (by excess AUC)")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", caption=about, caption_justify="left")
    table.collapse_padding, table.pad_edge = True, False
    table.add_column(Text("models"), overflow="fold")
    table.add_column(Text("parts"))
    for heading in QUANTITIES.values():
        table.add_column(Text(heading), justify="right")
    shown = [pair for pair in pairs if pair.neighbours]
    for index, pair in enumerate(shown):
        # Text objects are shown as they are; a plain string would be read as markup.
        cells = [Text(f"{pair.first}\n> {pair.second}"), Text(f"{explainer_label(pair.explainer)}\nn {pair.images}")]
        for key in QUANTITIES:
            lines = _difference(pair, key, decimals)
            cells.append(Text("\n".join(filter(None, lines)), style="dim" if NOT_APART in lines else ""))
        last = index + 1 == len(shown) or shown[index + 1].explainer != pair.explainer
        table.add_row(*cells, end_section=last)
    return table
