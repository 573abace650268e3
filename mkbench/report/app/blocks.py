"""Page of the app: its menus, tabs and buttons, and what they call."""

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from mkbench.errors import MkbenchError, sentence
from mkbench.report.app.asked_model import AskedModel, ModelShelf
from mkbench.report.app.menus import (
    ALL_HEADS,
    Choices,
    example_head,
    example_property,
    example_texts,
    head_choices,
    image_choices,
    property_choices,
)
from mkbench.report.app.uploads import preview_address, read_upload
from mkbench.report.app.views import VIEWS, View, ask, find_query
from mkbench.report.rendering import render
from mkbench.studies.head_queries.query_images import QueryImage

TITLE = "mkbench: ask a model"
_QUEUE = {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": "private"}
_SIMILARITIES = [
    ("product, as published", "dot"),
    ("product of directions", "cosine"),
    ("without what all have in common", "centred"),
]
_MOST_IMAGES_FOUND = 24


@dataclass(frozen=True)
class _Menus:
    """What a model gives the menus of a page."""

    images: list[str]
    heads: Choices
    properties: Choices
    texts: tuple[str, str]
    head: str
    property_name: str

    @staticmethod
    def of(model: AskedModel) -> "_Menus":
        return _Menus(
            image_choices(model),
            head_choices(model),
            property_choices(model),
            example_texts(model),
            example_head(model),
            example_property(model),
        )

    def start(self, field: str) -> Any:
        """Return the first value of a field, and what its example has."""
        values = {
            "head": self.head,
            "any_head": ALL_HEADS,
            "property_name": self.property_name,
            "text": self.texts[0],
            "first": self.texts[0],
            "second": self.texts[1],
            "top": 8,
            "similarity": "dot",
        }
        return values[field]

    def choices(self, field: str) -> Choices:
        """Return what a menu offers."""
        heads = self.heads
        return {
            "head": heads,
            "any_head": [("all heads of all layers", ALL_HEADS), *heads],
            "property_name": self.properties,
        }[field]

    def example(self, view: View) -> list[Any]:
        """Return the example of a view: its image, if it has one, and its fields."""
        image = [self.images[len(self.images) // 2]] if view.of_image else []
        values: list[Any] = [self.start(field) for field in view.fields]
        return [*image, *values]


_MENU_FIELDS = ("head", "any_head", "property_name")
_LABELS = {
    "head": "Head (layer.head)",
    "any_head": "Head (layer.head)",
    "property_name": "Property",
    "text": "Text",
    "first": "Text",
    "second": "Other text",
    "top": "Images",
    "similarity": "Similarity",
}


class _Tab:
    """A view on the page: its fields, its button, its result and its example."""

    def __init__(self, gr: Any, view: View, menus: _Menus, sample: Any) -> None:
        self.view = view
        gr.Markdown(view.about)
        with gr.Row():
            self.fields = [_field(gr, name, menus) for name in view.fields]
        self.button = gr.Button("Show", variant="primary", elem_id=f"ask-{view.name}")
        self.inputs = [*([sample] if view.of_image else []), *self.fields]
        self.example = gr.Dataset(
            components=self.inputs,
            headers=[*(["Image"] if view.of_image else []), *(_LABELS[name] for name in view.fields)],
            samples=[menus.example(view)],
            type="values",
            label="Example (press to try)",
            elem_id=f"example-{view.name}",
        )
        self.result = gr.HTML("", elem_id=f"result-{view.name}", min_height=40)


def _field(gr: Any, name: str, menus: _Menus) -> Any:
    label, value = _LABELS[name], menus.start(name)
    if name == "top":
        return gr.Slider(1, _MOST_IMAGES_FOUND, value=value, step=1, label=label, min_width=170)
    if name == "similarity":
        return gr.Dropdown(_SIMILARITIES, value=value, label=label, min_width=250)
    if name in _MENU_FIELDS:
        choices = menus.choices(name)
        return gr.Dropdown(choices, value=value, label=label, allow_custom_value=True, min_width=300)
    return gr.Textbox(value=value, label=label, max_lines=3, min_width=300)


def make_page(gr: Any, shelf: ModelShelf, *, debug: bool = False) -> Any:
    """Build the page; the first model is opened for it.

    All that a user fills in comes with each question, and all that is shown goes back with its answer: the server
    keeps nothing of it but uploaded files, which it deletes.

    Args:
        gr: the module ``gradio``.
        shelf: the models.
        debug: print tracebacks of what nothing here expects to the console.

    Returns:
        A ``gradio.Blocks``.

    Raises:
        MkbenchError: the first model cannot be opened.
    """
    first = shelf.open(shelf.names[0])
    menus = _Menus.of(first)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown("# What does a model see?\nAsk a CLIP model with an image or a text of your own.")
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                model = gr.Dropdown(shelf.names, value=shelf.names[0], label="Model", elem_id="model")
                about = gr.HTML(_about(first), elem_id="about")
                upload = gr.File(label="Your image", type="filepath", height=120, elem_id="upload")
                sample = gr.Dropdown(
                    menus.images,
                    value=menus.images[0],
                    label="or an image of the run",
                    allow_custom_value=True,
                    elem_id="sample",
                )
                query = gr.HTML(_query(find_query(first, None, menus.images[0])), elem_id="query")
            with gr.Column(scale=3, min_width=320), gr.Tabs(elem_id="views"):
                tabs = []
                for view in VIEWS:
                    with gr.Tab(view.title, elem_id=f"tab-{view.name}"):
                        tabs.append(_Tab(gr, view, menus, sample))
        _connect(_Guard(gr, shelf, debug), tabs, model=model, about=about, upload=upload, sample=sample, query=query)
    page.queue(max_size=64)
    return page


def _connect(
    guard: "_Guard", tabs: Sequence[_Tab], *, model: Any, about: Any, upload: Any, sample: Any, query: Any
) -> None:
    """Say what each menu and button calls."""
    menus = [(tab, name, field) for tab in tabs for name, field in zip(tab.view.fields, tab.fields, strict=True)]
    filled = [(name, field) for _, name, field in menus if name not in ("top", "similarity")]

    def choose_model(opened: AskedModel) -> list[Any]:
        gr, found = guard.gr, _Menus.of(opened)
        updates = [_update(gr, name, found) for name, _ in filled]
        datasets = [gr.Dataset(samples=[found.example(tab.view)]) for tab in tabs]
        sample_update = gr.Dropdown(choices=found.images, value=found.images[0])
        return [_about(opened), sample_update, *updates, *datasets, *("" for _ in tabs)]

    def show_query(opened: AskedModel, uploaded: str | None, chosen: str | None) -> str:
        return _query(_find(opened, uploaded, chosen))

    outputs = [about, sample, *(field for _, field in filled), *(tab.example for tab in tabs)]
    outputs += [tab.result for tab in tabs]
    asked = [model, upload, sample]
    chosen = model.input(guard.call(choose_model, opening=True), model, outputs, **_QUEUE)
    chosen.then(guard.call(show_query), asked, query, show_progress="hidden", **_QUEUE)
    for changed in (upload.change, sample.change):
        changed(None, None, query, js="() => ''")  # no old image beside an error
        changed(guard.call(show_query), asked, query, show_progress="hidden", **_QUEUE)
    for tab in tabs:
        answer = guard.call(_answer(tab.view))
        inputs = [*asked, *tab.fields]
        tab.button.click(None, None, tab.result, js="() => ''")  # no old answer beside an error
        tab.button.click(answer, inputs, tab.result, **_QUEUE)
        for name, field in zip(tab.view.fields, tab.fields, strict=True):
            if name in ("text", "first", "second"):
                field.submit(answer, inputs, tab.result, **_QUEUE)
        # Of an example, its own image is asked about.
        taken = tab.example.click(_take_example, tab.example, [upload, *tab.inputs], show_progress="hidden", **_QUEUE)
        taken.then(answer, inputs, tab.result, **_QUEUE)


def _update(gr: Any, name: str, menus: _Menus) -> Any:
    value = menus.start(name)
    return gr.Dropdown(choices=menus.choices(name), value=value) if name in _MENU_FIELDS else value


def _take_example(values: list[Any]) -> list[Any]:
    return [None, *values]


def _answer(view: View) -> Callable[..., str]:
    def answer(opened: AskedModel, uploaded: str | None, chosen: str | None, *values: Any) -> str:
        query = _find(opened, uploaded, chosen) if view.of_image else None
        return ask(view, opened, query, dict(zip(view.fields, values, strict=True))).to_html()

    return answer


def _find(model: AskedModel, uploaded: str | None, chosen: str | None) -> QueryImage:
    own = read_upload(uploaded, model.images) if uploaded else None
    return find_query(model, own, chosen)


def _query(query: QueryImage) -> str:
    return render("query.html", name=query.name, image=preview_address(query))


def _about(model: AskedModel) -> str:
    return f"<p>{escape(model.about)}</p>"


class _Guard:
    """Calls what the page shows with an opened model, one call at a time, and turns errors into sentences.

    Args:
        gr: the module ``gradio``.
        shelf: the models.
        debug: print tracebacks of what nothing here expects.
    """

    def __init__(self, gr: Any, shelf: ModelShelf, debug: bool) -> None:
        self.gr, self.shelf, self.debug = gr, shelf, debug

    def call(self, function: Callable[..., Any], *, opening: bool = False) -> Callable[..., Any]:
        """Return a function for the page, whose first value is the name of a model."""

        def called(name: str, *values: Any) -> Any:
            try:
                with self.shelf.lock:
                    return function(self.shelf.open(name, self._say if opening else print), *values)
            except MkbenchError as error:
                raise self._shown(sentence(error)) from error
            except Exception as error:
                if self.debug:
                    traceback.print_exc(file=sys.stderr)
                kind = type(error).__name__
                raise self._shown(
                    f"This did not work ({kind}), and nothing here expects it; `mkbench app --debug` prints where it "
                    "comes from to the console."
                ) from error

        return called

    def _say(self, said: str) -> None:
        self.gr.Info(escape(said), title="")

    def _shown(self, said: str) -> Any:
        # Gradio takes messages for HTML.
        return self.gr.Error(escape(said), duration=None, title="Error", print_exception=False)
