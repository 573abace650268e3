"""Answers on a page: a sentence, a figure, a table, and all of it to download, in one piece of HTML without files."""

import base64
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from mkbench.plotting.style import print_style
from mkbench.report.app.asked_model import Explanation
from mkbench.report.rendering import render
from mkbench.studies.head_queries.answer import Answer, answer_document
from mkbench.studies.head_queries.figure import answer_figure
from mkbench.studies.head_queries.table import answer_table
from mkbench.tables import Column, ResultTable, to_csv, to_html

SCHEMA_VERSION = 1
_DOTS = 160  # per inch of a figure
_CONCEPTS = (
    Column("descriptor", lambda concept: concept.text, text=True, csv="descriptor"),
    Column("importance", lambda concept: concept.importance, decimals=2, csv="importance"),
    Column(
        "named by the text encoder", lambda concept: "yes" if concept.mutual else "no", text=True, csv="named_by_text"
    ),
)


@dataclass(frozen=True)
class ShownAnswer:
    """An answer to show.

    Attributes:
        name: of its files, without a suffix.
        title: what was asked.
        sentence: what came of it, in words; may be empty.
        figure: of it.
        table: of it.
        document: of it, as JSON.
    """

    name: str
    title: str
    sentence: str
    figure: Figure
    table: ResultTable
    document: Mapping[str, Any]

    def to_html(self) -> str:
        """Return all of it as HTML; the files to download are part of the addresses of their links."""
        figure = _png(self.figure)
        files = {
            "png": ("Figure (PNG)", "image/png", figure),
            "csv": ("Table (CSV)", "text/csv", to_csv(self.table).encode("utf-8")),
            "json": ("Data (JSON)", "application/json", json.dumps(self.document, indent=1).encode("utf-8")),
        }
        return render(
            "answer.html",
            title=self.title,
            sentence=self.sentence,
            figure=_address("image/png", figure),
            # Everything of the table is escaped by its writer.
            table=Markup(to_html(self.table)),
            files=[
                {"name": f"{self.name}.{suffix}", "label": label, "uri": _address(kind, content)}
                for suffix, (label, kind, content) in files.items()
            ],
        )


def show_answer(answer: Answer) -> ShownAnswer:
    """Show an answer of attention heads."""
    table = answer_table(answer)
    untitled = ResultTable(table.columns, table.rows)
    return ShownAnswer(answer.name, answer.title, "", answer_figure(answer), untitled, answer_document(answer))


def show_explanation(explanation: Explanation, name: str) -> ShownAnswer:
    """Show an explained image.

    Args:
        explanation: of it.
        name: of the image.
    """
    chance = None if isnan(explanation.chance_auc) else explanation.chance_auc
    beside = "" if chance is None else f" (against the concepts of other classes {chance:.2f})"
    sentence = (
        f"Predicted: {explanation.predictions[0]}. MI {explanation.mutual_information:.2f}, AUC {explanation.auc:.2f}"
        f"{beside}, in nats; {explanation.kept} of {len(explanation.concepts)} concepts stay under one grey level of "
        "noise."
    )
    document = {
        "schema_version": SCHEMA_VERSION,
        "analysis": "mutual-knowledge",
        "question": {"image": name},
        "result": {
            "predictions": list(explanation.predictions),
            "concepts": [
                {"text": one.text, "importance": one.importance, "mutual": one.mutual} for one in explanation.concepts
            ],
            "language": list(explanation.language),
            "mutual_information": explanation.mutual_information,
            "auc": explanation.auc,
            "chance_auc": chance,
            "kept": explanation.kept,
        },
    }
    table = ResultTable(_CONCEPTS, explanation.concepts)
    legible = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    return ShownAnswer(
        f"mutual-knowledge_{legible}", f"Explained: {name}", sentence, explanation.plot(), table, document
    )


def _png(figure: Figure) -> bytes:
    with print_style(), io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=_DOTS, metadata={"Software": None})
        return file.getvalue()


def _address(kind: str, content: bytes) -> str:
    """Return content as a ``data:`` address.

    >>> _address("text/csv", b"a,b")
    'data:text/csv;base64,YSxi'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
