"""Tables of heads with ground truth: the factor that each head writes, labels and routes, and maps of parts."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group

from mkbench.runs.results import Estimate
from mkbench.studies.head_removal.table import score_estimate
from mkbench.tables import BELOW, BESIDE, NO_INTERVALS, Cell, Column, ResultTable, fixed, to_console

_SHOWN = 3  # factors of a head beside the first


def show_truth(document: Mapping[str, Any], *, width: int = 120) -> Group:
    """Render what ``measure_head_truth`` found: a table of heads, one of labels and routes, and one of parts.

    Args:
        document: what it returned.
        width: columns of the terminal.
    """
    tables = (heads_table(document), labels_table(document), parts_table(document))
    return Group(*(to_console(table, width=width) for table in tables))


def heads_table(document: Mapping[str, Any]) -> ResultTable:
    """Declare the table of heads: the factor that each writes most, beside its label.

    Args:
        document: what ``measure_head_truth`` returned.

    >>> heads_table({"heads": [], "images": 2, "factors": ["tail", "legs"]}).title
    'Factors that heads write, over 2 images with each of 2 things changed'
    """
    chance = 1 / len(document["factors"])
    columns = [
        Column("layer", "layer"),
        Column("head", "head"),
        Column("label", lambda head: head["label"], text=True),
        Column("writes most", _most, text=True),
        Column("share", _share, decimals=2, whole=True),
        Column("permuted", "permuted", decimals=2),
        Column("then", _others, text=True),
        Column("more than others do", lambda head: head["specific"], text=True, console_heading="more than\nothers do"),
    ]
    notes = [
        "share: of the squared change of what the head adds, along the directions of all descriptors, the part that is "
        "of pairs of images which differ in this factor alone; shares of a head add up to 1; [ ]: 95 % over classes. "
        f"permuted: the mean largest share with permuted factors, each of which is {fixed(chance, 2)} on average. "
        "✔ the label names this factor. – no larger than 97.5 % of those with permuted factors.",
        "more than others do: the factor whose share exceeds that of the average head most.",
    ]
    return ResultTable(
        columns,
        document["heads"],
        title=f"Factors that heads write, over {document['images']} images with each of {len(document['factors'])} "
        "things changed",
        notes=notes,
        notes_width="terminal",
        section=lambda head: head["layer"],
        layouts=(BESIDE, BELOW),
    )


def _most(head: Mapping[str, Any]) -> Cell:
    marks = (" ✔" if head["most"] in head["named"] else "") + ("" if head["separates"] else " –")
    return Cell(head["most"], marks=marks)


def _share(head: Mapping[str, Any]) -> Estimate | None:
    return None if head["most"] is None else score_estimate(head["shares"][head["most"]])


def _others(head: Mapping[str, Any]) -> str | None:
    """The next factors with their shares."""
    if head["most"] is None:
        return None
    ranked = sorted(head["shares"].items(), key=lambda share: -share[1]["value"])[1 : 1 + _SHOWN]
    return ", ".join(f"{factor} {fixed(share['value'], 2)}" for factor, share in ranked)


def labels_table(document: Mapping[str, Any]) -> ResultTable:
    """Declare what labels say of the factors, each line beside its control; empty where no label names one.

    Args:
        document: what ``measure_head_truth`` returned.

    >>> labels_table({"heads": [], "labels": {"most": None, "specific": None}, "routes": None}).rows
    []
    """
    labels, routes = document["labels"], document["routes"]
    kinds = {"most": "label names the factor that the head writes most", "specific": "... more than other heads do"}
    rows: list[dict[str, Any]] = [
        {
            "what": what,
            "value": labels[kind]["accuracy"],
            "control": labels[kind]["permuted"],
            "gain": labels[kind]["gain"],
        }
        for kind, what in kinds.items()
        if labels[kind] is not None
    ]
    if routes is not None:
        what = "share of the change that goes through a head with its label"
        rows.append({"what": what, "value": routes["own"], "control": routes["mispaired"], "gain": routes["gain"]})
    heads = 0 if labels["most"] is None else labels["most"]["heads"]
    return ResultTable(
        [Column("", "what", text=True), *_compared_columns()],
        rows,
        title=f"Labels of the {heads} of {len(document['heads'])} heads whose label names something that is changed",
        notes=[
            "control: labels permuted over these heads; of the last line, pairs that differ in something else, along "
            "the descriptors that it makes true or false; gain: the difference, paired; [ ]: 95 % over heads, of the "
            "last line over classes. ✔ better than the control: the interval lies above 0."
        ],
        notes_width="terminal",
        layouts=(BESIDE, BELOW, NO_INTERVALS),
    )


def _compared_columns() -> list[Column]:
    return [
        Column("value", lambda row: score_estimate(row["value"]), decimals=3, higher_is_better=True),
        Column("control", _control, decimals=3),
        Column("gain", lambda row: gain_cell(row["gain"]), decimals=3, signed=True),
    ]


def _control(row: Mapping[str, Any]) -> Estimate | float:
    control = row["control"]
    return control if isinstance(control, float) else score_estimate(control)


def gain_cell(gain: Mapping[str, Any]) -> Cell:
    """Return a paired difference, with a mark where its interval lies above 0.

    >>> gain_cell({"value": 0.5, "interval": [0.1, 0.9]}).marks, gain_cell({"value": 0.5, "interval": [0, 1]}).marks
    (' ✔', '')
    """
    return Cell(score_estimate(gain), marks=" ✔" if gain["interval"][0] > 0 else "")


def parts_table(document: Mapping[str, Any]) -> ResultTable:
    """Declare the overlap of maps of descriptors with the true parts, a line for each part.

    Args:
        document: what ``measure_head_truth`` returned.

    >>> [column.title for column in parts_table({"parts": {}}).shown][:3]
    ['part', 'images', 'IoU ↑']
    """
    columns = [
        Column("part", lambda row: row[0], text=True),
        Column("images", lambda row: row[1]["images"]),
        Column("IoU", lambda row: score_estimate(row[1]["own"]), decimals=3, higher_is_better=True),
        Column("other parts' maps", lambda row: score_estimate(row[1]["others"]), decimals=3),
        Column("raw attention", lambda row: score_estimate(row[1]["attention"]), decimals=3),
        Column("gain", lambda row: gain_cell(row[1]["gain"]), decimals=3, signed=True),
        Column("over attention", lambda row: gain_cell(row[1]["gain_over_attention"]), decimals=3, signed=True),
    ]
    return ResultTable(
        columns,
        list(document["parts"].items()),
        title="Maps of a part's descriptors by all heads, cut at their mean, against the true part",
        notes=[
            "other parts' maps: those of the descriptors of the other parts of the same image; gain: over them, "
            "paired; [ ]: 95 % over classes. ✔ better than the control: the interval lies above 0."
        ],
        notes_width="terminal",
        layouts=(BESIDE, BELOW, NO_INTERVALS),
    )
