from __future__ import annotations

import csv
import io

import torch
from concept_head_rows import class_concept_heads, printed, words

from mkbench.studies.concept_heads.class_table import class_table, first_heads_table
from mkbench.tables import to_console, to_csv


def test_concept_heads_of_a_class_come_best_first() -> None:
    found = class_concept_heads([[0.5, -1.0, 1.5, 0.0]], labels={(11, 0): "colour"})
    rows = list(csv.DictReader(io.StringIO(to_csv(class_table([found])))))
    assert [(row["layer"], row["head"], row["rank"]) for row in rows] == [
        ("11", "0", "1"),
        ("10", "0", "2"),
        ("11", "1", "3"),
        ("10", "1", "4"),
    ]
    assert [row["label"] for row in rows] == ["colour", "", "", ""]
    assert [(float(row["score"]), float(row["share"])) for row in rows] == [(1.5, 0.75), (0.5, 0.25), (0, 0), (-1, 0)]
    assert [row["descriptor"] for row in rows] == ["concept 2", "concept 0", "concept 3", "concept 1"]
    assert {(row["model"], row["explainer"], row["class"]) for row in rows} == {("ViT", "pca", "class 0")}
    lines = words(printed(to_console(first_heads_table(found))))
    assert "class 0 layer 11 head 0 (colour) layer 10 head 0 layer 11 head 1" in lines
    assert "1.500, 75% 0.500, 25% 0.000, 0%" in lines
    assert "concept 2 concept 0 concept 3" in lines


def test_console_shows_ten_classes_that_have_concepts() -> None:
    scores = [[float(number), 0.5] for number in range(12)]
    scores[0] = [torch.nan, torch.nan]
    text = "\n".join(words(printed(to_console(first_heads_table(class_concept_heads(scores))))))
    assert "class 0 " not in text
    assert "class 10 layer 10 head 0" in text
    assert "class 11" not in text
    assert "The first 10 of 11 classes; all are in concept_heads_by_class.csv." in text
    assert to_csv(class_table([class_concept_heads(scores)])).count("\n") == 1 + 2 * 11
