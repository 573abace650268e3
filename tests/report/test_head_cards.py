from __future__ import annotations

from pathlib import Path

import pytest
from described_heads import ask_head, head_run
from report_runs import HOSTILE
from result_documents import results

from mkbench.errors import DataError
from mkbench.report.head_cards import HeadCards, read_head_cards
from mkbench.report.page import _show_run
from mkbench.report.rendering import render
from mkbench.runs.finished_runs import Run


def cards_of(run: Run, *, most: int = 9) -> HeadCards:
    cards = read_head_cards(run, "run-1", most=most)
    assert cards is not None
    return cards


def page(run: Run) -> str:
    return render("page.html", title="heads", sections=[], runs=[_show_run(run, "run-1", most=9)])


def test_run_whose_heads_are_not_described_has_no_cards(tmp_path: Path) -> None:
    assert read_head_cards(Run(tmp_path, "a", results(), {}), "run-1", most=9) is None
    assert 'id="heads"' not in page(Run(tmp_path, "a", results() | {"system": "head_decomposition"}, {}))


def test_cards_stand_by_layer_with_the_figures_of_their_head(tmp_path: Path) -> None:
    run = head_run(tmp_path / "run", layers=(10, 11))
    ask_head(run)
    ask_head(run, "topic-segmentation_owl", head=[11, 0], text="wings", image="owl/1.png")
    ask_head(run, "topic-segmentation_all", head=None)  # of all heads
    ask_head(run, "property-neighbors_colour")  # of the heads of a property
    cards = cards_of(run)
    assert {layer: [card.head for card, _ in shown] for layer, shown in cards.layers.items()} == {
        10: [0, 1],
        11: [0, 1],
    }
    (_, figures), (_, none) = cards.layers[11]
    assert [one.caption for one in figures] == ["Nearest images to “a night sky”", "“wings” in owl/1.png"]
    assert [(one.copy.width, one.copy.height) for one in figures] == [(800, 389)] * 2
    assert (none, cards.has_figures, cards.left_out) == ((), True, 0)


def test_figures_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    run = head_run(tmp_path / "run")
    for number in range(3):
        ask_head(run, f"image-neighbors_{number}", image="owl/1.png")
    assert cards_of(run, most=2).left_out == 1


def test_answer_without_a_figure_is_passed_over(tmp_path: Path) -> None:
    run = head_run(tmp_path / "run")
    ask_head(run).with_suffix(".png").unlink()
    assert not cards_of(run).has_figures
    assert "No head has images here" in page(run)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "Expected JSON in"),
        ("{}", r"question, found none; delete it, or ask the head again"),
        ('{"question": {"head": [1]}}', "question.head"),
        ('{"question": {"head": [1, "2"]}}', "question.head"),
        ('{"question": {"head": [1, 2], "text": 3}}', "question.text to be a string"),
    ],
)
def test_damaged_answer_is_named(tmp_path: Path, content: str, said: str) -> None:
    run = head_run(tmp_path / "run")
    ask_head(run).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        cards_of(run)


def test_damaged_figure_names_the_command_that_draws_it(tmp_path: Path) -> None:
    run = head_run(tmp_path / "run")
    ask_head(run).with_suffix(".png").write_bytes(b"damaged")
    with pytest.raises(DataError, match="draw it anew with `mkbench heads text-neighbors`"):
        cards_of(run)


def test_page_shows_each_head_with_its_texts(tmp_path: Path) -> None:
    run = head_run(tmp_path / "run")
    ask_head(run)
    text = page(run)
    assert text.count('<details class="card">') == 2
    assert 'a text 0 <span class="interval">25.0 %, fits</span>' in text
    assert 'a text 1 <span class="interval">25.0 %</span>' in text
    assert 'alt="Nearest images to “a night sky”, by layer 11 head 0"' in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    run = head_run(tmp_path / "run", text=HOSTILE)
    ask_head(run, text=HOSTILE, image="{0.__class__}")
    text = page(run)
    assert "<script>alert" not in text
    assert "onerror='" not in text
    assert text.count("</style>") == 1


def test_cards_of_a_large_model_stay_small(tmp_path: Path) -> None:
    """12 layers of 16 heads with 20 texts each, of 40 characters."""
    few = len(page(head_run(tmp_path / "few", heads=1)))
    many = len(page(head_run(tmp_path / "many", layers=range(12), heads=16, num_texts=20, text="t" * 38)))
    assert many - few < 600_000
