from __future__ import annotations

from pathlib import Path

import pytest
from result_documents import make_results, overlapping, visible_texts

from mkbench.runs.finished_runs import Run
from mkbench.studies.faithfulness.figure import CRITERIA, compares_families, faithfulness_figure
from mkbench.studies.faithfulness.present import present_faithfulness
from mkbench.studies.faithfulness.study import faithfulness_rows
from mkbench.studies.faithfulness.write import write_faithfulness

NAMES = ("pca", "kmeans", "legrad", "splice", "random", "whole-image")


def document(offset: float = 0.0) -> dict[str, object]:
    scores = [("deletion", name, 1.0 + place / 10 + offset) for place, name in enumerate(NAMES[:-1])]
    shares = [("descriptor_precision", name, 0.5 + place / 20) for place, name in enumerate(NAMES)]
    missed = {"metric": "deletion", "explainer": "legrad", "control": "random", "separates": False}
    return make_results(*scores, *shares) | {"controls": [missed]}


def test_points_are_the_estimates_and_those_no_better_than_a_control_are_hollow() -> None:
    rows = faithfulness_rows([document()])
    deletion, precision = faithfulness_figure(rows).axes[1:]
    points = {round(float(line.get_ydata()[0])): line for line in deletion.lines[1::2]}
    assert sorted(points) == [0, 1, 2, 3, 4]  # the whole image has no parts to remove
    assert points[2].get_xdata()[0] == pytest.approx(1.2)
    hollow = [place for place, line in points.items() if line.get_markerfacecolor() == "white"]
    assert hollow == [NAMES.index("legrad")]
    bars = deletion.lines[::2]
    assert sorted(float(bar.get_xdata()[0]) for bar in bars)[0] == pytest.approx(0.9)
    assert len(precision.lines) == 2 * len(NAMES)
    labels = [label.get_text() for label in deletion.get_yticklabels()]
    assert labels == ["PCA", "K-means", "LeGrad", "SpLiCE", "random", "whole image"]


def test_planted_truth_is_a_number_where_it_is_best_by_construction() -> None:
    metrics = ("deletion", "descriptor_precision", "mutual_information_auc_excess")
    values = [(metric, name, 1.0 if name == "planted" else 0.5) for metric in metrics for name in ("legrad", "planted")]
    deletion, precision, excess = faithfulness_figure(faithfulness_rows([make_results(*values)])).axes[1:]
    assert [len(axes.lines) for axes in (deletion, precision, excess)] == [4, 2, 2]  # an interval and a point each
    assert [text.get_text() for text in precision.texts] == ["1 by construction"]
    assert not [*deletion.texts, *excess.texts]  # excess grows with the number of concepts


def test_texts_of_all_criteria_do_not_overlap() -> None:
    second = document(0.02)
    entry = second["metrics"][0]  # type: ignore[index]
    second["metrics"] = [*second["metrics"], *({**entry, "name": name} for name in CRITERIA[1:])]  # type: ignore[misc]
    second["model"] = {**second["model"], "label": "ViT-L/14"}  # type: ignore[dict-item]
    figure = faithfulness_figure(faithfulness_rows([document(), second]))
    assert overlapping(visible_texts(figure)) == []
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["ViT-B/16", "ViT-L/14"]


def test_rows_without_a_criterion_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rows must have one of deletion, .*, found none"):
        faithfulness_figure([])


def test_files_of_other_families_alone_have_a_figure(tmp_path: Path) -> None:
    run = Run(Path("a"), "a", document(), {})  # type: ignore[arg-type]
    write_faithfulness([run], tmp_path / "new")
    assert {path.suffix for path in (tmp_path / "new").iterdir()} == {".csv", ".md", ".tex", ".png", ".pdf"}
    shown = present_faithfulness([run])
    assert shown is not None
    assert [plot.draw().axes for plot in shown.plots]
    published = make_results(("deletion", "pca", 1.0), ("deletion", "random", 1.1))
    assert not compares_families(faithfulness_rows([published]))
    write_faithfulness([Run(Path("a"), "a", published, {})], tmp_path / "new")
    assert {path.suffix for path in (tmp_path / "new").iterdir()} == {".csv", ".md", ".tex"}
