import pytest
from matplotlib.patches import Polygon
from matplotlib.text import Text
from result_documents import overlapping, visible_texts

from mkbench.plotting.style import Page, print_style
from mkbench.plotting.venn import draw_venn, lay_out_venn

LONG = "large, sturdy body with four muscular legs and a long tail that ends in a tuft of hair"


def _draw(vision, language, width=506.0):
    layout = lay_out_venn(vision, language, width=width)
    with print_style():
        page = Page(width + 12, layout.height + 12)
        draw_venn(page.canvas, layout, left=6, top=6)
    visible = visible_texts(page.figure)
    headings = [text for text in visible if "(" in text.get_text()]
    texts = headings + [text for text in visible if text not in headings]
    filled = [patch for patch in page.canvas.patches if isinstance(patch, Polygon) and patch.get_fill()]
    return page, texts, [patch.get_path().transformed(patch.get_transform()) for patch in filled[:2]]


@pytest.mark.parametrize("shared", [0, 7, 15])
@pytest.mark.parametrize("suffix", ["", LONG])
def test_every_text_lies_inside_the_shapes_it_belongs_to(shared, suffix):
    vision = [f"concept {index} {suffix}" for index in range(15)]
    language = vision[:shared] + [f"word {index} {suffix}" for index in range(15 - shared)]
    page, texts, (left, right) = _draw(vision, language)
    assert overlapping(texts) == []
    written = {"concept": "", "both": "", "word": ""}
    for text in texts[3:]:  # after the headings, left to right
        corners = Text.get_window_extent(text).corners()
        in_left, in_right = left.contains_points(corners), right.contains_points(corners)
        where = {(True, False): "concept", (True, True): "both", (False, True): "word"}[in_left.all(), in_right.all()]
        assert in_left.all() or not in_left.any()
        assert in_right.all() or not in_right.any()
        written[where] += f" {text.get_text()}"
    assert [written[where].count("concept") for where in ("concept", "both")] == [15 - shared, shared]
    assert written["word"].count("word") == 15 - shared
    assert sum(column.count(suffix) for column in written.values() if suffix) == (30 - shared if suffix else 0)
    assert page.figure.bbox.height == pytest.approx(page.height / 72 * page.figure.dpi)


def test_columns_keep_the_order_and_count():
    layout = lay_out_venn(["c", "a", "b"], ["b", "d", "c"], width=500)
    assert layout.columns == ([["a"]], [["c"], ["b"]], [["d"]])


def test_nothing_in_common_says_none():
    _, texts, _ = _draw(["wings"], ["fur"])
    assert [text.get_text() for text in texts].count("none") == 1
    assert "mutual (0)" in [text.get_text() for text in texts]


def test_more_texts_need_more_height():
    few, many = lay_out_venn(["a"], ["b"], width=500), lay_out_venn([f"a{i}" for i in range(30)], ["b"], width=500)
    assert many.height > 2 * few.height
