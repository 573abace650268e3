from mkbench.concepts.controls import CONTROLS
from mkbench.studies.control_marks import MARKS, gain_over, mark_notes, marks_of, missed_controls
from mkbench.tables.latex import escape_latex


def test_every_control_has_a_mark_of_its_own_that_latex_knows() -> None:
    assert set(CONTROLS) <= set(MARKS)
    marks = [mark for mark, _ in MARKS.values()]
    assert len(set(marks)) == len(marks)
    assert all(escape_latex(mark).isascii() for mark in marks)


def test_marks_are_of_the_explainer_and_of_what_does_not_separate() -> None:
    controls = [
        {"metric": "auc", "explainer": "pca", "control": "whole-image", "separates": False},
        {"metric": "auc", "explainer": "pca", "control": "random", "separates": True},
        {"metric": "auc", "explainer": "kmeans", "control": "random", "separates": False},
        {"metric": "auc", "explainer": "pca", "control": "another", "separates": False},
    ]
    missed = missed_controls({"controls": controls}, "pca")  # type: ignore[typeddict-item]
    assert (missed, marks_of(missed, "auc"), marks_of(missed, "mi")) == ({"auc": ["whole-image"]}, "§", "")
    assert [note[0] for note in mark_notes({"permuted", "whole-image"})] == ["§", "¶"]
    assert gain_over({"controls": []}, "auc", "pca", "random") is None  # type: ignore[typeddict-item]
