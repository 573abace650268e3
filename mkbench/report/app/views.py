"""Views of a page: the questions that a model can be asked, and the fields that a user fills in for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mkbench.errors import UsageError
from mkbench.report.app.asked_model import AskedModel
from mkbench.report.app.menus import ALL_HEADS
from mkbench.report.app.shown_answer import ShownAnswer, show_answer, show_explanation
from mkbench.studies.head_queries.query_images import QueryImage
from mkbench.studies.head_queries.read_head import read_head

KNOWLEDGE = "mutual_knowledge"


@dataclass(frozen=True)
class View:
    """A view of a page.

    Attributes:
        name: of the question: a method of ``mkbench.studies.head_queries.study.HeadRun``, or ``KNOWLEDGE``.
        title: of its tab.
        about: what it shows, in a sentence.
        fields: what is asked for beside the image: ``head``, ``any_head``, ``property_name``, ``text``, ``first`` and
            ``second`` (two texts), ``top``, ``similarity``.
        of_image: whether an image is asked about.
    """

    name: str
    title: str
    about: str
    fields: tuple[str, ...]
    of_image: bool = True


VIEWS = (
    View(
        KNOWLEDGE,
        "Both encoders",
        "The parts of the image, the descriptors found in them, and which of these the text encoder names too.",
        (),
    ),
    View(
        "property_neighbors",
        "By property",
        "The images of the run that are most like the image in one property, by all heads with that label.",
        ("property_name", "top", "similarity"),
    ),
    View(
        "image_neighbors",
        "By image",
        "The images for which one head writes what it writes for the image.",
        ("head", "top", "similarity"),
    ),
    View(
        "text_neighbors",
        "By text",
        "The images for which one head writes what a text says.",
        ("text", "head", "top", "similarity"),
        of_image=False,
    ),
    View(
        "topic_segmentation",
        "Topic",
        "Where in the image one head, or all of them together, write what a text says.",
        ("text", "any_head", "similarity"),
    ),
    View(
        "contrastive_segmentation",
        "Contrast",
        "Where in the image all heads together write one text rather than another.",
        ("first", "second", "similarity"),
    ),
)


def find_query(model: AskedModel, uploaded: QueryImage | None, sample_id: str | None) -> QueryImage:
    """Return the image that a user asks about: the uploaded one, or else the chosen one.

    Raises:
        UsageError: neither, or an image that the run does not have.
        DataError: it cannot be read.
    """
    if uploaded is not None:
        return uploaded
    if not sample_id:
        raise UsageError("Expected an image, found none; upload one or choose one of the run.")
    return model.images.sample(sample_id)


def ask(view: View, model: AskedModel, query: QueryImage | None, fields: Mapping[str, Any]) -> ShownAnswer:
    """Answer a question.

    Args:
        view: which one.
        model: the model that is asked.
        query: the image; None where none is asked about.
        fields: what the user filled in, by the names of the view's fields.

    Raises:
        MkbenchError: the model has no answer to it; its sentence says why.
    """
    if query is not None and view.name == KNOWLEDGE:
        return show_explanation(model.explain(query.pixels), query.name)
    heads = model.require_heads()
    question = {} if query is None else {"image": query}
    return show_answer(getattr(heads, view.name)(**question, **_read_fields(fields)))


def _read_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as the questions take them.

    >>> _read_fields({"any_head": "all", "first": "an owl", "second": None})
    {'head': None, 'texts': ('an owl', '')}
    """
    read: dict[str, Any] = {}
    for name, value in fields.items():
        text = str(value or "").strip()
        if name == "head":
            read["head"] = read_head(text)
        elif name == "any_head":
            read["head"] = None if text == ALL_HEADS else read_head(text)
        elif name in ("first", "second"):
            read["texts"] = (*read.get("texts", ()), text)
        else:
            read[name] = int(value) if name == "top" else text
    return read
