import re

import matplotlib
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from mkbench.plotting.style import PALETTE, Page, ink, print_style, save_figure, text_width, wrap_text


def _figure():
    with print_style():
        page = Page(144, 72)
        page.canvas.text(10, 20, "costs $5 or $6")
    return page.figure


def test_saved_files_are_equal_and_carry_no_date(tmp_path):
    first = save_figure(_figure(), tmp_path / "a" / "vit-b.16")
    second = save_figure(_figure(), tmp_path / "b" / "vit-b.16")
    assert [path.name for path in first] == ["vit-b.16.png", "vit-b.16.pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"Date" not in first[1].read_bytes()
    assert b"Software" not in first[0].read_bytes()


def test_title_is_in_the_metadata(tmp_path):
    png, pdf = save_figure(_figure(), tmp_path / "figure", title="größe/鱼.png")
    with Image.open(png) as image:
        assert image.info["Title"] == "größe/鱼.png"
    assert b"/Title" in pdf.read_bytes()


def test_png_has_200_dots_per_inch(tmp_path):
    png, _ = save_figure(_figure(), tmp_path / "figure")
    header = png.read_bytes()[16:24]
    assert (int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")) == (400, 200)  # 2 x 1 inch


def test_pdf_embeds_fonts_and_no_outlines_of_characters(tmp_path):
    _, pdf = save_figure(_figure(), tmp_path / "figure")
    assert b"/FontFile2" in pdf.read_bytes()  # TrueType; publishers refuse fonts of Type 3
    assert b"/Type3" not in pdf.read_bytes()


def test_print_style_leaves_the_settings_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    save_figure(_figure(), tmp_path / "figure")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("width", [20, 60, 200])
def test_wrapped_lines_fit_and_keep_every_character(width):
    text = "large, sturdy  body\nwith four muscular legs and Donaudampfschifffahrtsgesellschaft"
    lines = wrap_text(text, width, 6.5)
    assert max(text_width(line, 6.5) for line in lines) <= width
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_wrap_text_edge_cases():
    assert wrap_text("", 50, 7) == [""]
    assert wrap_text("ab", 0.1, 7) == ["a", "b"]
    assert wrap_text("r\u00a0=\u00a01 r\u00a0=\u00a01", text_width("r = 1", 7) + 1, 7) == ["r\u00a0=\u00a01"] * 2


def test_bold_text_is_wider():
    assert text_width("four legs", 7, "bold") > text_width("four legs", 7)


@pytest.mark.parametrize("colour", PALETTE)
def test_ink_reads_on_white(colour):
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in ink(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5
    assert all(dark <= bright for dark, bright in zip(ink(colour), to_rgb(colour), strict=True))


def test_palette_has_distinct_colours():
    assert len(set(PALETTE)) == 8
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in PALETTE)
