from __future__ import annotations

from mkbench.report.removal_steps import removal_tables
from mkbench.studies.mutual_knowledge.drawn_images import DrawnImage
from mkbench.tables import to_markdown

CONCEPTS = (("wings", 0.9, True), ("legs", 0.5, False))
SCORES = {"deletion_scores": (0.75, 0.5, 0.25), "insertion_scores": (0.125, 0.5)}


def image(concepts=CONCEPTS, scores=SCORES) -> DrawnImage:
    curve = (2.0, 0.5, 0.0)[: len(concepts) + 1]
    return DrawnImage("owl", "owl", True, 2, concepts, curve, curve, scores)


def test_each_concept_has_what_is_left_without_it() -> None:
    text = to_markdown(removal_tables(image())[0])
    assert "| nothing | 2.00 | 2.00 |\n| wings | 0.50 | 0.50 |\n| legs | 0.00 | 0.00 |" in text


def test_each_number_of_parts_has_its_class_scores() -> None:
    text = to_markdown(removal_tables(image())[1])
    assert "| parts | blurred | brought back |" in text
    assert "| 0 | 0.750 | 0.125 |\n| 1 | 0.500 | 0.500 |\n| 2 | 0.250 | \u2013 |" in text


def test_nothing_is_shown_that_was_not_removed() -> None:
    assert removal_tables(image(concepts=(), scores={})) == []
    assert len(removal_tables(image(scores={}))) == 1
