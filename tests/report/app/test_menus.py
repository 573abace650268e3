from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from asked_models import asked_model

from mkbench.errors import UsageError
from mkbench.report.app.menus import example_head, example_texts, head_choices, image_choices, property_choices


def test_heads_carry_labels_and_scores() -> None:
    assert head_choices(asked_model()) == [
        ("3.0  colour (1 of 5 texts fit)", "3.0"),
        ("3.1  sky (4 of 5 texts fit)", "3.1"),
        ("4.0  colour (2 of 5 texts fit)", "4.0"),
        ("4.1", "4.1"),
    ]
    assert head_choices(asked_model(labels=None))[1] == ("3.1", "3.1")
    assert head_choices(asked_model(heads=UsageError("none"))) == []


def test_properties_carry_how_many_heads_have_them() -> None:
    assert property_choices(asked_model()) == [("colour (2 heads)", "colour"), ("sky (1 head)", "sky")]
    assert property_choices(asked_model(labels=None)) == []
    assert property_choices(asked_model(heads=UsageError("none"))) == []


def test_examples_are_of_heads_whose_first_text_fits() -> None:
    model = asked_model()
    assert example_head(model) == "4.0"
    assert example_texts(model) == ("text 0 of 4.0", "text 0 of 3.0")


def test_examples_without_labels_or_heads() -> None:
    model = asked_model(labels=None)
    assert example_texts(model) == ("a photo of an owl", "a photo of a bat")
    assert example_head(model) == "4.1"
    assert example_head(asked_model(heads=UsageError("none"))) == ""


def test_images_of_a_large_run_are_spread() -> None:
    names = tuple(map(str, range(1001)))
    large: Any = SimpleNamespace(images=SimpleNamespace(sample_ids=names))
    assert image_choices(large) == list(names[::3])
    assert len(image_choices(asked_model())) == 4
