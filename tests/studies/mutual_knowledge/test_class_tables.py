from __future__ import annotations

import numpy as np

from mkbench.studies.mutual_knowledge.class_tables import (
    extremes_table,
    model_differences_table,
    same_information_table,
)
from mkbench.studies.mutual_knowledge.class_values import ClassValue
from mkbench.tables import to_csv, to_markdown


def value(name: str, auc: float, information: float = 2.0) -> ClassValue:
    return ClassValue(name, 0.25, np.array([information] * 2), np.array([auc] * 2))


MANY = [value(f"class {number}", float(number)) for number in range(30)]


def test_few_classes_are_all_there_in_their_order() -> None:
    table = extremes_table(MANY[:3], "pca", "ViT")
    assert table.title == "Classes by AUC, ViT, PCA: all 3"
    assert [one.name for one in table.rows] == ["class 2", "class 1", "class 0"]
    assert "| class 2 | 2 | 25.0 | 2.00 [2.00, 2.00] | 2.00 [2.00, 2.00] |" in to_markdown(table)


def test_ends_of_many_classes() -> None:
    table = extremes_table(MANY, "kmeans", "ViT")
    assert table.title.endswith("K-means: highest 10 and lowest 10 of 30")
    highest, lowest = table.sections()
    assert [one.name for one in highest] == [f"class {number}" for number in range(29, 19, -1)]
    assert [one.name for one in lowest] == [f"class {number}" for number in range(9, -1, -1)]


def test_pairs_stand_in_a_row() -> None:
    table = same_information_table([value("owl", 1.5), value("bat", 0.5)], "pca", "ViT")
    assert "| owl | 2.00 [2.00, 2.00] | 1.50 [1.50, 1.50] | bat | 2.00" in to_markdown(table)
    assert "no further apart than 1 % of the mean" in table.notes[0]


def test_classes_on_which_models_differ_most() -> None:
    """Bat differs by 2.5, owl by 0.5; a has no ant."""
    models = {
        "a": [value("owl", 1.0), value("bat", 3.0)],
        "b": [value("ant", 9.0), value("bat", 0.5), value("owl", 1.5)],
    }
    table = model_differences_table(models, "pca")
    assert table.rows == ["bat", "owl"]
    assert "| bat | 3.00 [3.00, 3.00] | 0.50 [0.50, 0.50] | 2.50 |" in to_markdown(table)
    assert to_csv(table).strip() == ""  # a table for pages alone
